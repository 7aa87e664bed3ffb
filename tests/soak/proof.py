"""Break the library on purpose: kills and cuts must find it.

    python tests/soak/proof.py EXTENSION [--minutes 1]

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


def caught(part: str, mutant: str, package: Path, minutes: float) -> bool:
    """Run a part of the campaign with a mutant and say what it found."""
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
    *_, line = done.stdout.splitlines() or [""]
    seconds = time.monotonic() - begun
    numbers = re.search(r": lost (\d+), wrong (\d+)$", line)
    found = done.returncode == 1 and numbers is not None and numbers.groups() != ("0", "0")
    word = "found" if found else "SURVIVES"
    print(f"{mutant}: {word} in {seconds:.0f} s: {line or done.stdout}", flush=True)
    if found:
        example = next(one for one in done.stdout.splitlines() if one[:5] in ("lost ", "wrong"))
        print(f"  {re.sub(r' [(]--again.*', '', example)[:200]}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("extension", type=Path)
    parser.add_argument("--minutes", type=float, default=1.0, metavar="N")
    parser.add_argument("--only", help="one mutant")
    options = parser.parse_args()
    number = 0
    wanted = [one for one in MUTANTS if options.only in (None, one[1])]
    with tempfile.TemporaryDirectory(prefix="mlarray-soak-") as folder:
        package = Path(folder)
        source = Path(mlarray.__file__).parent
        shutil.copytree(source, package / "mlarray", ignore=shutil.ignore_patterns("_core*.so"))
        shutil.copy(options.extension, package / "mlarray")
        for part, mutant in wanted:
            number += caught(part, mutant, package, options.minutes)
    print(f"proof: mutants {len(wanted)}: found {number}")
    return 0 if number == len(wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
