# Runs PROGRAM ARGUMENT: it has to succeed and to print exactly what the file EXPECTED holds.
execute_process(COMMAND "${PROGRAM}" "${ARGUMENT}"
  OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE status)
file(READ "${EXPECTED}" expected)
if(NOT status EQUAL 0 OR NOT output STREQUAL expected)
  message(FATAL_ERROR
    "${PROGRAM}: exit status ${status}\n${errors}\nprinted:\n${output}\nexpected:\n${expected}")
endif()
