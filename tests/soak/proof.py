"""Break the library on purpose: kills and cuts must find it.

    python tests/soak/proof.py EXTENSION [--minutes 3]

The extension is the one of the build target `_core_mutants`. Of each mutant
(tests/cpp/fault/mutant_test.cpp has them all) the campaign has some minutes to find it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlarray

MUTANTS = (
    ("kills", "flip_before_tail"),
    ("kills", "dead_tail_kept"),
    ("kills", "leftovers_stay"),
    ("cuts", "no_sync_before_flip"),
    ("cuts", "sync_after_flip"),
    ("cuts", "no_sync_after_flip"),
    ("cuts", "no_sync_before_rename"),
    ("cuts", "rename_before_sync"),
    ("cuts", "no_folder_sync"),
)


def look_for(part: str, mutant: str, package: Path, minutes: float) -> str:
    """Run a part of the campaign with a mutant; what became of it."""
    begun = time.monotonic()
    script = Path(__file__).with_name(f"{part}.py")
    kept = ["--keep", str(package / "kept")]
    done = subprocess.run(
        [sys.executable, str(script), "--minutes", str(minutes), *kept],
        env={**os.environ, "PYTHONPATH": str(package), "MLARRAY_MUTANT": mutant},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # how writers end on files that a mutant has damaged
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    lines = done.stdout.splitlines()
    counts = re.search(r" (\d+): lost (\d+), wrong (\d+)$", lines[-1] if lines else "")
    tried, *found = map(int, counts.groups()) if counts else (-1, 0)
    word = "not tried" if tried == 0 else "found" if any(found) else "SURVIVES"
    print(f"{mutant}: {word} in {seconds:.0f} s: {lines[-1] if lines else 'no result'}")
    for line in lines:
        if "not cut here" in line or line.startswith(("lost ", "wrong")):
            print(f"  {re.sub(r' [(]--again.*', '', line)[:200]}")
            break
    sys.stdout.flush()
    return word


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("extension", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0, metavar="N")
    parser.add_argument("--only", help="one mutant")
    options = parser.parse_args()
    words = []
    wanted = [one for one in MUTANTS if options.only in (None, one[1])]
    with tempfile.TemporaryDirectory(prefix="mlarray-soak-") as folder:
        package = Path(folder)
        source = Path(mlarray.__file__).parent
        shutil.copytree(source, package / "mlarray", ignore=shutil.ignore_patterns("_core*.so"))
        shutil.copy(options.extension, package / "mlarray")
        for part, mutant in wanted:
            words.append(look_for(part, mutant, package, options.minutes))
    found, not_tried = words.count("found"), words.count("not tried")
    print(f"proof: mutants {len(words)}: found {found}, not tried {not_tried}")
    return 0 if found + not_tried == len(words) else 1


if __name__ == "__main__":
    sys.exit(main())
