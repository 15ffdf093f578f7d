# Copyright (c) the paxos authors. MIT licence.
#
# Finds standalone Asio (header-only), and makes the target asio::asio unless it is there: from Asio's own config
# package, as Conan and vcpkg bring it, else from where asio.hpp is.
#
# ASIO_INCLUDE_DIR   where asio.hpp is

include(FindPackageHandleStandardArgs)

if(NOT TARGET asio::asio AND NOT ASIO_INCLUDE_DIR)
  find_package(asio CONFIG QUIET)
endif()
if(TARGET asio::asio)
  # Not every such package tells its version.
  if(asio_VERSION)
    set(Asio_VERSION "${asio_VERSION}")
  endif()
  set(asio_target asio::asio)
  find_package_handle_standard_args(Asio REQUIRED_VARS asio_target VERSION_VAR Asio_VERSION)
  return()
endif()

find_path(ASIO_INCLUDE_DIR asio.hpp)
mark_as_advanced(ASIO_INCLUDE_DIR)

if(ASIO_INCLUDE_DIR AND EXISTS "${ASIO_INCLUDE_DIR}/asio/version.hpp")
  file(STRINGS "${ASIO_INCLUDE_DIR}/asio/version.hpp" asio_version_line REGEX "define ASIO_VERSION ")
  string(REGEX MATCH "[0-9]+" asio_version_number "${asio_version_line}")
  if(asio_version_number)
    math(EXPR asio_major "${asio_version_number} / 100000")
    math(EXPR asio_minor "${asio_version_number} / 100 % 1000")
    math(EXPR asio_patch "${asio_version_number} % 100")
    set(Asio_VERSION "${asio_major}.${asio_minor}.${asio_patch}")
  endif()
endif()

find_package_handle_standard_args(
  Asio
  REQUIRED_VARS ASIO_INCLUDE_DIR
  VERSION_VAR Asio_VERSION
  REASON_FAILURE_MESSAGE "standalone Asio: the package libasio-dev, or -DASIO_INCLUDE_DIR=<where asio.hpp is>")

if(Asio_FOUND)
  find_package(Threads REQUIRED)
  add_library(asio::asio INTERFACE IMPORTED)
  target_include_directories(asio::asio INTERFACE "${ASIO_INCLUDE_DIR}")
  target_link_libraries(asio::asio INTERFACE Threads::Threads)
  if(Asio_VERSION VERSION_LESS 1.23 AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # This Asio knows Clang's coroutines only as <experimental/coroutine>, which C++20 compilers no longer have.
    target_compile_definitions(asio::asio INTERFACE ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE)
  endif()
endif()
