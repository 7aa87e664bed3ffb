#!/usr/bin/env bash
# make docs: set up, then the site in build/docs. A warning is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1
start=$SECONDS
tools/setup.sh docs
bin=$PWD/build/venv/bin

echo "== reading the C++ headers"
mkdir -p build/doxygen
doxygen docs/Doxyfile

echo "== writing the pages"
"$bin/python" -m sphinx --jobs auto --fail-on-warning --keep-going --quiet \
  --doctree-dir build/doctrees docs build/docs
echo "build/docs/index.html, in $((SECONDS - start)) s"
