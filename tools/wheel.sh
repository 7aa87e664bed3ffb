#!/usr/bin/env bash
# make wheel: source archive, a wheel built from it alone, repair, all checks, all Python tests
# against the installed wheel. What passed lies in dist/.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
python=${PYTHON:-python3}
work=$PWD/build/wheel
bin=$work/tools/bin
# requirements NAME...: what pyproject.toml says, for pip.
requirements() { "$bin/python" tools/requirements.py "$@" >"$work/requirements.txt"; }
rm -rf "$work" && mkdir -p "$work" dist

say "tools of the build ($("$python" --version))"
"$python" -m venv "$work/tools"
requirements wheel test
"$bin/pip" install --quiet -r "$work/requirements.txt"

say "source archive, and the wheel from it in an environment of its own"
quietly build/log/wheel-build.log "$bin/python" -m build --outdir "$work/built" .
sdist=$(echo "$work"/built/*.tar.gz)

say "repair: the oldest Linux that it runs on, and nothing copied in"
PATH=$bin:$PATH quietly build/log/wheel-repair.log \
  "$bin/auditwheel" repair --wheel-dir "$work/repaired" "$work"/built/*.whl
wheel=$(echo "$work"/repaired/*.whl)

say "checks of files and metadata"
"$bin/twine" check --strict "$sdist" "$wheel"
"$bin/check-wheel-contents" "$wheel"
case $wheel in *abi3*) "$bin/abi3audit" --strict "$wheel" ;; esac
"$bin/python" tools/check_wheel.py "$wheel"

say "in an empty environment: NumPy alone comes with it, the quick start runs"
MLARRAY_SDIST=$sdist MLARRAY_WHEEL=$wheel "$bin/python" -m pytest -q tests/packaging

say "all Python tests against the installed wheel"
"$python" -m venv "$work/tested"
requirements test plots
"$work/tested/bin/pip" install --quiet "${wheel}[convert,dask,xarray]" -r "$work/requirements.txt"
"$work/tested/bin/python" tools/reference_env.py
"$work/tested/bin/python" -m pytest -q -n "$jobs" --dist loadfile tests/python

cp "$sdist" "$wheel" dist/
say "dist: $(basename "$sdist"), $(basename "$wheel")"
