#!/usr/bin/env bash
# Fuzzes the parsers for a while (fuzz/README.md).
#   tools/fuzz.sh MINUTES [TARGET...]
# Needs clang with its runtime. c-blosc2 and its codecs are built from source, instrumented.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
minutes=${1:?usage: tools/fuzz.sh MINUTES [TARGET...]}
command -v clang++ >/dev/null ||
  fail "clang++ was not found: apt-get install clang libclang-rt-14-dev"
tools/setup.sh build

say "building the fuzz targets"
sources=$("$bin/python" tools/blosc2_source.py)
export CC=clang CXX=clang++
quietly build/log/configure-fuzz.log "$bin/cmake" -S . -B build/fuzz -G Ninja \
  -DCMAKE_MAKE_PROGRAM="$bin/ninja" -DMLARRAY_BUILD_TESTS=OFF -DMLARRAY_FUZZING=ON \
  -DMLARRAY_SANITIZE=address,undefined -DMLARRAY_BLOSC2=fetch \
  -DFETCHCONTENT_SOURCE_DIR_BLOSC2="$sources"
quietly build/log/build-fuzz.log "$bin/cmake" --build build/fuzz -j "$jobs"

[ -d build/fuzz-corpus ] || "$bin/python" fuzz/make_seeds.py build/fuzz-corpus
say "fuzzing for $minutes minutes"
"$bin/python" fuzz/campaign.py run --build build/fuzz --jobs "$jobs" --minutes "$minutes" "${@:2}"
