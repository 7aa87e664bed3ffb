#!/usr/bin/env bash
# make compare BASE=COMMIT [HEAD=COMMIT]: both built, each in an environment of its own, and
# timed in turns by benchmarks/compare_commits.py. Without HEAD: what is in this folder.
# ONLY, VOLUMES, ROUNDS and SHAPE of the environment are its options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
base=${1:-} head=${2:-}
[ -n "$base" ] || fail "name the commit to compare with: make compare BASE=main [HEAD=COMMIT]"
tools/setup.sh bench

# python_of COMMIT: the interpreter of an environment with that commit's package; built once.
python_of() {
  local commit folder
  commit=$(git rev-parse --verify --quiet "$1^{commit}") || fail "'$1' is no commit"
  folder=$PWD/build/compare/$commit
  if [ ! -f "$folder/built" ]; then
    say "building $1 ($commit)" >&2
    rm -rf "$folder"
    git worktree prune
    git worktree add --quiet --detach "$folder/source" "$commit" >&2
    "$bin/python" -m venv "$folder/venv"
    local -a needs
    mapfile -t needs < <("$bin/python" tools/requirements.py build-system build)
    quietly "build/log/compare-pip.log" "$folder/venv/bin/python" -m pip install "${needs[@]}"
    quietly "build/log/compare-$commit.log" "$folder/venv/bin/python" -m pip install \
      --no-build-isolation --no-deps "$folder/source"
    git worktree remove --force "$folder/source"
    touch "$folder/built"
  fi
  printf '%s\n' "$folder/venv/bin/python"
}

options=()
[ -z "${ONLY:-}" ] || options+=(--only "$ONLY")
[ -z "${VOLUMES:-}" ] || options+=(--volumes "$VOLUMES")
[ -z "${ROUNDS:-}" ] || options+=(--rounds "$ROUNDS")
# shellcheck disable=SC2206  # three words
[ -z "${SHAPE:-}" ] || options+=(--shape $SHAPE)
base_python=$(python_of "$base")
head_python=$bin/python
[ -z "$head" ] || head_python=$(python_of "$head")
exec "$bin/python" benchmarks/compare_commits.py "${options[@]}" \
  --base "$base" "$base_python" --head "${head:-this folder}" "$head_python"
