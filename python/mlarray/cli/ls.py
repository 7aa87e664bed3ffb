"""``mlarray ls DIR``: a line per image."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from typing import Any

from .._display.text import lengths, numbers, size_text
from ..errors import MLArrayError, NotFoundError
from ._run import FAILURE, add_json, describe, printable
from ._summary import Summary, summarise

__all__ = ["add_arguments", "command", "images"]

DESCRIPTION = (
    "List the images of folders, one a line. A file that cannot be read is a line that says "
    "why, and the exit code is then 1."
)
EXAMPLES = """\
examples:
  mlarray ls                       the current folder
  mlarray ls -r dataset            with all folders below
  mlarray ls --json a.mla dataset  a list of objects
"""

_SUFFIXES = (".mla", ".b2nd")
_TITLES = ("name", "shape", "dtype", "spacing", "orientation", "size", "ratio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="DIR", nargs="*", default=["."], help="a folder or a file (default: .)"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="folders in folders too")
    add_json(parser, "print a list of objects as JSON; one that cannot be read has an 'error'")


def command(options: argparse.Namespace) -> int | None:
    entries: list[tuple[str, Summary | str]] = []
    for path in options.paths:
        for name in images(path, options.recursive):
            try:
                summary = summarise(name)
                entries.append((name, summary.error or summary))
            except (MLArrayError, OSError) as error:
                entries.append((name, describe(error)))
    if options.json:
        print(json.dumps([_object(name, entry) for name, entry in entries], indent=2))
    else:
        _print_table(entries)
    return FAILURE if any(isinstance(entry, str) for _, entry in entries) else None


def images(path: str, recursive: bool) -> Iterator[str]:
    """The path of each image, sorted; a file that is named is taken as it is."""
    if not os.path.isdir(path):
        if not os.path.lexists(path):
            raise NotFoundError(f"'{path}': no such file or folder", path=path)
        yield path
        return
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from images(entry.path, recursive)
        elif entry.name.endswith(_SUFFIXES):
            yield entry.path.removeprefix("." + os.sep)


def _object(name: str, entry: Summary | str) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"path": name, "error": entry}
    return {**entry.to_json(), "path": name}


def _print_table(entries: list[tuple[str, Summary | str]]) -> None:
    rows = [(name, _cells(entry)) for name, entry in entries]
    cells = [_TITLES, *((name, *row) for name, row in rows if row is not None)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(_TITLES))]
    widths[0] = max([widths[0], *(len(name) for name, _ in entries)])
    if entries:
        print(_line(_TITLES, widths))
    for (name, row), (_, entry) in zip(rows, entries, strict=True):
        text = (
            f"{name:<{widths[0]}}  error: {entry}"
            if row is None
            else _line((name, *row), widths)
        )
        print(printable(text))


def _cells(entry: Summary | str) -> tuple[str, ...] | None:
    if isinstance(entry, str):
        return None
    spacing = entry.geometry().get("spacing")
    return (
        lengths(entry.array["shape"]) if entry.has_array else "metadata only",
        entry.dtype if entry.has_array else "-",
        numbers(spacing) if spacing else "-",
        entry.orientation_text(),
        size_text(entry.array["file_bytes"]),
        f"{entry.ratio:.2f}" if entry.ratio else "-",
    )


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    left = [f"{cell:<{width}}" for cell, width in zip(cells[:-2], widths)]
    right = [f"{cell:>{width}}" for cell, width in zip(cells[-2:], widths[-2:])]
    return "  ".join([*left, *right])
