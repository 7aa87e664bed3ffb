#!/usr/bin/env bash
# Sets up what a target needs: packages of the system, build/venv, this package in it.
#   tools/setup.sh build|lint|cpp|test|soak|coverage|bench|micro|demo|docs
# Nothing is installed twice. Packages of the system are installed where we may (root, or sudo
# without a password), else named in one line. PYTHON chooses the interpreter.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What each target adds to Python's packages: names that tools/requirements.py knows.
needs_package=1 needs_gtest='' needs_benchmark='' needs_doxygen=''
case ${1:-} in
  build) groups=() ;;
  lint) groups=(convert xarray lint plots) ;;
  cpp) groups=() needs_package='' needs_gtest=1 ;;
  test) groups=(convert dask xarray lint test plots) needs_gtest=1 ;;
  soak) groups=() needs_gtest=1 ;;
  coverage) groups=(convert dask xarray test plots coverage) needs_gtest=1 ;;
  bench) groups=(convert plots) ;;
  micro) groups=() needs_package='' needs_benchmark=1 ;;
  demo) groups=(convert plots) ;;
  docs) groups=(convert docs) needs_doxygen=1 ;;
  *) fail "usage: tools/setup.sh build|lint|cpp|test|soak|coverage|bench|micro|demo|docs" ;;
esac

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

has_header() { printf '#include <%s>\n' "$1" | c++ -x c++ -E - >/dev/null 2>&1; }

missing_packages() {
  if ! command -v c++ >/dev/null; then
    printf '%s\n' g++ zlib1g-dev libxxhash-dev ${needs_gtest:+libgtest-dev} \
      ${needs_benchmark:+libbenchmark-dev}
  else
    has_header zlib.h || echo zlib1g-dev
    has_header xxhash.h || echo libxxhash-dev
    [ -z "$needs_gtest" ] || has_header gtest/gtest.h || echo libgtest-dev
    [ -z "$needs_benchmark" ] || has_header benchmark/benchmark.h || echo libbenchmark-dev
  fi
  [ -z "$needs_gtest" ] || command -v pkg-config >/dev/null || echo pkg-config
  [ -z "$needs_doxygen" ] || command -v doxygen >/dev/null || echo doxygen
  local python
  if ! python=$(find_python); then
    [ -n "${PYTHON:-}" ] || printf '%s\n' python3 python3-venv python3-dev
    return 0
  fi
  "$python" - <<'END'
import importlib.util
import os
import sys
import sysconfig

name = "python{}.{}".format(*sys.version_info)
if not all(map(importlib.util.find_spec, ["ensurepip", "venv"])):
    print(name + "-venv")
if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
    print(name + "-dev")
END
}

install_packages() {
  local -a wanted as_root=()
  mapfile -t wanted < <(missing_packages)
  [ "${#wanted[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null ||
    fail "missing system packages, by their names in Debian: ${wanted[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "missing system packages; run: sudo apt-get install ${wanted[*]}"
    fi
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q)
  say "installing system packages: ${wanted[*]}"
  quietly build/log/apt-update.log "${as_root[@]}" update
  quietly build/log/apt-install.log "${as_root[@]}" install -y --no-install-recommends \
    "${wanted[@]}"
}

# An environment of another interpreter, or of a clone that was moved, is made anew.
make_venv() {
  local python made
  python=$(find_python) ||
    fail "Python 3.10 or later is needed; set PYTHON to its path${PYTHON:+ (now: $PYTHON)}"
  made="$("$python" --version) for $venv"
  if ! "$bin/python" -c '' 2>/dev/null ||
    [ "$(cat "$venv/.made" 2>/dev/null || echo "$made")" != "$made" ]; then
    say "making build/venv with $("$python" --version)"
    rm -rf "$venv"
    rm -f build/*/CMakeCache.txt  # what CMake found out about the other one
    "$python" -m venv "$venv"
  fi
  printf '%s\n' "$made" >"$venv/.made"
}

# pip_install NAME PACKAGE...: once for each set of packages.
pip_install() {
  local stamp="$venv/.installed-$1" packages="${*:2}"
  [ "$(cat "$stamp" 2>/dev/null)" != "$packages" ] || return 0
  say "installing Python packages: $packages"
  quietly "build/log/pip-$1.log" "$bin/python" -m pip install --no-compile "${@:2}"
  printf '%s\n' "$packages" >"$stamp"
}

# install_groups GROUP...: what tools/requirements.py says of each.
install_groups() {
  local group list
  local -a packages
  for group in "$@"; do
    list=$("$bin/python" tools/requirements.py "$group")
    [ -n "$list" ] || continue
    mapfile -t packages <<<"$list"
    pip_install "$group" "${packages[@]}"
  done
}

built=$venv/.built

# Whether it has to be built: a folder is newer where a file was added or removed.
package_is_old() {
  [ ! -e "$built" ] || [ -n "$(find "${package_sources[@]}" -newer "$built" -print -quit)" ]
}

build_package() {
  rm -rf build/package
  # In the tree of the C++ tests where they can be built too: the library is compiled once.
  if has_header gtest/gtest.h; then
    export SKBUILD_BUILD_DIR=build/default SKBUILD_BUILD_TARGETS='_core;_core_stub'
    export SKBUILD_CMAKE_DEFINE='MLARRAY_BUILD_TESTS=ON;MLARRAY_BUILD_BENCHMARKS=ON'
  fi
  quietly build/log/package.log "$bin/python" -m pip wheel --no-build-isolation --no-deps \
    --wheel-dir build/package .
}

# Links from the installed package to the sources, so that an edit of Python needs no build.
link_package() {
  local package file
  package=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/mlarray
  find "$package" \( -name '*.py' -o -name __init__.pyi \) -delete
  while IFS= read -r file; do
    mkdir -p "$package/$(dirname "$file")"
    ln -s "$PWD/python/mlarray/$file" "$package/$file"
  done < <(cd python/mlarray && find . -name '*.py' -o -name '*.pyi' | cut -c 3-)
}

install_packages
make_venv
# The needs of the build are installed as well, so that it wants no environment of its own.
install_groups build-system build
building=''
if [ -n "$needs_package" ] && package_is_old; then
  say "building the package"
  touch "$venv/.building"  # what is edited from now on is newer
  build_package &
  building=$!
  trap 'kill "$building" 2>/dev/null' EXIT
fi
# Downloads, while the compiler works.
install_groups "${groups[@]}"
# nilearn only for the scan that its wheel carries.
case $1 in
  demo | bench) pip_install demo-scan --no-deps 'nilearn>=0.10' ;;
esac

if [ -n "$building" ]; then
  wait "$building"
  trap - EXIT
  quietly build/log/package-install.log "$bin/python" -m pip install --no-deps --force-reinstall \
    build/package/*.whl
  mv "$venv/.building" "$built"
fi
[ -z "$needs_package" ] || link_package
