#!/usr/bin/env bash
# make docs: set up, then the site in build/docs. A warning is an error.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools/setup.sh docs

say "reading the C++ headers"
mkdir -p build/doxygen
doxygen docs/Doxyfile

say "writing the pages"
"$bin/python" -m sphinx --jobs auto --fail-on-warning --keep-going --quiet \
  --doctree-dir build/doctrees docs build/docs
# Members of classes were once missing without a warning.
grep -q read_padded build/docs/api/cpp.html || fail "the C++ reference has no members of classes"
! grep -q 'Errors[a-z ]*:\*\*' build/docs/api/cpp.html || fail "bold text of the C++ reference shows its asterisks"
echo "build/docs/index.html, in $SECONDS s"
