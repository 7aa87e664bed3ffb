"""Whether every source of the library compiles by itself.

The builds of the tests compile the sources of a folder together, so that one of them may use
what only another declares; who builds the library without that finds out. Each source is
parsed with the options, and the precompiled header, of the build that is given: a missing
header of the standard library is for the preset `plain` to find.

    python tools/check_alone.py build/default
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_INCLUDED = re.compile(r'^#include "(.+\.cpp)"$', re.MULTILINE)


def commands(build: Path) -> list[tuple[Path, list[str]]]:
    """Of each source of the library: where it is compiled, and how it is parsed alone."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        together = Path(entry["directory"], entry["file"])
        if "Unity" not in together.parts or not _is_ours(together, build):
            continue
        words = shlex.split(entry["command"])
        for source in _INCLUDED.findall(together.read_text()):
            found[source] = (Path(entry["directory"]), _parsing(words, source))
    return list(found.values())


def _is_ours(together: Path, build: Path) -> bool:
    return any(together.is_relative_to(build / folder) for folder in ("src", "bindings"))


def _parsing(words: list[str], source: str) -> list[str]:
    """The command `words`, which compiles some source, as one that only parses `source`."""
    kept = []
    rest = iter(words)
    for word in rest:
        if word in ("-o", "-c", "-MT", "-MF"):
            next(rest)
        elif word != "-MD":
            kept.append(word)
    return [*kept, "-fsyntax-only", source]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="folder of a build of sources together")
    every = commands(parser.parse_args().build.resolve())
    if not every:
        print("check_alone: this build compiles no sources together", file=sys.stderr)
        return 1
    with ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count() or 2)) as pool:
        said = list(
            pool.map(
                lambda one: subprocess.run(
                    one[1], cwd=one[0], capture_output=True, text=True, check=False
                ),
                every,
            )
        )
    faults = [run.stderr for run in said if run.returncode != 0]
    print(*faults, f"{len(every)} sources alone, {len(faults)} with errors", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
