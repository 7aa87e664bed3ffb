#!/usr/bin/env bash
# Looks for lost states (tests/soak/README.md): the fault campaign with other seeds, real kills,
# and power cuts under real file systems, a third of the time each.
#   tools/soak.sh MINUTES
#   tools/soak.sh proof     breaks the library on purpose: all of it must be found
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
minutes=${1:?usage: tools/soak.sh MINUTES|proof}
tools/setup.sh soak
build_programs default test_fault
fault=build/default/tests/cpp/fault

if [ "$minutes" = proof ]; then
  "$fault/test_fault" --gtest_brief=1 --gtest_filter='*Mutant*'
  build_programs default _core_mutants
  exec "$bin/python" tests/soak/proof.py "$fault"/_core.*so
fi

log=build/log/soak
mkdir -p "$log"
third=$("$bin/python" -c 'import sys; print(round(float(sys.argv[1]) / 3, 2))' "$minutes")
status=0
# part NAME COMMAND...: shows and keeps what it prints; its last line is its summary.
part() {
  say "$1, for $third minutes"
  "${@:2}" 2>&1 | tee "$log/$1" || status=1
}
seed=$((RANDOM * 32768 + RANDOM + 3))
say "faults: MLARRAY_FAULT_SEED=$seed"
part faults env MLARRAY_FAULT_SEED="$seed" MLARRAY_FAULT_MINUTES="$third" \
  "$fault/test_fault" --gtest_brief=1 --gtest_filter='Fault.*'
part kills "$bin/python" tests/soak/kills.py --minutes "$third"
part cuts "$bin/python" tests/soak/cuts.py --minutes "$third"

echo
for name in faults kills cuts; do
  echo "$name: $(grep ': lost [0-9]' "$log/$name" || echo "no result")"
done
grep 'not cut here' "$log/cuts" || true
[ "$status" -eq 0 ] || fail "something is lost or wrong; see above and $log"
