"""``mlarray info FILE``: what a file holds, for a reader."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .._display.geometry import Geometry
from .._display.text import layout_text, lengths, number, numbers, size_text
from ._run import FAILURE, add_json, printable
from ._summary import Summary, summarise
from ._table import fields

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Say what files hold: shape, position, layout, compression, metadata. No voxel is decoded."
)
EXAMPLES = """\
examples:
  mlarray info ct.mla
  mlarray info --json ct.mla | jq .spacing
"""

_FILTERS = {1: "shuffle", 2: "bitshuffle", 3: "delta", 4: "truncated precision"}
_FILTERS |= {35: "bytedelta", 36: "truncated integers"}
_SEAL = {
    True: "valid: written by mlarray and whole",
    False: "none: written or edited by another Blosc2 program, not verified",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a .mla or .b2nd file")
    add_json(parser, "print an object (for several files a list of them) as JSON")


def command(options: argparse.Namespace) -> int | None:
    summaries = [summarise(path) for path in options.files]
    if options.json:
        items = [info_object(summary) for summary in summaries]
        print(json.dumps(items if len(items) > 1 else items[0], indent=2))
    else:
        print("\n\n".join(_table(summary) for summary in summaries))
    return FAILURE if any(summary.error for summary in summaries) else None


def info_object(summary: Summary) -> dict[str, Any]:
    """What ``--json`` prints of one file."""
    return {**summary.to_json(), "metadata": dict(_metadata_rows(summary))}


def _table(summary: Summary) -> str:
    rows = [*_array_rows(summary), *_metadata_rows(summary)]
    return printable("\n".join([summary.path, *fields(rows)]))


def _array_rows(summary: Summary) -> list[tuple[str, str]]:
    array, spatial = summary.array, summary.spatial
    rows = [("shape", lengths(array["shape"]) if summary.has_array else "none: metadata only")]
    if spatial.get("axis_labels"):
        rows.append(("axes", ", ".join(map(str, spatial["axis_labels"]))))
    if summary.has_array:
        rows.append(("dtype", summary.dtype))
    geometry = summary.geometry
    if geometry is not None:
        units = {u for u in spatial.get("axis_units") or () if u and u != "unknown"}
        unit = f" {units.pop()}" if len(units) == 1 else ""
        rows.append(("spacing", numbers(geometry.spacing) + unit))
        rows.append(("origin", numbers(geometry.origin) + unit))
        rows.append(("orientation", _orientation(summary, geometry)))
    if summary.has_array:
        rows += _storage_rows(summary)
    else:
        rows.append(("size", size_text(array["file_bytes"])))
    rows.append(("seal", _SEAL[array["sealed"]]))
    return rows


def _storage_rows(summary: Summary) -> list[tuple[str, str]]:
    array = summary.array
    rows = [("chunks", layout_text(array["chunks"], array["blocks"]))]
    patch = ((summary.tree or {}).get("blosc2") or {}).get("patch_size")
    if patch:
        rows.append(("made for", f"patches of {lengths(patch)}"))
    codec = array["codec"]
    filters = ", ".join(_FILTERS.get(code, str(code)) for code in codec["filters"])
    rows.append(
        ("codec", f"{codec['name']}, level {codec['level']}; filter: {filters or 'none'}")
    )
    ratio = f", ratio {summary.ratio:.2f}" if summary.ratio else ""
    rows.append(
        (
            "size",
            f"{size_text(array['file_bytes'])} for {size_text(summary.voxel_bytes)}{ratio}",
        )
    )
    if summary.classes is not None:
        kept = sum(one["positions"] for one in summary.classes)
        classes = _count(summary.classes, "class", "classes")
        rows.append(("class index", f"{classes}, {kept:,} positions"))
    return rows


def _orientation(summary: Summary, geometry: Geometry) -> str:
    frame = summary.spatial.get("coord_system")
    text = geometry.orientation_text
    if text is None:
        return f"not known (coord_system is {frame or 'not set'})"
    if text.endswith("oblique"):
        text += f" by {geometry.oblique_degrees:.3g} degrees"
    return f"{text}, positions in {frame}"


def _metadata_rows(summary: Summary) -> list[tuple[str, str]]:
    if summary.tree is None:
        return [("metadata", f"cannot be read: {summary.error}")]
    tree = summary.tree
    rows: list[tuple[str, str]] = []
    if tree.get("source"):
        origin = tree.get("_image_meta_format")
        kind = f" from {origin}" if origin else ""
        rows.append(("source", f"{_count(tree['source'], 'field')}{kind}"))
    if tree.get("extra"):
        rows.append(("extra", _count(tree["extra"], "field")))
    stats = {k: v for k, v in (tree.get("stats") or {}).items() if v is not None}
    if stats:
        rows.append(
            ("stats", ", ".join(f"{name} {number(value)}" for name, value in stats.items()))
        )
    boxes = (tree.get("bbox") or {}).get("bboxes")
    if boxes:
        rows.append(("boxes", _count(boxes, "box", "boxes")))
    if tree.get("is_seg") is not None:
        rows.append(("segmentation", "yes" if tree["is_seg"] else "no"))
    return rows or [("metadata", "nothing else")]


def _count(items: Any, one: str, many: str | None = None) -> str:
    return f"{len(items)} {one if len(items) == 1 else many or one + 's'}"
