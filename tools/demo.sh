#!/usr/bin/env bash
# make demo: set up, then examples/python/demo.py on a real scan.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
tools/setup.sh demo
exec "$bin/python" examples/python/demo.py --output demo-output
