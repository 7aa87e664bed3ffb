#!/usr/bin/env bash
# Puts sources into the project's format.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
"$bin/ruff" check --fix .
"$bin/ruff" format .
git ls-files -z -- '*.cpp' '*.hpp' | xargs -0 "$bin/clang-format" -i
