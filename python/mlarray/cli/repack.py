"""``mlarray repack PATH...``: the same images, cut and compressed in another way."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._display.text import lengths, size_text
from ..errors import InvalidUseError
from ._files import add_jobs, add_paths, errors_told, find_to_rewrite, for_each, shared_out
from ._packing import add_commit_level, add_packing, save_options
from ._run import FAILURE, add_json, printable

if TYPE_CHECKING:
    from ..tools.repack import Repacked

__all__ = ["add_arguments", "as_objects", "command", "rewrite", "tell"]

DESCRIPTION = (
    "Rewrite .mla files with another preset or layout. Voxels and metadata stay as they are: "
    "each new file is written beside the old one, read back and compared with it, voxel by "
    "voxel, and then renamed over it. A file that fails is left as it was, and the others go "
    "on. Files of the reference get checksums."
)
EXAMPLES = """\
examples:
  mlarray repack --preset small archive/ct.mla
  mlarray repack -r -j 4 --preset fast --patch 128 dataset    for patches of 128^3
  mlarray repack --codec zstd --level 9 --json ct.mla
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    add_jobs(parser)
    add_packing(parser, "what the file was made for")
    add_commit_level(parser)
    add_json(parser, "print one report of all files as JSON")


def command(options: argparse.Namespace) -> int | None:
    files = find_to_rewrite(options.paths, options.recursive)
    how = save_options(options)
    if "preset" in how and "cparams" in how:
        raise InvalidUseError(
            "--preset cannot be given with --codec and --level; leave one out"
        )
    reports = rewrite(files, how, options.jobs, options.quiet)
    if options.json:
        print(json.dumps(as_objects(files, reports), indent=2))
    return FAILURE if tell(files, reports, as_json=options.json) else None


def rewrite(
    files: Sequence[str], how: dict[str, Any], jobs: int, quiet: bool
) -> list[Repacked | str]:
    """Repack files, `jobs` at once; the text of an error for one that failed."""
    at_once, threads = shared_out(jobs, files)

    def one(path: str) -> Repacked:
        from ..tools.repack import repack

        return repack(path, num_threads=threads, **how)

    return for_each(files, at_once, one, quiet=quiet)


def tell(files: Sequence[str], reports: Sequence[Repacked | str], *, as_json: bool) -> int:
    """Errors to stderr, and unless they are printed as JSON, a line of each file.

    Returns
    -------
    int
        How many failed.
    """
    failed = errors_told(reports)
    for report in reports:
        if not as_json and not isinstance(report, str):
            print(printable(_line(report)))
    if failed and len(files) > 1:
        print(f"mlarray: {failed} of {len(files)} files failed", file=sys.stderr)
    return failed


def as_objects(files: Sequence[str], reports: Sequence[Repacked | str]) -> list[dict[str, Any]]:
    """For JSON: what was done, or the error of a path."""
    return [
        {"path": path, "error": report} if isinstance(report, str) else report._asdict()
        for path, report in zip(files, reports)
    ]


def _line(report: Repacked) -> str:
    sizes = f"{size_text(report.bytes_before)} -> {size_text(report.bytes_after)}"
    change = 100 * (report.bytes_after / report.bytes_before - 1)
    layout = f"chunks {lengths(report.chunks)}, blocks {lengths(report.blocks)}"
    return f"{report.path}: {sizes} ({change:+.0f} %), {layout}"
