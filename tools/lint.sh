#!/usr/bin/env bash
# Format, lint and types of everything that is not built. Runs every check, names those that
# fail. The slow one, clang-tidy, is tools/tidy.sh.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
failed=()
check() { "${@:2}" || failed+=("$1"); }
# files PATTERN...: tracked files, new ones among them.
files() { git ls-files -z --cached --others --exclude-standard --deduplicate -- "$@"; }

check clang-format xargs -0 "$bin/clang-format" --dry-run --Werror < <(files '*.cpp' '*.hpp')
check ruff "$bin/ruff" check --quiet .
check ruff-format "$bin/ruff" format --quiet --check .
check mypy "$bin/mypy" --package mlarray
check mypy-tools xargs -0 "$bin/mypy" --no-error-summary < <(files 'tools/*.py')
check mypy-benchmarks env MYPYPATH=benchmarks xargs -0 "$bin/mypy" --no-error-summary \
  --ignore-missing-imports < <(files 'benchmarks/*.py')
check mypy-soak env MYPYPATH=tests/soak xargs -0 "$bin/mypy" --no-error-summary \
  < <(files 'tests/soak/*.py')
check paths "$bin/python" tools/check_paths.py
check layers "$bin/python" tools/check_layers.py
check picture-of-layers "$bin/python" tools/draw_layers.py --check
check codespell xargs -0 "$bin/codespell" < <(files ':!tests/*/data' ':!tests/data' ':!fuzz/corpus' ':!licenses')
check shellcheck xargs -0 "$bin/shellcheck" < <(files 'tools/*.sh' .ci/run)
check issue-forms "$bin/check-jsonschema" --quiet --builtin-schema vendor.github-issue-forms \
  .github/ISSUE_TEMPLATE/bug.yml
check workflows xargs -0 "$bin/check-jsonschema" --quiet --builtin-schema \
  vendor.github-workflows < <(files '.github/workflows/*.yml')
check pre-commit "$bin/pre-commit" validate-config
check zizmor "$bin/zizmor" --offline --quiet .github/workflows

if [ "${#failed[@]}" -gt 0 ]; then
  echo "lint: failed: ${failed[*]} (make format puts formats right)" >&2
  exit 1
fi
echo "lint: clean"
