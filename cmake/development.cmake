# Copyright (c) the paxos authors. MIT licence.
#
# What only our own targets get. They link paxos_warnings; nobody else ever sees it, or these switches.
option(PAXOS_WERROR "Warnings in our own targets are errors" OFF)
set(PAXOS_SANITIZE "" CACHE STRING "Sanitizers for our own targets, as in -fsanitize=")
option(PAXOS_COVERAGE "Instrument our own targets for gcov" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(paxos_warnings INTERFACE)
target_compile_options(
  paxos_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow "$<$<BOOL:${PAXOS_WERROR}>:-Werror>")
if(PAXOS_SANITIZE)
  set(sanitize -fsanitize=${PAXOS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(paxos_warnings INTERFACE ${sanitize})
  target_link_options(paxos_warnings INTERFACE ${sanitize})
  if(PAXOS_SANITIZE MATCHES "thread")
    # GCC warns at every std::atomic_thread_fence that it cannot follow; Asio has one.
    target_compile_options(paxos_warnings INTERFACE "$<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>")
  endif()
endif()
if(PAXOS_COVERAGE)
  target_compile_options(paxos_warnings INTERFACE --coverage)
  target_link_options(paxos_warnings INTERFACE --coverage)
endif()
