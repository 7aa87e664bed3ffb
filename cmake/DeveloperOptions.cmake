# Warnings and sanitizers of our own targets; imported code is not touched.
set(MLARRAY_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined or thread")
option(MLARRAY_WERROR "Warnings are errors; off where a source archive is built"
  ${PROJECT_IS_TOP_LEVEL})
option(MLARRAY_FUZZING "Coverage for libFuzzer, and its main in fuzz/ (clang only)" OFF)

# Instruments a C library that was built from source like our own code, but without the
# undefined-behaviour checks: c-blosc2 loads words from odd addresses on purpose.
function(mlarray_instrument target)
  string(REGEX REPLACE ",?undefined" "" sanitizers "${MLARRAY_SANITIZE}")
  if(MLARRAY_FUZZING)
    list(APPEND sanitizers fuzzer-no-link)
  endif()
  string(REPLACE ";" "," sanitizers "${sanitizers}")
  if(sanitizers)
    target_compile_options(${target} PRIVATE
      -fsanitize=${sanitizers} -fno-omit-frame-pointer -g)
  endif()
endfunction()

add_library(mlarray_developer_options INTERFACE)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(mlarray_developer_options INTERFACE
    $<$<BOOL:${MLARRAY_WERROR}>:-Werror>
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # g++ 12 warns of overlaps inside std::string's own operator+ (GCC bug 105651).
    target_compile_options(mlarray_developer_options INTERFACE -Wno-restrict)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND MLARRAY_QUICK_BUILD)
    # It warns of bounds in there, too, where it sees more of a program at once.
    target_compile_options(mlarray_developer_options INTERFACE
      -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread)
  endif()
  if(MLARRAY_SANITIZE)
    target_compile_options(mlarray_developer_options INTERFACE
      -fsanitize=${MLARRAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
    target_link_options(mlarray_developer_options INTERFACE -fsanitize=${MLARRAY_SANITIZE})
  endif()
  if(MLARRAY_FUZZING)
    target_compile_options(mlarray_developer_options INTERFACE -fsanitize=fuzzer-no-link -g)
  endif()
elseif(MSVC)
  target_compile_options(mlarray_developer_options INTERFACE
    /W4 $<$<BOOL:${MLARRAY_WERROR}>:/WX> /utf-8)
endif()
