#!/usr/bin/env bash
# Format, lint and types of the Python sources.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/venv/bin
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy" --package mlarray
