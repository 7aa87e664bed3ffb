# Sourced by the scripts beside it: they run in the root of the clone, see only its own Python
# packages, and speak alike.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
venv=$PWD/build/venv
# shellcheck disable=SC2034  # read by the scripts
bin=$venv/bin
# shellcheck disable=SC2034  # read by the scripts
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}

# What the extension is made of. Python's own files are not: see link_package in setup.sh.
# shellcheck disable=SC2034
package_sources=(include src bindings cmake CMakeLists.txt pyproject.toml tools/setup.sh)

# Python's tests of training that need NumPy alone: make test-training runs them, not make test.
# shellcheck disable=SC2034
training_tests=(tests/python/training tests/python/test_augment.py)

say() { printf '== %s\n' "$*"; }
fail() {
  printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: shows the end of its output where it fails.
quietly() {
  local log=$1
  mkdir -p "$(dirname "$log")"
  "${@:2}" >"$log" 2>&1 && return 0
  tail -n 60 "$log" >&2
  printf '%s: failed: %s (the whole log: %s)\n' "$(basename "$0" .sh)" "${*:2}" "$log" >&2
  return 1
}

# report NAME PASSED FAILED [SKIPPED]: a line of the summary of make test.
report() {
  mkdir -p build/summary
  local line="$1: $2 passed, $3 failed"
  [ $# -lt 4 ] || line+=", $4 skipped"
  printf '%s\n' "$line" | tee "build/summary/$1"
}

# build_programs PRESET TARGET [CMAKE-OPTION...]: of CMakePresets.json.
build_programs() {
  say "building $2"
  quietly "build/log/configure-$1.log" "$bin/cmake" --preset "$1" \
    -DCMAKE_MAKE_PROGRAM="$bin/ninja" "${@:3}"
  quietly "build/log/build-$1.log" "$bin/cmake" --build --preset "$1" -j "$jobs" --target "$2"
}
