#!/usr/bin/env bash
# Puts sources into the project's format.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/venv/bin
"$bin/ruff" check --fix .
"$bin/ruff" format .
