"""``mlarray ls DIR``: a line per image."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .._display.text import lengths, numbers, size_text
from ..errors import MLArrayError
from ._files import images
from ._run import FAILURE, add_json, describe, printable
from ._summary import Summary, summarise
from ._table import table

__all__ = ["add_arguments", "command"]

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

_TITLES = ("name", "shape", "dtype", "spacing", "orientation", "size", "ratio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="DIR", nargs="*", default=["."], help="a folder or a file (default: .)"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="folders in folders too")
    add_json(parser, "print a list of objects as JSON; one that cannot be read has an 'error'")


def command(options: argparse.Namespace) -> int | None:
    entries: list[tuple[str, Summary | str]] = []

    def refused(error: OSError) -> None:
        entries.append((str(error.filename), describe(error)))

    for path in options.paths:
        for name in images(path, options.recursive, refused):
            try:
                summary = summarise(name)
                entries.append((name, summary.error or summary))
            except (MLArrayError, OSError) as error:
                entries.append((name, describe(error)))
    if options.json:
        print(json.dumps([_object(name, entry) for name, entry in entries], indent=2))
    elif entries:
        for line in table(_TITLES, [_row(*entry) for entry in entries], ("size", "ratio")):
            print(printable(line))
    return FAILURE if any(isinstance(entry, str) for _, entry in entries) else None


def _object(name: str, entry: Summary | str) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"path": name, "error": entry}
    return {**entry.to_json(), "path": name}


def _row(name: str, entry: Summary | str) -> list[str]:
    if isinstance(entry, str):
        return [name, f"error: {entry}"]
    geometry = entry.geometry
    return [
        name,
        lengths(entry.array["shape"]) if entry.has_array else "metadata only",
        entry.dtype if entry.has_array else "-",
        numbers(geometry.spacing) if geometry else "-",
        (geometry and geometry.orientation_text) or "-",
        size_text(entry.array["file_bytes"]),
        f"{entry.ratio:.2f}" if entry.ratio else "-",
    ]
