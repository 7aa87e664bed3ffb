# XXH3 is used header-only (XXH_INLINE_ALL), so no symbol can clash with the
# copy inside c-blosc2. The system header is taken where there is one.
find_path(MLARRAY_XXHASH_INCLUDE_DIR xxhash.h)
if(NOT MLARRAY_XXHASH_INCLUDE_DIR)
  include(FetchContent)
  FetchContent_Declare(xxhash
    URL https://github.com/Cyan4973/xxHash/archive/refs/tags/v0.8.3.tar.gz
    SOURCE_SUBDIR no-cmake-build)
  FetchContent_MakeAvailable(xxhash)
  set(MLARRAY_XXHASH_INCLUDE_DIR "${xxhash_SOURCE_DIR}" CACHE PATH "folder of xxhash.h" FORCE)
endif()
add_library(mlarray_xxhash INTERFACE)
target_include_directories(mlarray_xxhash SYSTEM INTERFACE "${MLARRAY_XXHASH_INCLUDE_DIR}")
target_compile_definitions(mlarray_xxhash INTERFACE XXH_INLINE_ALL)
