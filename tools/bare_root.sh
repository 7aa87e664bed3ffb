#!/usr/bin/env bash
# make bare-root: what users of a bare Debian meet. Makes one (debootstrap, about 300 MB) that has
# Python and pip only, installs the wheel of `make wheel` there and runs the quick start and a part
# of the tests; then installs README's list of system packages and builds from a copy of the
# clone. Needs to be root, debootstrap, a network, and a dist/ that `make wheel` filled with the
# Python of Debian 12: PYTHON=python3.11 make wheel
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
root=${MLARRAY_BARE_ROOT:-/tmp/mlarray-bare-root}
[ "$(id -u)" -eq 0 ] || fail "a root folder can be made by root only"
command -v debootstrap >/dev/null || fail "missing: apt-get install debootstrap"
wheel=$(find dist -name 'mlarray-*-cp311-cp311-manylinux*.whl' 2>/dev/null | sort | tail -n 1)
[ -n "$wheel" ] || fail "no wheel for Python 3.11 in dist/: run PYTHON=python3.11 make wheel"
packages=$(sed -nE 's/^ +sudo apt-get install (.*python3-dev.*)$/\1/p' README.md)
[ -n "$packages" ] || fail "README.md does not say what to install"

# A chroot, not a container: it shares network, processes and kernel with this system.
within() {
  chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore DEBIAN_FRONTEND=noninteractive bash -euc "$1"
}

if [ ! -x "$root/usr/bin/python3" ]; then
  say "making $root"
  debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates \
    bookworm "$root" >"$root.log" 2>&1 || { tail "$root.log" >&2; exit 1; }
fi
# Names and certificates are those of this system: it may reach the network by a mirror.
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
if within 'command -v c++' >/dev/null; then
  fail "$root has a compiler, from an earlier run: remove it"
fi
rm -rf "$root/root/try" && mkdir -p "$root/root/try/clone"
cp "$wheel" "$root/root/try/"
git archive HEAD | tar x -C "$root/root/try/clone"
# shellcheck disable=SC2016  # backquotes of Markdown
sed -n '/^```python$/,/^```$/{/^```/!p;}' README.md >"$root/root/try/quick_start.py"

say "the wheel, in an environment that has pip only"
within 'cd /root/try && python3 -m venv wheel && wheel/bin/pip install -q ./*.whl &&
  wheel/bin/pip list && wheel/bin/python quick_start.py && wheel/bin/mlarray header ct.mla >ct.json'
say "a part of the tests against it"
within 'cd /root/try && wheel/bin/pip install -q hypothesis pytest pytest-timeout nibabel &&
  cd clone && ../wheel/bin/python -m pytest -q -p no:cacheprovider \
    tests/python/test_array.py tests/python/test_modes.py tests/python/test_golden.py \
    tests/python/test_indexing.py tests/python/test_crash.py tests/python/test_threads_fork.py'
say "from the sources, with README's packages: $packages"
within "apt-get -q update >/dev/null && apt-get -q install -y --no-install-recommends $packages \
  >/root/try/apt.log 2>&1 || { tail /root/try/apt.log; exit 1; }
  cd /root/try && python3 -m venv source && source/bin/pip install -q ./clone &&
  source/bin/pip list && source/bin/python quick_start.py"
say "passed; $root can be removed"
