# Copyright (c) the paxos authors. MIT licence.
#
# include_costs.cmake: what including a header costs, in things that can be counted, as no clock is the same twice.
#   COMPILER  g++ or clang++;  INCLUDE  our headers;  OPTIONS  for the compiler, with spaces between
#   HEADER    the one that is included; it may be a source file, under ROOT
#   LINES     the most lines that the preprocessor may make of it; not counted when not given
#   BODIES    the most functions, instantiated or inline, that g++ may go through though nobody calls them
#   FORBIDDEN a regular expression: no file of that name may be included
file(MAKE_DIRECTORY "${WORK}")
separate_arguments(OPTIONS)
set(source "${WORK}/include_costs.cpp")
file(WRITE "${source}" "#include <${HEADER}>\n")
set(command "${COMPILER}" -std=c++20 -O0 ${OPTIONS} "-I${INCLUDE}" "-I${ROOT}")

execute_process(COMMAND ${command} -E "${source}" OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n# [0-9]+ \"[^\"]*\" 1" entered "${text}")
foreach(line IN LISTS entered)
  if(FORBIDDEN AND line MATCHES "/(${FORBIDDEN})\" 1$")
    message(SEND_ERROR "<${HEADER}> includes ${line}")
  endif()
endforeach()
if(NOT LINES)
  return()
endif()
execute_process(COMMAND ${command} -E -P "${source}" -o "${source}.i" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND wc -l "${source}.i" OUTPUT_VARIABLE lines COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "[0-9]+" lines "${lines}")
message(STATUS "<${HEADER}>: ${lines} lines")
if(lines GREATER LINES)
  message(SEND_ERROR "<${HEADER}> is ${lines} lines, more than ${LINES}: which new header came along? Try -H")
endif()

set(dump "${source}.bodies")
execute_process(COMMAND ${command} "-fdump-tree-original=${dump}" -c "${source}" -o "${source}.o"
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND grep -c "^;; Function" "${dump}" OUTPUT_VARIABLE bodies COMMAND_ERROR_IS_FATAL ANY)
string(STRIP "${bodies}" bodies)
message(STATUS "<${HEADER}>: ${bodies} functions")
if(bodies GREATER BODIES)
  message(SEND_ERROR "<${HEADER}> makes the compiler go through ${bodies} functions that nobody calls, more than "
                     "${BODIES}: see docs/compile-time.md; ${dump} names them")
endif()
