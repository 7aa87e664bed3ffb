"""``mlarray ls DIR``: a line per image."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from .._display.text import lengths, numbers, size_text
from ..errors import MLArrayError, NotFoundError
from ._run import FAILURE, add_json, describe, printable
from ._summary import Summary, summarise
from ._table import table

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


def images(
    path: str, recursive: bool, refused: Callable[[OSError], None] | None = None
) -> Iterator[str]:
    """The path of each image, sorted; a file that is named is taken as it is.

    Parameters
    ----------
    path : str
        A file or folder.
    recursive : bool
        Folders in folders too.
    refused : callable, optional
        Called with the error of a folder that cannot be read, which is else raised.
    """
    if not os.path.isdir(path):
        if not os.path.lexists(path):
            raise NotFoundError(f"'{path}': no such file or folder", path=path)
        yield path
        return
    try:
        with os.scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        if refused is None:
            raise
        refused(error)
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from images(entry.path, recursive, refused)
        elif entry.name.endswith(_SUFFIXES):
            yield entry.path.removeprefix("." + os.sep)


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
