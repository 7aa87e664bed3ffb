#!/usr/bin/env bash
# Runs Python tests against the installed package.
#   tools/python.sh NAME PATH...
# NAME is how the summary calls them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
name=${1:?usage: tools/python.sh NAME PATH...}
log=build/log/pytest-$name.log
rm -f "build/summary/$name"
mkdir -p build/log
status=0
"$bin/python" -m pytest -n "$jobs" --dist loadfile -q "${@:2}" 2>&1 | tee "$log" || status=$?
count() { tail -n 1 "$log" | grep -oE "[0-9]+ $1" | grep -oE '^[0-9]+' || echo 0; }
errors=$(count error)
report "$name" "$(count passed)" $(($(count failed) + errors)) "$(count skipped)"
exit "$status"
