#!/usr/bin/env bash
# clang-tidy (.clang-tidy) over the C++ sources.
#   tools/tidy.sh [FILE...]
# Without files: all that the build with the tests compiles. Needs the set-up of make lint and
# GoogleTest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools/setup.sh cpp
quietly build/log/configure-plain.log "$bin/cmake" --preset plain -G Ninja \
  -DCMAKE_MAKE_PROGRAM="$bin/ninja"
if [ $# -eq 0 ]; then
  mapfile -t sources < <(git ls-files -- 'src/*.cpp' 'tests/cpp/*.cpp' ':!*_windows.cpp')
  set -- "${sources[@]}"
fi
say "clang-tidy over $# files"
printf '%s\0' "$@" | xargs -0 -n 1 -P "$jobs" "$bin/clang-tidy" -p build/plain --quiet
