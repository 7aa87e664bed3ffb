# A shared library, built as a part of the consumer by FetchContent; then installed from there,
# moved, and used by find_package and by pkg-config. Without training where its tests are left out.
include("${CMAKE_CURRENT_LIST_DIR}/functions.cmake")
build_and_run_consumer("${WORK_DIR}/fetch_content" -DHOW=fetch_content
  "-DMLARRAY_SOURCE=${SOURCE_DIR}" "-DMLARRAY_BLOSC2_WHEEL_DIR=${BLOSC2_DIR}"
  -DBUILD_SHARED_LIBS=ON -DMLARRAY_INSTALL=ON -DMLARRAY_QUICK_BUILD=ON
  -DMLARRAY_TRAINING=${TRAINING})
install_and_move("${WORK_DIR}/fetch_content" "${WORK_DIR}/prefix")
check_symbols("${WORK_DIR}/prefix")
build_and_run_consumer("${WORK_DIR}/find_package" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix")
build_and_run_by_pkg_config("${WORK_DIR}/pkg_config" "${WORK_DIR}/prefix")
