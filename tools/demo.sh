#!/usr/bin/env bash
# make demo: set up, then examples/python/demo.py on a real scan.
set -euo pipefail
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1
tools/setup.sh demo
exec build/venv/bin/python examples/python/demo.py --output demo-output
