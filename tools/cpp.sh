#!/usr/bin/env bash
# Builds the C++ tests of a preset of CMakePresets.json and runs them.
#   tools/cpp.sh PRESET NAME [CMAKE-OPTION...]
# NAME is how the summary calls them. TESTS chooses another of the build and test presets.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
usage='usage: tools/cpp.sh PRESET NAME [CMAKE-OPTION...]'
preset=${1:?$usage} name=${2:?$usage}
tests=${TESTS:-$preset}
log=build/log/ctest-$tests.log
rm -f "build/summary/$name"

say "building the C++ tests ($tests)"
quietly "build/log/configure-$preset.log" "$bin/cmake" --preset "$preset" \
  -DCMAKE_MAKE_PROGRAM="$bin/ninja" "${@:3}"
quietly "build/log/build-$tests.log" "$bin/cmake" --build --preset "$tests" -j "$jobs"

say "running the C++ tests ($tests)"
status=0
"$bin/ctest" --preset "$tests" -j "$jobs" >"$log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
  grep -vE '^ *(Start +[0-9]+:|[0-9]+/[0-9]+ Test .* Passed )' "$log" | tail -n 200
fi
# CMake 4 leaves "0 tests failed" out where all passed.
read -r failed all < <(sed -nE \
  -e 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of ([0-9]+)$/\1 \2/p' \
  -e 's/^100% tests passed out of ([0-9]+)$/0 \1/p' "$log"; echo 0 0)
report "$name" $((all - failed)) "$failed"
exit "$status"
