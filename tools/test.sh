#!/usr/bin/env bash
# make test: set up, build, lint, C++ tests, Python tests, summary.
set -uo pipefail
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1
start=$SECONDS
say() { printf '== [%ss] %s\n' "$((SECONDS - start))" "$*"; }
bin=$PWD/build/venv/bin
jobs=$(nproc 2>/dev/null || echo 2)
failed=()

say "set-up (system packages, build/venv, the package)"
tools/setup.sh test || exit 1

say "lint and types"
tools/lint.sh || failed+=(lint)

say "environments of the reference and of python-blosc2"
"$bin/python" tools/reference_env.py || failed+=(reference-environments)

say "building the C++ tests"
blosc2=$("$bin/python" -c 'import importlib.util as u; print(u.find_spec("blosc2").submodule_search_locations[0])')
if "$bin/cmake" -S . -B build/cpp -G Ninja -DCMAKE_MAKE_PROGRAM="$bin/ninja" \
     -DMLARRAY_BLOSC2_WHEEL_DIR="$blosc2" >build/cpp-configure.log 2>&1 &&
   "$bin/cmake" --build build/cpp -j "$jobs" >build/cpp-build.log 2>&1; then
  say "C++ tests"
  "$bin/ctest" --test-dir build/cpp -j "$jobs" --output-on-failure --timeout 300 \
    >build/ctest.log 2>&1 || failed+=(ctest)
  if [[ " ${failed[*]-} " == *" ctest "* ]]; then
    grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' build/ctest.log | tail -n 200
  fi
  grep -E '^[0-9]+% tests passed' build/ctest.log
else
  tail -n 60 build/cpp-configure.log build/cpp-build.log 2>/dev/null
  failed+=(C++-build)
fi

say "Python tests"
"$bin/python" -m pytest -n "$jobs" --dist loadfile -q tests/python 2>&1 | tee build/pytest.log
[ "${PIPESTATUS[0]}" -eq 0 ] || failed+=(pytest)

# CMake 4 leaves "0 tests failed" out.
cpp=$(sed -nE -e 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' \
  -e 's/^100% tests passed out of ([0-9]+)$/0 \1/p' build/ctest.log 2>/dev/null | tail -n 1)
count() { grep -oE "[0-9]+ $1" build/pytest.log | tail -n 1 | grep -oE '^[0-9]+' || echo 0; }
cpp_failed=${cpp%% *} cpp_all=${cpp##* }
echo
say "summary"
echo "C++:    $((${cpp_all:-0} - ${cpp_failed:-0})) passed, ${cpp_failed:-0} failed"
echo "Python: $(count passed) passed, $(count failed) failed, $(count skipped) skipped"
if [ "${#failed[@]}" -gt 0 ]; then
  echo "FAILED after $((SECONDS - start)) s: ${failed[*]}"
  exit 1
fi
echo "everything passed in $((SECONDS - start)) s"
