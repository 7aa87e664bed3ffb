"""Check that the files which settings, scripts and pages name are there.

A path counts when it begins with a folder of the clone, as in ``tests/python/test_modes.py``;
``*`` and ``.*`` stand for anything, and so does a word in capitals. What builds make is not
looked for.

    python tools/check_paths.py
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
READ = ["*.toml", "*.json", "*.yml", "*.yaml", "*.sh", "*.cmake", "*.md", "Makefile"]
READ += ["*CMakeLists.txt", ".ci/run"]
# Before a path: the words for the root of a clone, but no other folder.
BEFORE = r"(?:(?<![\w./$@}<>-])|(?<=\{project\}/)|(?<=\$\{PROJECT_SOURCE_DIR\}/))"


def tracked(*patterns: str) -> list[str]:
    """Return the files that git knows, new ones among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run([*command, *patterns], cwd=ROOT, capture_output=True, check=True)
    return sorted(set(listed.stdout.decode("utf-8").split("\0")) - {""})


def missing(text: str, files: list[str]) -> list[str]:
    """Return the paths that ``text`` names and that are neither files nor folders."""
    known = set(files)
    for file in files:
        known.update(folder.as_posix() for folder in Path(file).parents)
    tops = "|".join(sorted({re.escape(file.split("/")[0]) for file in files if "/" in file}))
    named = re.findall(rf"{BEFORE}((?:{tops})/[\w./*+-]*[\w*])", text)
    found = []
    for path in sorted({name.rstrip("/") for name in named}):
        pattern = re.sub(r"(?:\\\.)?\\\*|\b[A-Z]+\b", ".*", re.escape(path))
        if path not in known and not any(re.fullmatch(pattern, name) for name in known):
            found.append(path)
    return found


def main() -> int:
    """Print each path that is not there, and the file that names it."""
    files = [name for name in tracked() if (ROOT / name).exists()]
    status = 0
    for name in tracked(*READ):
        if name.startswith(("tests/data/", "fuzz/corpus/")) or name not in files:
            continue
        for path in missing((ROOT / name).read_text("utf-8"), files):
            print(f"{name} names {path}, which is not there", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
