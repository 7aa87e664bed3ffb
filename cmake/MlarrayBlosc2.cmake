# c-blosc2 as the imported target mlarray::blosc2, static where possible.
#   auto     the `blosc2` Python package that is installed for building, then the system's
#   wheel    only the Python package (its own CMake config is broken in several releases,
#            so the target is made here from its headers and its static library)
#   package  only find_package(Blosc2)
#   fetch    sources, for an instrumented build: FETCHCONTENT_SOURCE_DIR_BLOSC2 is the folder that
#            tools/blosc2_source.py prints; MLARRAY_SANITIZE and MLARRAY_FUZZING apply to them
set(MLARRAY_BLOSC2 "auto" CACHE STRING "auto | wheel | package | fetch")
set(MLARRAY_BLOSC2_WHEEL_DIR "" CACHE PATH "folder of an installed `blosc2` Python package")
set(MLARRAY_BLOSC2_TAG "v3.3.2" CACHE STRING "c-blosc2 tag for MLARRAY_BLOSC2=fetch")

function(_mlarray_blosc2_from_wheel)
  set(from_prefix "")
  foreach(prefix IN LISTS CMAKE_PREFIX_PATH)
    list(APPEND from_prefix "${prefix}" "${prefix}/blosc2")
  endforeach()
  set(from_python "")
  find_package(Python COMPONENTS Interpreter QUIET)
  if(Python_Interpreter_FOUND)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -c
        "import importlib.util as u; s = u.find_spec('blosc2'); print(s.submodule_search_locations[0] if s else '', end='')"
      OUTPUT_VARIABLE from_python ERROR_QUIET)
  endif()
  if(DEFINED SKBUILD)
    # The build environment's copy, not one that happens to lie in the target environment.
    set(candidates "${MLARRAY_BLOSC2_WHEEL_DIR}" "${from_python}" ${from_prefix})
  else()
    set(candidates "${MLARRAY_BLOSC2_WHEEL_DIR}" ${from_prefix} "${from_python}")
  endif()
  foreach(folder IN LISTS candidates)
    foreach(library lib/libblosc2.a lib64/libblosc2.a lib/libblosc2.lib)
      if(folder AND EXISTS "${folder}/include/b2nd.h" AND EXISTS "${folder}/${library}")
        file(STRINGS "${folder}/include/blosc2.h" version REGEX "define BLOSC2_VERSION_STRING")
        string(REGEX REPLACE ".*\"([^\"]+)\".*" "\\1" version "${version}")
        add_library(mlarray_blosc2 STATIC IMPORTED GLOBAL)
        set_target_properties(mlarray_blosc2 PROPERTIES
          IMPORTED_LOCATION "${folder}/${library}"
          INTERFACE_INCLUDE_DIRECTORIES "${folder}/include")
        target_link_libraries(mlarray_blosc2 INTERFACE
          Threads::Threads ${CMAKE_DL_LIBS}
          $<$<PLATFORM_ID:Linux>:rt> $<$<PLATFORM_ID:Linux>:m>)
        add_library(mlarray::blosc2 ALIAS mlarray_blosc2)
        message(STATUS "c-blosc2 ${version} from the Python package: ${folder}/${library}")
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

if(MLARRAY_BLOSC2 MATCHES "^(auto|wheel)$")
  _mlarray_blosc2_from_wheel()
endif()
if(NOT TARGET mlarray::blosc2 AND MLARRAY_BLOSC2 MATCHES "^(auto|package)$")
  find_package(Blosc2 CONFIG QUIET)
  if(TARGET Blosc2::blosc2_static)
    add_library(mlarray::blosc2 ALIAS Blosc2::blosc2_static)
  endif()
endif()
if(NOT TARGET mlarray::blosc2 AND MLARRAY_BLOSC2 STREQUAL "fetch")
  include(FetchContent)
  foreach(option BUILD_TESTS BUILD_FUZZERS BUILD_BENCHMARKS BUILD_EXAMPLES BUILD_SHARED BLOSC_INSTALL)
    set(${option} OFF CACHE BOOL "" FORCE)
  endforeach()
  # ZFP is refused in files; of zlib, the system's is linked for gzip anyway.
  set(BLOSC_ENABLE_ZFP OFF CACHE STRING "")
  set(PREFER_EXTERNAL_ZLIB ON CACHE BOOL "")
  foreach(library LZ4 ZSTD)
    string(TOLOWER "${library}" folder)
    if(FETCHCONTENT_SOURCE_DIR_BLOSC2 AND IS_DIRECTORY "${FETCHCONTENT_SOURCE_DIR_BLOSC2}/../${folder}")
      get_filename_component(folder "${FETCHCONTENT_SOURCE_DIR_BLOSC2}/../${folder}" ABSOLUTE)
      set(BLOSC_${library}_SOURCE_DIR "${folder}" CACHE PATH "")
    endif()
  endforeach()
  FetchContent_Declare(blosc2
    GIT_REPOSITORY https://github.com/Blosc/c-blosc2.git
    GIT_TAG ${MLARRAY_BLOSC2_TAG} GIT_SHALLOW ON)
  FetchContent_MakeAvailable(blosc2)
  foreach(target blosc2_static lz4_static libzstd_static)
    if(TARGET ${target})
      mlarray_instrument(${target})
    endif()
  endforeach()
  # Its headers are not ours to warn of.
  get_target_property(headers blosc2_static INTERFACE_INCLUDE_DIRECTORIES)
  set_target_properties(blosc2_static PROPERTIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${headers}")
  add_library(mlarray::blosc2 ALIAS blosc2_static)
endif()
if(NOT TARGET mlarray::blosc2)
  message(FATAL_ERROR
    "c-blosc2 not found: pip install blosc2, or set MLARRAY_BLOSC2_WHEEL_DIR or CMAKE_PREFIX_PATH")
endif()
