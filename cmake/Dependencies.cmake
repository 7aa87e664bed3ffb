# Everything linked in, and where it comes from (licences: NOTICES.md).
set(THREADS_PREFER_PTHREAD_FLAG TRUE)
find_package(Threads REQUIRED)
find_package(ZLIB QUIET)
if(NOT ZLIB_FOUND)
  message(FATAL_ERROR
    "zlib.h not found. Install it (Debian, Ubuntu: apt-get install zlib1g-dev; Fedora: "
    "zlib-devel; conda: zlib), or set ZLIB_ROOT")
endif()
include(MlarrayBlosc2)
include(MlarrayXxhash)

if(MLARRAY_BUILD_TESTS)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(FATAL_ERROR "GoogleTest not found: apt-get install libgtest-dev, or configure with -DMLARRAY_BUILD_TESTS=OFF")
  endif()
  include(GoogleTest)
endif()
