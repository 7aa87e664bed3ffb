#!/usr/bin/env bash
# make test: set up, lint, the C++ tests plain and with sanitizers, every source alone,
# packaging, the Python tests, summary; the tests of training are those of make test-training.
# make check: what suits every edit, so no sanitizers, no packaging and no slow tests.
#   tools/test.sh all|check
# Every step runs, whatever the others say; only the set-up must succeed.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
what=${1:?usage: tools/test.sh all|check}
steps=build/log/steps failed=build/log/failed
rm -rf build/summary "$failed" "$steps"
mkdir -p build/log
touch "$failed" "$steps"

# step NAME COMMAND...
step() {
  local begin=$SECONDS
  printf '\n'
  say "[${SECONDS}s] $1"
  "${@:2}" || printf '%s\n' "$1" >>"$failed"
  printf '%s\n' "$1 $((SECONDS - begin)) s" >>"$steps"
}

# What the C++ tests are made of; make check leaves them out where they passed with all of it.
cpp_sources=(include src bindings tests/cpp examples/cpp benchmarks/cpp fuzz cmake CMakeLists.txt
  CMakePresets.json tools/cpp.sh)
passed=build/log/C++-passed

# The wheel that the set-up built is the one to check, unless Python was edited since.
check_packaging() {
  local wheel
  wheel=$(echo build/package/*.whl)
  if [ -e "$wheel" ] &&
    [ -z "$(find python "${package_sources[@]}" -newer "$wheel" -print -quit)" ]; then
    export MLARRAY_WHEEL=$PWD/$wheel
  fi
  tools/python.sh packaging tests/packaging
}

check_cpp() {
  if [ -e "$passed" ] && [ -z "$(find "${cpp_sources[@]}" -newer "$passed" -print -quit)" ]; then
    say "nothing of C++ has changed since its tests passed"
    return 0
  fi
  touch "$passed.begun"  # what is edited from now on is newer
  TESTS=check tools/cpp.sh default C++ -DMLARRAY_TRAINING_TESTS=ON && mv "$passed.begun" "$passed"
}

step set-up tools/setup.sh test
[ ! -s "$failed" ] || exit 1
if [ "$what" = all ]; then
  # Downloads and packaging keep less than one core busy, so they run beside the C++ tests.
  set -m
  {
    export CMAKE_BUILD_PARALLEL_LEVEL=1
    step reference-environments "$bin/python" tools/reference_env.py
    step packaging check_packaging
  } >build/log/beside.log 2>&1 &
  beside=$!
  set +m
  trap 'kill -- "-$beside" 2>/dev/null' EXIT
  step lint tools/lint.sh
  step C++ tools/cpp.sh default C++ -DMLARRAY_TRAINING_TESTS=OFF
  step sources-alone "$bin/python" tools/check_alone.py build/default
  step sanitizers tools/cpp.sh asan C++-sanitized -DMLARRAY_TRAINING=OFF
  wait "$beside"
  trap - EXIT
  cat build/log/beside.log
else
  step lint tools/lint.sh
  step C++ check_cpp
  step reference-environments "$bin/python" tools/reference_env.py
fi
if [ "$what" = all ]; then
  step Python tools/python.sh Python tests/python "${training_tests[@]/#/--ignore=}"
else
  step Python tools/python.sh Python -m 'not slow' tests/python
fi

printf '\n'
say "summary"
cat "$steps" build/summary/*
if [ -s "$failed" ]; then
  echo "FAILED after $SECONDS s: $(paste -s -d ' ' "$failed")"
  exit 1
fi
echo "everything passed in $SECONDS s"
