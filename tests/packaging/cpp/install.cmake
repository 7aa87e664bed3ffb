# This build, installed and moved; used by find_package and by pkg-config.
include("${CMAKE_CURRENT_LIST_DIR}/functions.cmake")
install_and_move("${BUILD_DIR}" "${WORK_DIR}/prefix")
build_and_run_consumer("${WORK_DIR}/find_package" "-DCMAKE_PREFIX_PATH=${WORK_DIR}/prefix")
build_and_run_by_pkg_config("${WORK_DIR}/pkg_config" "${WORK_DIR}/prefix")
