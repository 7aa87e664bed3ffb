"""``mlarray nnunet-convert FOLDER [OUT]``: preprocessed cases, faster to read."""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING

from .. import _core
from .._display.text import size_text
from ..errors import InvalidUseError
from ._files import add_jobs, errors_told, for_each, make_folder, shared_out
from ._packing import add_commit_level, patch_lengths
from ._run import FAILURE, add_json

if TYPE_CHECKING:
    from ..training.nnunet_folder import Converted

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Rewrite a folder that nnU-Net v2 has preprocessed, so that its patches are read faster. "
    "Voxels and names stay as they are, and nnU-Net reads the files as before; label maps hold "
    "where their classes are, so that no .pkl is read in training. Each new file is read back "
    "and compared before it takes its place. Cases that are converted are skipped. A case that "
    "fails is left as it was, and the others go on."
)
EXAMPLES = """\
examples:
  mlarray nnunet-convert nnUNet_preprocessed/Dataset001_X/nnUNetPlans_3d_fullres
  mlarray nnunet-convert -j 4 nnUNetPlans_3d_fullres faster    into another folder
  mlarray nnunet-convert --patch 96,160,160 --preset small nnUNetPlans_3d_fullres
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="of preprocessed cases")
    parser.add_argument(
        "out", metavar="OUT", nargs="?", help="the folder to write (default: FOLDER itself)"
    )
    add_jobs(parser)
    parser.add_argument(
        "--patch",
        type=patch_lengths,
        metavar="N[,N...]",
        help="voxels along each axis (default: as the plans have it)",
    )
    parser.add_argument(
        "--preset",
        choices=[preset.name for preset in _core.Preset],
        default="fast",
        help="what matters most (default: fast)",
    )
    parser.add_argument(
        "--again", action="store_true", help="convert, too, what was converted before"
    )
    add_commit_level(parser)
    add_json(parser, "print one report of all cases as JSON")


def command(options: argparse.Namespace) -> int | None:
    from ..training.nnunet_folder import convert_case, find_cases, workshop

    folder = find_cases(options.folder, options.out, options.patch)
    if options.out is not None:
        _refuse_other_files(options.out)
        make_folder(options.out)
        if os.path.samefile(options.folder, options.out):
            folder = folder._replace(target=folder.source)
    images = [os.path.join(folder.source, f"{name}.b2nd") for name in folder.names]
    at_once, threads = shared_out(options.jobs, images)

    with workshop(folder.target) as bench:

        def one(path: str) -> Converted:
            return convert_case(
                folder,
                os.path.basename(path)[: -len(".b2nd")],
                bench,
                preset=options.preset,
                level=getattr(options, "level", None),
                again=options.again,
                num_threads=threads,
            )

        results = for_each(images, at_once, one, quiet=options.quiet)
    failed = errors_told(results)
    if options.json:
        objects = [
            {"name": name, "error": result} if isinstance(result, str) else result._asdict()
            for name, result in zip(folder.names, results)
        ]
        print(json.dumps(objects, indent=2))
    else:
        _tell([result for result in results if not isinstance(result, str)], failed)
    return FAILURE if failed else None


def _refuse_other_files(out: str) -> None:
    """nnU-Net refuses a folder of preprocessed cases with other files in it."""
    if not os.path.isdir(out):
        return
    others = sorted(
        entry.name
        for entry in os.scandir(out)
        if entry.is_file() and not entry.name.endswith((".b2nd", ".pkl"))
    )
    if others:
        raise InvalidUseError(
            f"'{out}' has other files, such as {others[0]!r}, beside which nnU-Net reads no "
            f"preprocessed cases; name another folder"
        )


def _tell(done: list[Converted], failed: int) -> None:
    written = [one for one in done if one.written]
    counts = {
        "converted": len(written),
        "converted before": len(done) - len(written),
        "failed": failed,
    }
    line = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if written:
        before = sum(one.bytes_before for one in written)
        after = sum(one.bytes_after for one in written)
        line += f"; {size_text(before)} -> {size_text(after)}"
    print(line)
