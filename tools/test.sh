#!/usr/bin/env bash
# make test: set up, lint, the C++ tests plain and with sanitizers, packaging, the Python
# tests, summary. Every step runs, whatever the others say; only the set-up must succeed.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
rm -rf build/summary
failed=() seconds=()

# step NAME COMMAND...
step() {
  local begin=$SECONDS
  printf '\n'
  say "[${SECONDS}s] $1"
  "${@:2}" || failed+=("$1")
  seconds+=("$1 $((SECONDS - begin)) s")
}

step set-up tools/setup.sh test
[ "${#failed[@]}" -eq 0 ] || exit 1
step lint tools/lint.sh
step C++ tools/cpp.sh default C++
step sanitizers tools/cpp.sh asan C++-sanitized
step reference-environments "$bin/python" tools/reference_env.py
step Python tools/python.sh Python tests/python
step packaging tools/python.sh packaging tests/packaging

printf '\n'
say "summary"
printf '%s\n' "${seconds[@]}"
cat build/summary/*
if [ "${#failed[@]}" -gt 0 ]; then
  echo "FAILED after $SECONDS s: ${failed[*]}"
  exit 1
fi
echo "everything passed in $SECONDS s"
