# Everything linked in, and where it comes from (licences: NOTICES.md).
set(THREADS_PREFER_PTHREAD_FLAG TRUE)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
include(MlarrayBlosc2)
include(MlarrayXxhash)

if(MLARRAY_BUILD_TESTS)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(FATAL_ERROR "GoogleTest not found: install libgtest-dev, or configure with -DMLARRAY_BUILD_TESTS=OFF")
  endif()
  include(GoogleTest)
endif()
