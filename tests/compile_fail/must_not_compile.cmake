# Copyright (c) the paxos authors. MIT licence.
file(STRINGS "${PROGRAM}" options REGEX "^// options: ")
string(REPLACE "// options: " "" options "${options}")
separate_arguments(options)
list(TRANSFORM INCLUDES PREPEND -I)
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only ${options} ${INCLUDES} "${PROGRAM}"
  RESULT_VARIABLE result
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} compiles, but must not")
endif()
# The words must stand in an error, not in the name of a file or in a line of the program that is quoted.
string(REGEX MATCHALL "(error|note): [^\n]*" answers "${output}")
file(STRINGS "${PROGRAM}" expectations REGEX "^// expect( ${COMPILER_ID})?: ")
if(NOT expectations)
  message(FATAL_ERROR "${PROGRAM} does not say what it expects")
endif()
foreach(expectation IN LISTS expectations)
  string(REGEX REPLACE "^// expect[^:]*: " "" expected "${expectation}")
  string(FIND "${answers}" "${expected}" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "${PROGRAM}: the compiler does not say '${expected}' but:\n${output}")
  endif()
endforeach()
