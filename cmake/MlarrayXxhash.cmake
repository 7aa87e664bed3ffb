# XXH3 is used header-only (XXH_INLINE_ALL), so no symbol can clash with the
# copy inside c-blosc2.
find_path(MLARRAY_XXHASH_INCLUDE_DIR xxhash.h DOC "folder of xxhash.h (0.8 or later)")
if(NOT MLARRAY_XXHASH_INCLUDE_DIR)
  message(FATAL_ERROR
    "xxhash.h not found. Install it (Debian, Ubuntu: apt-get install libxxhash-dev; "
    "macOS: brew install xxhash; conda: xxhash), or set MLARRAY_XXHASH_INCLUDE_DIR to a folder "
    "that holds it")
endif()
add_library(mlarray_xxhash INTERFACE)
target_include_directories(mlarray_xxhash SYSTEM INTERFACE "${MLARRAY_XXHASH_INCLUDE_DIR}")
target_compile_definitions(mlarray_xxhash INTERFACE XXH_INLINE_ALL)
