"""Time mlarray side by side with the reference and with other libraries, and write a report.

make bench                                   everything
make bench ONLY=patch,open ROUNDS=30         some of it
build/venv/bin/python benchmarks/bench.py --help
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from harness import machine, report, rivals
from harness.driver import Rival
from harness.session import Bench
from harness.tasks import PATCHES, TASKS
from harness.volumes import KINDS, SHAPE, make_volumes

ROOT = Path(__file__).resolve().parent.parent


def _list(known: tuple[str, ...]) -> type:
    class Names(argparse.Action):
        """A comma-separated list of known names."""

        def __call__(self, parser, namespace, values, option_string=None) -> None:  # type: ignore[no-untyped-def]
            names = [name for name in values.split(",") if name]
            for name in names:
                if name not in known:
                    parser.error(f"{option_string}: {name} is not one of {', '.join(known)}")
            setattr(namespace, self.dest, tuple(names) or known)

    return Names


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        action=_list(tuple(TASKS)),
        default=tuple(TASKS),
        metavar="NAME,...",
        help=f"some of {', '.join(TASKS)}",
    )
    parser.add_argument(
        "--rivals",
        action=_list(tuple(rivals.ALL)),
        default=tuple(rivals.ALL),
        metavar="NAME,...",
        help=f"some of {', '.join(rivals.ALL)}",
    )
    parser.add_argument(
        "--volumes",
        action=_list(KINDS),
        default=KINDS,
        metavar="NAME,...",
        help="some of the volumes",
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="samples of a cell (default: 15)"
    )
    parser.add_argument(
        "--patches",
        type=int,
        nargs="+",
        default=PATCHES,
        metavar="N",
        help=f"sides of the patches of the task patch (default: {PATCHES})",
    )
    parser.add_argument(
        "--shape", type=int, nargs=3, default=SHAPE, metavar="N", help="of the volumes"
    )
    parser.add_argument(
        "--max-mb",
        type=int,
        default=256,
        metavar="N",
        help="the largest of the volumes that grow; 4096 takes some minutes (default: 256)",
    )
    parser.add_argument(
        "--max-chunks",
        type=int,
        default=100_000,
        metavar="N",
        help="the most chunks that are filled one by one (default: 100000)",
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "bench", help="where the report goes"
    )
    parser.add_argument(
        "--limit-program", type=Path, help="build/bench-cpp/benchmarks/mlarray_limit"
    )
    return parser


def versus(
    libraries: list[Rival],
    skipped: list[str],
    options: argparse.Namespace,
    called: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Run the tasks and return what the report is made of."""
    work = options.output / "work"
    paths, source = make_volumes(work, tuple(options.shape), options.volumes)
    facts = machine.facts()
    before = machine.load()
    bench = Bench(
        libraries,
        work,
        paths,
        rounds=options.rounds,
        patches=options.patches,
        most_megabytes=options.max_mb,
        most_chunks=options.max_chunks,
        limit_program=options.limit_program,
        called=called,
    )
    started = time.monotonic()
    for why in skipped:
        bench.skip(why)
    try:
        bench.start()
        for name in options.only:
            TASKS[name](bench)
    finally:
        bench.end()
        # Of the volumes, which take a while to make, nothing is removed.
        for file in work.iterdir():
            if file not in paths.values() and file.suffix not in (".json",):
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    facts["load"] = (
        f"{before:.1f} before, {machine.load():.1f} after; the run itself makes 1 to 2"
    )
    facts["seconds"] = f"{time.monotonic() - started:.0f}"
    return {
        "machine": facts,
        "versions": bench.versions,
        "source": source,
        "shape": " x ".join(map(str, options.shape)),
        "cells": [cell._asdict() for cell in bench.cells],
        "skipped": bench.skipped,
    }


def main() -> int:
    options = arguments().parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    libraries, skipped = rivals.find(list(options.rivals))
    result = versus(libraries, skipped, options)
    path = report.write(result, options.output)
    print(path.read_text().split("\n![")[0])
    print(f"the report: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
