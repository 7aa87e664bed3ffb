"""``mlarray tune PATH... --patch N``: which preset and layout suit these files here."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._display.text import lengths
from ..convert._model import import_package
from ._files import add_paths, find_to_rewrite
from ._packing import add_commit_level, save_options
from ._progress import Progress
from ._run import FAILURE, add_json, printable
from ._table import table
from ._tradeoff import Point, draw, names, on_the_edge
from .repack import as_objects, rewrite, tell

if TYPE_CHECKING:
    from ..tools.tune import Tuning

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Measure which preset and layout suit these files, this machine and patches of a size. "
    "Parts of some of the files are saved in every way to a temporary folder, and patches are "
    "read from all of them in turns. Nothing is changed, unless --apply rewrites the files "
    "with the best, as mlarray repack does."
)
EXAMPLES = """\
examples:
  mlarray tune --patch 128 dataset
  mlarray tune --patch 96 --goal balanced --svg tradeoff.svg ct.mla
  mlarray tune -r --patch 128 --apply dataset
"""

_NUMBERS = ("size", "patches/s", "MB/s saved")
_TITLES = ("", "preset", "layout", *_NUMBERS, "chunks; blocks")
_ACROSS, _UP = "size of the files, now = 1", "patches per second"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument(
        "--patch",
        type=_patch,
        required=True,
        metavar="N",
        help="side of the patches that will be read, in voxels",
    )
    parser.add_argument(
        "--goal",
        choices=["fast", "balanced", "small"],
        default="fast",
        help="what is best: most patches per second, most per second and byte, or the fewest "
        "bytes (default: fast)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="how long patches are read (default: 10)",
    )
    parser.add_argument("--apply", action="store_true", help="rewrite the files with the best")
    add_commit_level(parser)
    parser.add_argument(
        "--svg", metavar="FILE", help="draw the trade-off into a file (needs matplotlib)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser, "print all measurements as JSON")


def _patch(text: str) -> int:
    side = int(text)
    if side < 1:
        raise ValueError(text)
    return side


_patch.__name__ = "patch size"  # argparse says "invalid patch size value" by it


def command(options: argparse.Namespace) -> int | None:
    from ..tools.tune import tune

    files = find_to_rewrite(options.paths, options.recursive)
    if options.svg:
        import_package("matplotlib", "--svg", "plot")  # before the time is spent
    with Progress(1, 1000, options.quiet) as progress:
        tuning = tune(
            files,
            options.patch,
            goal=options.goal,
            seconds=options.seconds,
            progress=lambda share: progress.show(int(1000 * share), "trying"),
        )
    points = [
        Point(c.size, c.patches_per_second, f"{c.preset}, {c.layout}") for c in tuning.choices
    ]
    if options.svg:
        draw(points, f"Patches of {options.patch}", _ACROSS, _UP, options.svg)
    if not options.json:
        for line in _lines(tuning, points, options.goal):
            print(printable(line), flush=True)
    reports: list[Any] = []
    if options.apply:
        how = {**tuning.best.options, **save_options(options)}
        reports = rewrite(files, how, 1, options.quiet)
    errors = tell(files, reports, as_json=options.json)
    if options.json:
        print(json.dumps(_report(tuning, files, reports), indent=2))
    return FAILURE if errors else None


def _lines(tuning: Tuning, points: list[Point], goal: str) -> Iterator[str]:
    tried = f"{len(tuning.files)} file{'s'[: len(tuning.files) != 1]}"
    yield f"patches of {tuning.patch_size}, from parts of {tried}"
    yield ""
    rows = [
        [
            f"{name}{'*' if best else ''}",
            choice.preset,
            choice.layout,
            f"{choice.size:.3f}",
            f"{choice.patches_per_second:.0f}",
            f"{choice.megabytes_saved_per_second:.0f}",
            f"{lengths(choice.chunks)}; {lengths(choice.blocks)}",
        ]
        for name, choice, best in zip(
            names(len(points)), tuning.choices, on_the_edge(points), strict=True
        )
    ]
    yield from table(_TITLES, rows, _NUMBERS)
    yield ""
    yield "size: of the files, now = 1; * no other is both smaller and faster"
    yield f"best ({goal}): {tuning.best.preset}, {tuning.best.layout}"


def _report(tuning: Tuning, files: list[str], reports: list[Any]) -> dict[str, Any]:
    return {
        "patch_size": tuning.patch_size,
        "files": list(tuning.files),
        "choices": [choice._asdict() for choice in tuning.choices],
        "best": tuning.best._asdict(),
        "applied": as_objects(files, reports),
    }
