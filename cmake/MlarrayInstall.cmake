# cmake --install: library, headers, CMake package, pkg-config file, licences. The prefix may be
# moved afterwards. A static library takes c-blosc2's archive along, in a folder of its own, so
# that nothing of the build is needed to link it; a shared one has it inside.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/mlarray")

if(BUILD_SHARED_LIBS)
  set(MLARRAY_IS_STATIC OFF)
else()
  set(MLARRAY_IS_STATIC ON)
  if(TARGET mlarray_blosc2)
    set(blosc2_file "${CMAKE_STATIC_LIBRARY_PREFIX}mlarray_blosc2${CMAKE_STATIC_LIBRARY_SUFFIX}")
    install(FILES "$<TARGET_FILE:mlarray_blosc2>" RENAME "${blosc2_file}"
      DESTINATION "${CMAKE_INSTALL_LIBDIR}/mlarray" COMPONENT development)
  else()
    install(CODE "message(FATAL_ERROR \"mlarray: a static library is installed only with the \
c-blosc2 of the blosc2 Python package (MLARRAY_BLOSC2=wheel), which brings its codecs. \
Configure with it, or with BUILD_SHARED_LIBS=ON\")" COMPONENT development)
  endif()
endif()

install(TARGETS mlarray EXPORT mlarrayTargets
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT runtime
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT runtime
    NAMELINK_COMPONENT development
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/mlarray"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(EXPORT mlarrayTargets NAMESPACE mlarray:: DESTINATION "${package_dir}"
  COMPONENT development)

configure_package_config_file(cmake/mlarrayConfig.cmake.in
  "${PROJECT_BINARY_DIR}/mlarrayConfig.cmake" INSTALL_DESTINATION "${package_dir}"
  PATH_VARS CMAKE_INSTALL_LIBDIR)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/mlarrayConfigVersion.cmake"
  COMPATIBILITY SameMajorVersion)
install(FILES "${PROJECT_BINARY_DIR}/mlarrayConfig.cmake"
    "${PROJECT_BINARY_DIR}/mlarrayConfigVersion.cmake"
  DESTINATION "${package_dir}" COMPONENT development)

# pkg-config has no word for "this package is static", so what a static library needs is stated
# where it is always used.
file(RELATIVE_PATH pc_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
if(MLARRAY_IS_STATIC)
  set(pc_libs "-lmlarray \${libdir}/mlarray/${blosc2_file} ${CMAKE_THREAD_LIBS_INIT}")
  foreach(library IN LISTS CMAKE_DL_LIBS)
    string(APPEND pc_libs " -l${library}")
  endforeach()
  string(APPEND pc_libs " -lm")
  set(pc_requires "zlib")
  set(pc_cflags "")
else()
  set(pc_libs "-lmlarray")
  set(pc_requires "")
  set(pc_cflags "-DMLARRAY_SHARED")
endif()
configure_file(cmake/mlarray.pc.in "${PROJECT_BINARY_DIR}/mlarray.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/mlarray.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)

install(FILES LICENSE NOTICES.md DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
install(DIRECTORY licenses DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT runtime)
