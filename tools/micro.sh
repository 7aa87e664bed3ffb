#!/usr/bin/env bash
# make micro: the programs of benchmarks/cpp that need Google Benchmark.
#   tools/micro.sh [FILTER]
# FILTER is a regular expression: decode, scatter, open, commit.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools/setup.sh micro
build_programs bench-cpp mlarray_micro -DMLARRAY_BUILD_MICRO=ON
exec build/bench-cpp/benchmarks/cpp/mlarray_micro ${1:+"--benchmark_filter=$1"}
