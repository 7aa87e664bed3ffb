#!/usr/bin/env bash
# Sets up what a target needs: system packages, build/venv, the package installed into it.
#   tools/setup.sh build | test | demo | docs
# Nothing is installed twice. Packages of the system are installed where we may (root, or sudo
# without a password), else named in one line.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: tools/setup.sh build|test|demo|docs}
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '== %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

has_header() { printf '#include <%s>\n' "$1" | c++ -x c++ -E - >/dev/null 2>&1; }

missing_packages() {
  command -v c++ >/dev/null || echo g++
  command -v make >/dev/null || echo make
  if ! command -v c++ >/dev/null || ! has_header zlib.h; then echo zlib1g-dev; fi
  if ! command -v c++ >/dev/null || ! has_header xxhash.h; then echo libxxhash-dev; fi
  if [ "$target" = test ]; then
    if ! command -v c++ >/dev/null || ! has_header gtest/gtest.h; then echo libgtest-dev; fi
  fi
  if [ "$target" = docs ]; then command -v doxygen >/dev/null || echo doxygen; fi
  local python
  if python=$(find_python); then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
      || echo python3-dev
  else
    printf '%s\n' python3 python3-venv python3-dev
  fi
}

install_packages() {
  local -a wanted as_root=()
  mapfile -t wanted < <(missing_packages)
  [ "${#wanted[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "missing system packages; run: sudo apt-get install ${wanted[*]}"
    fi
  fi
  command -v apt-get >/dev/null || fail "missing: ${wanted[*]} (names of Debian's packages)"
  say "installing system packages: ${wanted[*]}"
  local log=build/setup-apt.log
  mkdir -p build
  if ! { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
         "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
           --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "could not install ${wanted[*]} (the whole log: $log)"
  fi
}

# pip_install STAMP PACKAGE...: once for each set of packages.
pip_install() {
  local stamp="build/venv/.installed-$1" list="${*:2}"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$list" ] && return 0
  say "installing Python packages: $list"
  build/venv/bin/python -m pip install --quiet "${@:2}"
  printf '%s' "$list" >"$stamp"
}

install_packages
python=$(find_python) || fail "Python 3.10 or later is needed; set PYTHON to its path"
if ! build/venv/bin/python -c '' 2>/dev/null; then
  say "making build/venv with $("$python" --version)"
  mkdir -p build
  rm -rf build/venv
  "$python" -m venv build/venv
fi

# The build's own needs, so that the package is built here without an environment of its own.
pip_install build 'scikit-build-core>=0.11' 'nanobind>=2.4' 'blosc2>=4.0' 'numpy>=1.26' \
  'cmake>=3.21' 'ninja>=1.11'
case $target in
  test)
    pip_install test 'hypothesis>=6.100' 'nibabel>=5.2' 'pytest>=8.0' 'pytest-timeout>=2.3' \
      'pytest-xdist>=3.5' 'mypy>=1.11' 'ruff>=0.9'
    ;;
  demo)
    pip_install demo 'nibabel>=5.2'
    # Only for the scan that its wheel carries.
    pip_install demo-scan --no-deps 'nilearn>=0.10'
    ;;
  docs)
    pip_install docs 'breathe>=4.36' 'furo>=2024.8' 'myst-parser>=4.0' 'sphinx>=8.1'
    ;;
  build) pip_install lint 'mypy>=1.11' 'ruff>=0.9' ;;
esac

say "building the package"
log=build/setup-package.log
if ! build/venv/bin/python -m pip install --no-build-isolation --no-deps --force-reinstall \
    . >"$log" 2>&1; then
  tail -n 60 "$log" >&2
  fail "the package does not build (the whole log: $log)"
fi
