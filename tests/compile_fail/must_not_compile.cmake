# Copyright (c) the paxos authors. MIT licence.
list(TRANSFORM INCLUDES PREPEND -I)
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only ${INCLUDES} "${PROGRAM}"
  RESULT_VARIABLE result
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} compiles, but must not")
endif()
string(FIND "${output}" "${EXPECTED}" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${PROGRAM}: the compiler does not say '${EXPECTED}' but:\n${output}")
endif()
