"""``mlarray convert IN OUT``: another format's file becomes a ``.mla``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from ._run import run

__all__ = ["add_arguments", "cli_convert_to_mlarray", "command", "convert_to_mlarray", "main"]

DESCRIPTION = (
    "Convert a NIfTI file (.nii, .nii.gz) to .mla. Voxels keep their order and type, every "
    "voxel keeps its position, and the whole header is kept under 'source'."
)


# An option that was not given leaves no trace: None is a patch size too.
_ABSENT = argparse.SUPPRESS


def convert_to_mlarray(
    load_filepath: str | os.PathLike[str],
    save_filepath: str | os.PathLike[str],
    **save_options: Any,
) -> None:
    """Convert a file to ``.mla``; see `mlarray.convert.convert`."""
    from ..convert import convert

    convert(load_filepath, save_filepath, **save_options)


def _lengths(text: str) -> int | tuple[int, ...]:
    parts = [int(part) for part in text.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _patch(text: str) -> str | int | tuple[int, ...] | None:
    if text == "default":
        return text
    return None if text == "none" else _lengths(text)


# argparse says "invalid NAME value" by these.
_lengths.__name__ = "length"
_patch.__name__ = "patch size"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("load_filepath", metavar="IN", help="a .nii or .nii.gz file")
    parser.add_argument(
        "save_filepath", metavar="OUT", help="the .mla file to write; an older one is replaced"
    )
    layout = parser.add_argument_group("layout and compression", argument_default=_ABSENT)
    layout.add_argument(
        "--patch-size",
        type=_patch,
        metavar="N[,N...]",
        help="patch that reads are expected to take, one length or one per spatial axis; "
        "'none' for a layout in memory order (default: 192)",
    )
    layout.add_argument(
        "--chunk-size", type=_lengths, metavar="N,N,...", help="give it with --block-size"
    )
    layout.add_argument("--block-size", type=_lengths, metavar="N,N,...")
    layout.add_argument("--codec", choices=["blosclz", "lz4", "lz4hc", "zlib", "zstd"])
    layout.add_argument(
        "--level",
        type=int,
        choices=range(10),
        dest="clevel",
        metavar="0-9",
        help="higher is smaller and slower",
    )


def command(options: argparse.Namespace) -> None:
    # Only what was given is passed on: the rest is chosen in one place, MLArray.save.
    given = vars(options)
    save_options: dict[str, Any] = {
        name: given[name]
        for name in ("patch_size", "chunk_size", "block_size")
        if name in given
    }
    cparams = {key: given[key] for key in ("codec", "clevel") if key in given}
    if cparams:
        save_options["cparams"] = cparams
    convert_to_mlarray(options.load_filepath, options.save_filepath, **save_options)


def main(arguments: Sequence[str] | None = None) -> int:
    """The program ``mlarray_convert``."""
    parser = argparse.ArgumentParser(prog="mlarray_convert", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser, arguments, command)


def cli_convert_to_mlarray() -> None:
    """The program ``mlarray_convert`` under its older name: exits instead of returning."""
    raise SystemExit(main())
