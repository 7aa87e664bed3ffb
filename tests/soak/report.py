"""What both campaigns share: their options, what a failure leaves, their last line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

ENOUGH = 5  # findings, after which a campaign ends
_ROOT = Path(__file__).parents[2]
_FACTS = "facts.json"


class Options(NamedTuple):
    minutes: float
    seed: int
    keep: Path
    again: Path | None


def options(documentation: str | None, arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(description=(documentation or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, metavar="N")
    parser.add_argument("--seed", type=int, help="default: another one each time")
    kept = _ROOT / "build" / "soak"
    parser.add_argument("--keep", type=Path, default=kept, help="folder for what failed")
    parser.add_argument("--again", type=Path, metavar="FOLDER", help="look at that once more")
    got = parser.parse_args(arguments)
    seed = int.from_bytes(os.urandom(4), "little") if got.seed is None else got.seed
    return Options(got.minutes, seed, got.keep, got.again)


def keep(folder: Path, files: Iterable[Path], facts: dict[str, Any]) -> None:
    """Copy the files to a new folder, and write down what is known of them."""
    # Temporary files of the dead are removed by every writer of the folder.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(file, folder / file.name)
    (folder / _FACTS).write_text(json.dumps(facts))


def facts_of(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / _FACTS).read_text())
    return facts


def conclude(what: str, count: int, found: list[str]) -> int:
    """Print what was found and the line that counts it; the exit status."""
    for text in found:
        print(text)
    lost, wrong = (sum(text.startswith(word) for text in found) for word in ("lost", "wrong"))
    print(f"{what} {count}: lost {lost}, wrong {wrong}", flush=True)
    return 1 if found else 0
