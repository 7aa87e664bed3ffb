"""``mlarray salvage BAD GOOD``: what is left of a damaged file, in a new one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..errors import InvalidUseError
from ._files import at_least_one
from ._run import add_json, printable
from ._table import fields

if TYPE_CHECKING:
    from .._reports import Damage
    from ..tools.salvage import SalvageReport

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Save what is left of a damaged file to a new one. The newest commit whose header, index "
    "and trailer are whole is taken, wherever it is in the file; else every block that is "
    "whole, without index or trailer too. What is lost is filled and listed; what nothing "
    "verifies is listed, and has no checksums in GOOD. GOOD is never overwritten, and BAD is "
    "never changed. Exit code 0: everything is there and verified; 3: nothing is lost, but not "
    "everything could be verified, or there may have been a newer commit; 4: something is lost."
)
EXAMPLES = """\
examples:
  mlarray salvage --dry-run broken.mla                 what is left?
  mlarray salvage broken.mla saved.mla
  mlarray salvage --fill nan broken.mla saved.mla
  mlarray salvage --like other.mla broken.mla saved.mla    where the header is lost
  mlarray salvage --assume-order cut.mla saved.mla     a download that stopped early
"""

_CODES = {"verified": 0, "unverified": 3, "lost": 4}
_SHOWN = 20  # lost boxes; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bad", metavar="BAD", help="the damaged file, under any name")
    parser.add_argument(
        "good",
        metavar="GOOD",
        nargs="?",
        help="the new file, .mla or .b2nd, which must not exist",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="write nothing, say what would be saved"
    )
    parser.add_argument(
        "--fill",
        type=_number,
        default=0,
        metavar="VALUE",
        help="what lost voxels become; nan for floats only (default: 0)",
    )
    parser.add_argument(
        "--only-verified",
        action="store_true",
        help="fill as well what could be decoded, but has nothing to verify it by",
    )
    parser.add_argument(
        "--assume-order",
        action="store_true",
        help="without index and checksums, take the chunks in the order of the file: right for "
        "a file that was written once and has no chunks of zeros",
    )
    parser.add_argument(
        "--state", type=_state, metavar="N", help="take this commit; 0 is the newest"
    )
    parser.add_argument(
        "--like",
        metavar="FILE",
        help="a whole file of the same shape, type and layout, for its header",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        type=at_least_one,
        metavar="N",
        help="threads (default: processors)",
    )
    add_json(parser, "print the report as JSON")


def command(options: argparse.Namespace) -> int | None:
    from ..tools.salvage import salvage

    if options.good is None and not options.dry_run:
        raise InvalidUseError(
            "there is no path for the new file; name one, or look with --dry-run"
        )
    report = salvage(
        options.bad,
        None if options.dry_run else options.good,
        fill=options.fill,
        only_verified=options.only_verified,
        assume_order=options.assume_order,
        state=options.state,
        like=options.like,
        num_threads=options.jobs or 0,
    )
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        for line in _lines(report):
            print(printable(line))
    return _CODES[report.status] or None


def _lines(report: SalvageReport) -> Iterator[str]:
    yield f"{report.bad} -> {report.good}" if report.good else f"{report.bad}, nothing written"
    yield from fields(list(_rows(report)))


def _rows(report: SalvageReport) -> Iterator[tuple[str, str]]:
    yield "state", _state_text(report)
    yield "voxels", _voxels_text(report)
    yield "metadata", _METADATA[report.metadata]
    yield from _places("lost", report.lost)
    if report.verified_voxels:  # else it is all that is not lost
        yield from _places("unverified", report.unverified)
    if report.whole_state is not None:
        older = report.whole_state
        yield "note", f"of an older state nothing is lost: --state {older} takes it"
    for note in report.notes:
        yield "note", note


def _places(name: str, places: Sequence[Damage]) -> Iterator[tuple[str, str]]:
    for place in places[:_SHOWN]:
        yield name, f"{place.what}: voxels {place.start} to {place.stop}"
    if len(places) > _SHOWN:
        yield "", f"and {len(places) - _SHOWN} more, listed by --json"


def _state_text(report: SalvageReport) -> str:
    if report.state is None:
        return "none: chunks in the order of the file"
    state = report.states[report.state]
    kind = "sealed" if state.sealed else "another writer's" if state.foreign else "not sealed"
    return f"{report.state} of {len(report.states)} (0 is the newest), {kind}"


def _voxels_text(report: SalvageReport) -> str:
    parts = [
        f"{count} {name}"
        for name, count in (
            ("verified", report.verified_voxels),
            ("unverified", report.unverified_voxels),
        )
        if count
    ]
    if report.lost_voxels:
        # Rounded up: what is lost is never nothing.
        share = -(-report.lost_voxels * 10000 // report.voxels) / 100
        parts.append(f"{report.lost_voxels} lost ({share:.2f} %)")
    return ", ".join(parts) or "0"


_METADATA = {
    "verified": "verified",
    "unverified": "read, with nothing to verify it by",
    "older": "of another commit than the voxels",
    "lost": "lost",
    "absent": "the file has none",
}


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _state(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


# argparse says "invalid NAME value" by these.
_number.__name__ = "number"
_state.__name__ = "state"
