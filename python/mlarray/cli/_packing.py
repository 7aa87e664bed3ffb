"""The options of layout, compression and commits, for all commands that write files."""

from __future__ import annotations

import argparse
from typing import Any

from .. import _core

__all__ = ["add_commit_level", "add_packing", "patch", "patch_lengths", "save_options"]

# An option that was not given leaves no trace: None is a patch size too.
_ABSENT = argparse.SUPPRESS


def add_packing(parser: argparse.ArgumentParser, default_patch: str = "192") -> None:
    """Add the options; `default_patch` is what the help says of it."""
    layout = parser.add_argument_group("layout and compression", argument_default=_ABSENT)
    layout.add_argument(
        "--patch-size",
        "--patch",
        type=patch,
        metavar="N[,N...]",
        help="patch that reads are expected to take, one length or one per spatial axis; "
        f"'none' for a layout in memory order (default: {default_patch})",
    )
    layout.add_argument(
        "--chunk-size", type=_lengths, metavar="N,N,...", help="give it with --block-size"
    )
    layout.add_argument("--block-size", type=_lengths, metavar="N,N,...")
    layout.add_argument(
        "--preset",
        choices=[preset.name for preset in _core.Preset],
        help="what matters most, instead of --codec and --level (default: fast)",
    )
    layout.add_argument("--codec", choices=list(_core.codec_numbers()))
    layout.add_argument(
        "--level",
        type=int,
        choices=range(10),
        dest="clevel",
        metavar="0-9",
        help="higher is smaller and slower",
    )


def add_commit_level(parser: argparse.ArgumentParser) -> None:
    """Add what a power cut may do to files that are written; --level is that of compression."""
    parser.add_argument(
        "--commit-level",
        choices=[level.name for level in _core.CommitLevel],
        default=_ABSENT,
        dest="level",
        help="after a power cut each file may be lost (none), is the old or the new one "
        "(ordered, the default), or is the new one once it was reported (durable)",
    )


def save_options(options: argparse.Namespace) -> dict[str, Any]:
    """What was given of them, as arguments of `MLArray.save`, which chooses the rest."""
    given = vars(options)
    names = ("patch_size", "chunk_size", "block_size", "preset", "level", "label_index")
    result: dict[str, Any] = {name: given[name] for name in names if name in given}
    cparams = {key: given[key] for key in ("codec", "clevel") if key in given}
    if cparams:
        result["cparams"] = cparams
    return result


def _lengths(text: str) -> int | tuple[int, ...]:
    parts = [int(part) for part in text.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def patch(text: str) -> str | int | tuple[int, ...] | None:
    """A patch size on the command line."""
    if text == "default":
        return text
    return None if text == "none" else _lengths(text)


def patch_lengths(text: str) -> int | tuple[int, ...]:
    """The lengths of patches that are read: 1 or more."""
    lengths = _lengths(text)
    if min(lengths if isinstance(lengths, tuple) else (lengths,)) < 1:
        raise ValueError(text)
    return lengths


# argparse says "invalid NAME value" by these.
_lengths.__name__ = "length"
patch.__name__ = patch_lengths.__name__ = "patch size"
