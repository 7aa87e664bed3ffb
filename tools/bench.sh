#!/usr/bin/env bash
# make bench: set up, then benchmarks/bench.py; benchmarks/README.md.
# ONLY, RIVALS, VOLUMES (lists with commas), ROUNDS, SHAPE ("N N N"), PATCHES ("N ..."), MAX_MB,
# MAX_CHUNKS and OUTPUT of the environment are its options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools/setup.sh bench
build_programs bench-cpp mlarray_limit
options=(--limit-program build/bench-cpp/benchmarks/cpp/mlarray_limit)
[ -z "${ONLY:-}" ] || options+=(--only "$ONLY")
[ -z "${RIVALS:-}" ] || options+=(--rivals "$RIVALS")
[ -z "${VOLUMES:-}" ] || options+=(--volumes "$VOLUMES")
[ -z "${ROUNDS:-}" ] || options+=(--rounds "$ROUNDS")
[ -z "${MAX_MB:-}" ] || options+=(--max-mb "$MAX_MB")
[ -z "${MAX_CHUNKS:-}" ] || options+=(--max-chunks "$MAX_CHUNKS")
[ -z "${OUTPUT:-}" ] || options+=(--output "$OUTPUT")
# shellcheck disable=SC2206  # several words
[ -z "${PATCHES:-}" ] || options+=(--patches $PATCHES)
# shellcheck disable=SC2206
[ -z "${SHAPE:-}" ] || options+=(--shape $SHAPE)
exec "$bin/python" benchmarks/bench.py "${options[@]}"
