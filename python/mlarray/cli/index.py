"""``mlarray index PATH...``: where the classes of label maps are, kept in their files."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .. import _core
from ._files import add_jobs, add_paths, errors_told, find_to_rewrite, for_each, shared_out
from ._packing import add_commit_level
from ._run import FAILURE, add_json

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Keep in label maps where their classes are. The voxels of each class are counted and some "
    "of their positions kept in the file, so that patches are drawn by class without reading "
    "the map. Voxels and metadata stay as they are; files that have the same index are "
    "skipped. An edit of voxels ends it. A file that fails is left as it was, and the others "
    "go on."
)
EXAMPLES = """\
examples:
  mlarray index labelsTr                  the label maps of a folder
  mlarray index -r -j 4 --joined 1,2,3 --joined 2,3 dataset    with regions, as nnU-Net's
  mlarray index --background none --json seg.mla
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    add_jobs(parser)
    parser.add_argument(
        "--positions",
        type=_not_negative,
        default=10_000,
        metavar="N",
        help="positions that are kept of one class, at most (default: 10000)",
    )
    parser.add_argument(
        "--background",
        type=_label_or_none,
        default=0,
        metavar="LABEL",
        help="the label of which only the count is kept, or none (default: 0)",
    )
    parser.add_argument(
        "--joined",
        type=_labels,
        action="append",
        default=[],
        metavar="A,B,...",
        help="a class of several labels, besides; may be given several times",
    )
    add_commit_level(parser)
    add_json(parser, "print what was done with each file as JSON")


def command(options: argparse.Namespace) -> int | None:
    files = find_to_rewrite(options.paths, options.recursive)
    at_once, threads = shared_out(options.jobs, files)
    how = _core.LabelIndexOptions(
        options.positions, options.background, options.joined, threads
    )
    level = _core.CommitLevel[getattr(options, "level", "ordered")]

    def one(path: str) -> list[bool]:  # a list: for_each tells errors by their type
        return [_core.build_label_index(path, how, level)]

    results = for_each(files, at_once, one, quiet=options.quiet)
    failed = errors_told(results)
    if options.json:
        print(json.dumps([_object(*item) for item in zip(files, results)], indent=2))
    else:
        written = sum(result == [True] for result in results)
        counts = {
            "indexed": written,
            "up to date": len(results) - written - failed,
            "failed": failed,
        }
        print(", ".join(f"{count} {what}" for what, count in counts.items() if count))
    return FAILURE if failed else None


def _object(path: str, result: list[bool] | str) -> dict[str, Any]:
    if isinstance(result, str):
        return {"path": path, "error": result}
    return {"path": path, "written": result[0]}


def _not_negative(text: str) -> int:
    count = int(text)
    if count < 0:
        raise ValueError(text)
    return count


def _label_or_none(text: str) -> int | None:
    return None if text == "none" else int(text)


def _labels(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


_not_negative.__name__ = "number"  # argparse says "invalid number value" by it
_label_or_none.__name__ = "label"
_labels.__name__ = "list of labels"
