"""``mlarray convert IN OUT``: files of other formats become ``.mla``, and back."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from .._display.text import lengths, size_text
from ..convert import Report, convert
from ._files import at_least_one, make_folder
from ._jobs import Outcome, check_suffix, plan, run_jobs
from ._packing import add_commit_level, add_packing, save_options
from ._parser import Parser
from ._progress import Progress
from ._run import FAILURE, add_json, printable, run

__all__ = [
    "add_arguments",
    "cli_convert_to_mlarray",
    "command",
    "convert_from_mlarray",
    "convert_image",
    "convert_to_mlarray",
    "main",
]

DESCRIPTION = (
    "Convert NIfTI (.nii, .nii.gz) and NRRD (.nrrd, .nhdr) to .mla, and .mla to .nii, .nii.gz "
    "or .nrrd. Voxels keep their order and type, every voxel keeps its position, and the whole "
    "header is kept under 'source', from where it goes back into a file of its format. What a "
    "format cannot hold is said in a note on stderr, or is an error."
)
EXAMPLES = """\
examples:
  mlarray convert ct.nii.gz ct.mla
  mlarray convert ct.mla ct.nrrd
  mlarray convert --patch-size 64 --codec zstd --level 5 ct.nii.gz ct.mla
  mlarray convert -r -j 8 --skip-existing imagesTr preprocessed
  mlarray convert --to .nii.gz predictions/*.mla for-viewing
  mlarray convert --label-index labelsTr/*.nii.gz labelsTr
"""


def convert_to_mlarray(
    load_filepath: str | os.PathLike[str],
    save_filepath: str | os.PathLike[str],
    **save_options: Any,
) -> None:
    """Convert a file to ``.mla``; see `mlarray.convert.convert`."""
    convert(load_filepath, save_filepath, **save_options)


def convert_from_mlarray(
    load_filepath: str | os.PathLike[str], save_filepath: str | os.PathLike[str]
) -> None:
    """Convert a ``.mla`` file to another format; see `mlarray.convert.convert`."""
    convert(load_filepath, save_filepath)


def convert_image(
    load_filepath: str | os.PathLike[str], save_filepath: str | os.PathLike[str]
) -> None:
    """Convert in either direction; see `mlarray.convert.convert`."""
    convert(load_filepath, save_filepath)


# argparse says "invalid NAME value" by it.
_suffix = check_suffix
_suffix.__name__ = "suffix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs", metavar="IN", nargs="+", help="a file, or a folder: its files are converted"
    )
    parser.add_argument(
        "output", metavar="OUT", help="the file to write; for several files, a folder"
    )
    add_files(parser)
    add_packing(parser)
    parser.add_argument(
        "--label-index",
        action="store_true",
        default=argparse.SUPPRESS,
        help="inputs are label maps: store where their classes are, as 'mlarray index' does",
    )
    add_commit_level(parser)


def add_files(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("files")
    files.add_argument("-r", "--recursive", action="store_true", help="folders in folders too")
    files.add_argument(
        "--to",
        type=_suffix,
        metavar="SUFFIX",
        help="format of files in a folder: .nii, .nii.gz or .nrrd (default: .mla)",
    )
    existing = files.add_mutually_exclusive_group()
    existing.add_argument(
        "--overwrite",
        action="store_const",
        const="replace",
        dest="existing",
        default="refuse",
        help="replace outputs that exist (default: an error, and the file is left as it is)",
    )
    existing.add_argument(
        "--skip-existing",
        action="store_const",
        const="skip",
        dest="existing",
        help="leave outputs that exist, to go on with an interrupted run",
    )
    files.add_argument(
        "-j",
        "--jobs",
        type=at_least_one,
        default=1,
        metavar="N",
        help="convert so many files at once (default: 1)",
    )
    files.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser, "print one report of all files as JSON")


def command(options: argparse.Namespace) -> int | None:
    start = time.monotonic()
    jobs = plan(options.inputs, options.output, options.to, options.recursive)
    several = jobs[0].target != options.output
    if several:
        for job in jobs:
            make_folder(os.path.dirname(job.target))
    sizes = {job: _size(job.source) for job in jobs}
    outcomes = []
    with Progress(len(jobs), sum(sizes.values()), options.quiet) as progress:
        progress.begin(jobs[0].source)
        workers = min(options.jobs, len(jobs))
        for outcome in run_jobs(jobs, save_options(options), options.existing, workers):
            outcomes.append(outcome)
            progress.clear()
            _tell(outcome, options.json)
            progress.end(outcome.job.source, sizes[outcome.job])
    if options.json:
        print(json.dumps(_report(outcomes, time.monotonic() - start), indent=2))
    failed = sum(outcome.error is not None for outcome in outcomes)
    if failed and several:
        print(f"mlarray: {failed} of {len(jobs)} files failed", file=sys.stderr)
    return FAILURE if failed else None


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:  # the conversion will say it
        return 0


def _tell(outcome: Outcome, as_json: bool) -> None:
    if outcome.error:
        print(f"mlarray: error: {printable(outcome.error)}", file=sys.stderr, flush=True)
    elif outcome.report is None:
        if not as_json:
            print(printable(f"{outcome.job.target}: exists, skipped"), flush=True)
    else:
        for note in outcome.report.notes:
            text = printable(f"{outcome.job.target}: note: {note}")
            print(text, file=sys.stderr, flush=True)
        if not as_json:
            print(printable(_line(outcome.report)), flush=True)


def _line(report: Report) -> str:
    sizes = f"{size_text(report.source_bytes)} -> {size_text(report.target_bytes)}"
    image = f"{lengths(report.shape)} {report.dtype}"
    return f"{report.source} -> {report.target}: {image}, {sizes}"


def _report(outcomes: list[Outcome], seconds: float) -> dict[str, Any]:
    reports = [outcome.report for outcome in outcomes if outcome.report]
    return {
        "converted": [report._asdict() for report in reports],
        "skipped": [o.job._asdict() for o in outcomes if not o.report and not o.error],
        "failed": [{**o.job._asdict(), "error": o.error} for o in outcomes if o.error],
        "seconds": round(seconds, 3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The program ``mlarray_convert``, which replaces an older output as it always did."""
    parser = Parser(prog="mlarray_convert", description=DESCRIPTION)
    add_arguments(parser)
    parser.set_defaults(existing="replace")
    return run(parser, arguments, command)


def cli_convert_to_mlarray() -> None:
    """The program ``mlarray_convert`` under its older name: exits instead of returning."""
    raise SystemExit(main())
