# Headers that are parsed once instead of by every source. For the library it is a matter of choice,
# and so is compiling sources of a folder together: less than half of the time where all is
# compiled. Both hide a missing #include, so the preset `plain`, which clang-tidy reads, goes
# without, and so do those who take the library into a build of theirs.
option(MLARRAY_QUICK_BUILD "Precompiled headers for the library, and unity builds" OFF)

# mlarray_precompile(NAME HEADERS header... [LINKS target...]): a target with precompiled headers.
# It has to be compiled like its users, so it links what gives them their options.
function(mlarray_precompile name)
  cmake_parse_arguments(arg "" "" "HEADERS;LINKS" ${ARGN})
  file(CONFIGURE OUTPUT "${name}.cpp" CONTENT "// Only the headers of @name@.\n" @ONLY)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL "${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PRIVATE ${arg_LINKS} mlarray_developer_options)
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
endfunction()

# mlarray_use_precompiled(NAME PROGRAM...): CMake compiles programs with -fPIE and libraries with
# -fPIC, and g++ takes no header from the one to the other, so neither is given here.
function(mlarray_use_precompiled name)
  foreach(program IN LISTS ARGN)
    target_precompile_headers(${program} REUSE_FROM ${name})
  endforeach()
  set_target_properties(${name} ${ARGN} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
endfunction()
