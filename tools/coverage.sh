#!/usr/bin/env bash
# make coverage: which lines the C++ tests reach in the C++ sources, and the Python tests in the
# Python package. A table by folder; pages in build/coverage-report.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
out=build/coverage-report
rm -rf "$out"
mkdir -p "$out/cpp" build/coverage-python

# Counts of an earlier run would be added to these.
[ ! -d build/coverage ] || find build/coverage -name '*.gcda' -delete
tools/cpp.sh coverage C++-coverage
say "reading the counts of the C++ tests"
quietly build/log/gcovr.log "$bin/gcovr" --root . --filter 'src/' --filter 'include/' -j "$jobs" \
  --exclude-throw-branches --json-summary "$out/cpp.json" --html-nested "$out/cpp/index.html" \
  build/coverage

say "running the Python tests"
"$bin/python" -m coverage erase
quietly build/log/pytest-coverage.log "$bin/python" -m coverage run -m pytest -q tests/python
"$bin/python" -m coverage combine --quiet
"$bin/python" -m coverage json --quiet -o "$out/python.json"
"$bin/python" -m coverage html --quiet -d "$out/python"

"$bin/python" tools/coverage_table.py "$out/cpp.json" "$out/python.json"
