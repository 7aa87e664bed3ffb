"""``mlarray header FILE``: what a file says of itself, as JSON.

Only the header, the chunk index and the trailer are read: no voxel is decoded and NumPy is
not imported, so that it takes as long for 10 GB as for 10 MB.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any

from .. import _core
from ._parser import Parser
from ._run import add_json, run

__all__ = [
    "add_arguments",
    "array_facts",
    "cli_print_header",
    "command",
    "main",
    "metadata_tree",
    "print_header",
    "read_header",
]

DESCRIPTION = "Print the metadata of a .mla or .b2nd file as JSON, without reading voxels."
EXAMPLES = """\
examples:
  mlarray header ct.mla
  mlarray header ct.mla | jq .source
"""


def read_header(filepath: str | os.PathLike[str]) -> dict[str, Any]:
    """What a file says of itself.

    Parameters
    ----------
    filepath : path
        A ``.mla`` or ``.b2nd`` file.

    Returns
    -------
    dict
        The metadata, one entry per section (None where the whole section is unset), and
        under ``"array"`` what the container says: shape, dtype, chunks, blocks, codec,
        the length of the file in bytes, and whether the seal was there and right. Values
        are those of JSON: bytes are ``{"__bytes__": base64}``, an object of an unknown class
        ``{"__class__": name, "__state__": [...]}``.

    Raises
    ------
    NotFoundError, FileAccessError, CorruptionError, UnsupportedError
        Naming the file.
    """
    array = _core.Array.open(os.fspath(filepath))
    try:
        header = metadata_tree(array.metadata())
        header["array"] = array_facts(array)
    finally:
        array.close()
    return header


def metadata_tree(metadata: _core.Metadata) -> dict[str, Any]:
    """One entry per section, None where the whole section is unset."""
    # The core's JSON is defined for every value that a file can hold: keys that are no
    # strings, bytes, integers of any size.
    tree = json.loads(metadata.to_json(include_none=True))
    single = {section.name for section in _core.metadata_sections() if section.single}
    return {name: _section(value, name in single) for name, value in tree.items()}


def print_header(filepath: str | os.PathLike[str]) -> None:
    """Print what a file says of itself, as indented JSON with sorted keys."""
    print(json.dumps(read_header(filepath), indent=2, sort_keys=True))


def _section(value: Any, single: bool) -> Any:
    """The value itself for a section of one value; None for a section that says nothing."""
    if not isinstance(value, dict):
        return value
    if single and len(value) == 1:
        (value,) = value.values()
        return None if value == {} else value
    return None if all(item is None for item in value.values()) else value


def array_facts(array: _core.Array) -> dict[str, Any]:
    """What the container says."""
    codec = array.codec
    return {
        "shape": list(array.shape),
        "dtype": array.dtype,
        "itemsize": array.itemsize,
        "chunks": list(array.chunks),
        "blocks": list(array.blocks),
        "codec": {
            "name": codec.codec_name,
            "level": codec.level,
            "filters": [code for code in codec.filters if code != 0],
        },
        "file_bytes": array.file_bytes,
        "sealed": array.sealed,
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filepath", metavar="FILE", help="a .mla or .b2nd file")
    add_json(parser, "the output is JSON anyway; accepted because every command has it")


def command(options: argparse.Namespace) -> None:
    print_header(options.filepath)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program ``mlarray_header``."""
    parser = Parser(prog="mlarray_header", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser, arguments, command)


def cli_print_header() -> None:
    """The program ``mlarray_header`` under its older name: exits instead of returning."""
    raise SystemExit(main())
