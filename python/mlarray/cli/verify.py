"""``mlarray verify PATH...``: is what the files hold what was written?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from ._files import add_paths, at_least_one, find_files, for_each
from ._run import FAILURE, add_json, printable
from ._table import table

if TYPE_CHECKING:
    from .._reports import VerifyReport

__all__ = ["add_arguments", "command", "verify_files"]

DESCRIPTION = (
    "Check that files hold what was written. The seal, the metadata and every block's checksum "
    "are looked at, and every block is decoded. All damaged boxes are listed. Files of other "
    "writers have nothing to verify them by: exit code 3, if nothing is damaged."
)
EXAMPLES = """\
examples:
  mlarray verify ct.mla
  mlarray verify -r -j 8 dataset          a folder with all folders below
  mlarray verify --fast --json dataset    checksums only, all reports as JSON
"""

_UNVERIFIED = 3  # exit code
_SHOWN = 20  # damaged places of one file in the table; --json has all
_SEALS = {
    "valid": "",
    "absent": "another writer's file",
    "edited": "edited by another writer",
    "broken": "seal broken",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_paths(parser)
    parser.add_argument(
        "-j",
        "--jobs",
        type=at_least_one,
        metavar="N",
        help="threads in all (default: processors)",
    )
    parser.add_argument("--fast", action="store_true", help="checksums only, decode nothing")
    parser.add_argument(
        "--accept-unverified",
        action="store_true",
        help="exit code 0 for files of other writers that show no damage",
    )
    add_json(parser, "print all reports as JSON")


def verify_files(files: Sequence[str], jobs: int, decode: bool) -> list[VerifyReport | str]:
    """Look at many files at once, with progress on stderr.

    Parameters
    ----------
    files : sequence of str
        Paths.
    jobs : int
        Threads in all: over files, and within one where there are fewer files.
    decode : bool
        False for checksums and structure only.

    Returns
    -------
    list of VerifyReport or str
        In the order of `files`; the text of an error for a file that cannot be read.
    """
    from .._reports import report_of

    at_once = max(1, min(jobs, len(files)))
    threads = max(1, jobs // at_once)
    cancel = _core.Cancel()

    def look_at(path: str) -> VerifyReport:
        return report_of(_core.verify_file(path, decode, threads, cancel), path)

    return for_each(files, at_once, look_at, interrupt=cancel.cancel)


def command(options: argparse.Namespace) -> int | None:
    files = find_files(options.paths, options.recursive)
    reports = verify_files(files, options.jobs or _core.num_threads(), not options.fast)
    if options.json:
        everything = [_object(*item) for item in zip(files, reports, strict=True)]
        print(json.dumps(everything, indent=2))
    else:
        titles = ("name", "status", "blocks", "note")
        for line in table(titles, list(_rows(files, reports)), ("blocks",)):
            print(printable(line))
        print(_counts(reports))
    states = {_status(report) for report in reports}
    if states & {"damaged", "error"}:
        return FAILURE
    return _UNVERIFIED if "unverified" in states and not options.accept_unverified else None


def _status(report: VerifyReport | str) -> str:
    return "error" if isinstance(report, str) else report.status


def _object(path: str, report: VerifyReport | str) -> dict[str, Any]:
    if isinstance(report, str):
        return {"path": path, "status": "error", "error": report}
    return report.to_dict()


def _rows(
    files: Sequence[str], reports: Sequence[VerifyReport | str]
) -> Iterator[list[str] | str]:
    for path, report in zip(files, reports, strict=True):
        if isinstance(report, str):
            yield [path, "error", "-", report]
            continue
        notes = [_SEALS[report.seal]]
        if report.damaged_blocks:
            notes.append(f"{report.damaged_blocks} damaged")
        if report.unverified_blocks and report.seal == "valid":
            notes.append(f"{report.unverified_blocks} without checksum")
        note = ", ".join(part for part in notes if part)
        yield [path, report.status, str(report.blocks), note]
        for damage in report.damage[:_SHOWN]:
            yield f"    {damage.what}"
        if len(report.damage) > _SHOWN:
            yield f"    and {len(report.damage) - _SHOWN} more, listed by --json"


def _counts(reports: Sequence[VerifyReport | str]) -> str:
    counts = dict.fromkeys(("verified", "unverified", "damaged", "error"), 0)
    for report in reports:
        counts[_status(report)] += 1
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)
