#!/usr/bin/env bash
# make test-training: the C++ tests of training, plain and with sanitizers, those of Python, then
# what needs PyTorch.
# make train-demo, nnunet-demo, bench-train: that alone. Its environments are made by
# tools/reference_env.py, which names the version of torch, and MLARRAY_TORCH_INDEX another index
# for it. The package of build/venv is linked into those that run it.
#   tools/training.sh test|demo|nnunet|bench
# For bench: ONLY (a list with commas), SECONDS_EACH and OUTPUT of the environment are its options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
what=${1:?usage: tools/training.sh test|demo|nnunet|bench}
declare -A needed=([test]=test [demo]=build [nnunet]=build [bench]=bench)
tools/setup.sh "${needed[$what]}"
status=0
if [ "$what" = test ]; then
  TESTS=training tools/cpp.sh default C++-training -DMLARRAY_TRAINING_TESTS=ON || status=1
  TESTS=training-asan tools/cpp.sh asan C++-training-sanitized -DMLARRAY_TRAINING=ON || status=1
  tools/python.sh Python-training "${training_tests[@]}" || status=1
fi
say "environments with PyTorch"
environments=(training)
if [ "$what" != demo ] && [[ $what != bench || ,${ONLY:-nnunet} == *,nnunet* ]]; then
  environments+=(nnunet)
fi
made=()
no_space=3  # of tools/reference_env.py
rm -f build/summary/skipped-*
for one in "${environments[@]}"; do
  made_or_not=0
  log=build/log/$one-env.log
  "$bin/python" tools/reference_env.py "$one" >"$log" 2>&1 || made_or_not=$?
  if [ "$made_or_not" -eq 0 ]; then
    made+=("$one")
  elif [ "$made_or_not" -eq "$no_space" ] && [ "$what" = test ] && [ -n "${CI:-}" ]; then
    # A small disk is no fault of the code: CI says so in its summary and goes on.
    echo "$one: tests skipped: $(tail -n 1 "$log")" | tee "build/summary/skipped-$one"
  else
    tail -n 60 "$log" >&2
    fail "there is no environment $one (the whole log: $log)"
  fi
done
training=build/venvs/training nnunet=build/venvs/nnunet
site() { "$1" -c 'import sysconfig; print(sysconfig.get_path("platlib"))'; }
for one in "${made[@]}"; do
  ln -sfn "$(site "$bin/python")/mlarray" "$(site "build/venvs/$one/bin/python")/mlarray"
done
# nilearn only for the scan that its wheel carries.
if [ "$what" != bench ] && [ -e "$training/bin" ] && [ ! -e "$training/.scan" ]; then
  quietly build/log/training-scan.log "$bin/python" -m pip --python "$training/bin/python" \
    install --no-deps 'nilearn>=0.10'
  touch "$training/.scan"
fi

if [ "$what" = test ]; then
  # Warnings of nnU-Net's own packages are no errors of ours.
  declare -A tests=([training]="tests/training --ignore tests/training/nnunet"
    [nnunet]="tests/training/nnunet -o filterwarnings=default")
  logs=()
  for one in "${made[@]}"; do
    log=build/log/pytest-$one.log
    logs+=("$log")
    # shellcheck disable=SC2086  # several words
    "build/venvs/$one/bin/python" -m pytest -q ${tests[$one]} 2>&1 | tee "$log" || status=1
  done
  count() {
    tail -qn 1 "${logs[@]}" /dev/null | grep -oE "[0-9]+ $1" | grep -oE '^[0-9]+' |
      awk '{ sum += $1 } END { print sum + 0 }'
  }
  report training "$(count passed)" $(($(count failed) + $(count error))) "$(count skipped)"
  printf '\n'
  say "summary"
  cat build/summary/{C++-training,C++-training-sanitized,Python-training,training}
  for one in "${environments[@]}"; do
    [ ! -e "build/summary/skipped-$one" ] || cat "build/summary/skipped-$one"
  done
  [ "$status" -eq 0 ] && echo "everything passed in $SECONDS s" || echo "FAILED after $SECONDS s"
  exit "$status"
fi
if [ "$what" = demo ]; then
  exec "$training/bin/python" examples/python/train_segmentation.py --output train-demo-output
fi
if [ "$what" = nnunet ]; then
  scan=$(cd examples/python && "../../$training/bin/python" -c \
    'import demo; print(demo.find_scan())')
  exec "$nnunet/bin/python" examples/python/nnunet/side_by_side.py --scan "$scan" \
    --output "${OUTPUT:-nnunet-demo-output}"
fi
options=()
[ -z "${ONLY:-}" ] || options+=(--only "$ONLY")
[ -z "${SECONDS_EACH:-}" ] || options+=(--seconds "$SECONDS_EACH")
[ -z "${OUTPUT:-}" ] || options+=(--output "$OUTPUT")
exec "$bin/python" benchmarks/train.py "${options[@]}"
