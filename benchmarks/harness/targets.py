"""What we hold ourselves to, and whether it is so: one row for each promise of speed.

A target is a ratio to the reference (at least), or a share or amount (at most, at least).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .driver import Cell, ratio, spread

__all__ = ["OURS", "REFERENCE", "SMALL", "Cells", "Row", "judge"]

OURS, REFERENCE, UNCHECKED, SMALL = "mlarray", "reference", "mlarray-unchecked", "mlarray-small"


class Row(NamedTuple):
    """A target, and what was measured."""

    work: str
    target: str
    measured: str
    met: bool
    value: float  # in the target's unit, for the plot
    bound: float
    at_least: bool


class Cells:
    """Those of a task, of a volume, and with what is in their detail."""

    def __init__(self, cells: list[Cell]) -> None:
        self._cells = cells

    def __call__(self, task: str, volume: str | None = None, **detail: Any) -> Iterator[Cell]:
        for cell in self._cells:
            if cell.task != task or (volume is not None and cell.volume != volume):
                continue
            if all(cell.detail.get(key) == value for key, value in detail.items()):
                yield cell


def judge(cells: list[Cell], cores: int) -> list[Row]:
    """All targets for which there are measurements."""
    find = Cells(cells)
    rows: list[Row] = []

    def faster(
        work: str,
        bound: float,
        found: Iterator[Cell],
        ours: str = OURS,
        theirs: str = REFERENCE,
    ) -> None:
        for cell in found:
            times = ratio(cell, theirs, ours)
            if times is None:
                continue
            noise = spread(cell, theirs, ours)
            text = f"{times:.2f}x"
            if noise:
                text += f" ({noise[0]:.2f} - {noise[1]:.2f})"
                # What other work on the machine disturbs least.
                least = min(cell.samples[theirs]) / min(cell.samples[ours])
                text += f", least times {least:.2f}x"
            name = work if cell.volume == "-" else f"{work}, {cell.volume}"
            met = times >= bound
            rows.append(Row(name, f">= {bound:g}x", text, met, times, bound, True))

    def most(
        work: str, bound: float, value: float | None, show: Callable[[float], str]
    ) -> None:
        if value is not None:
            met = value <= bound
            rows.append(Row(work, f"<= {show(bound)}", show(value), met, value, bound, False))

    read = "open + 64x64x8 + close"
    faster(f"{read}, unverified", 10, find("open", file="own"), UNCHECKED)
    faster(f"{read}, verified", 7, find("open", file="own"))
    for side in (128, 192):
        for kind in ("int16", "float32"):
            patches = {"patch": side, "file": "reference"}
            name = f"patch {side}^3"
            if cores >= 2:
                faster(f"{name}, 2 threads", 1.8, find("patch", kind, threads=2, **patches))
            faster(f"{name}, 1 thread", 1.0, find("patch", kind, threads=1, **patches))
    labels = {"patch": 128, "file": "reference"}
    if cores >= 2:
        faster("patch 128^3, 2 threads", 6, find("patch", "uint8", threads=2, **labels))
    faster("patch 128^3, 1 thread", 4, find("patch", "uint8", threads=1, **labels))
    faster("patch 128^3, cold", 3, find("cold"))
    faster("whole volume to NumPy", 2.5, find("load", file="reference"))
    faster("statistics of the volume", 5, find("statistics"))
    faster("array to file", 4, find("save"))
    _sizes(find, most)
    faster("patch 128^3, our file against the reference's", 1, find("files", patch=128))
    for axis in range(3):
        # Our rows are longer: of a slice across them, more is decoded that nobody asked for.
        work = f"slice across axis {axis}, our file against the reference's"
        faster(work, 0.71 if axis == 2 else 1, find("files", axis=axis, threads=cores))
    faster("array to file, small", 3, find("save", "int16"), SMALL)
    faster("w+ chunk by chunk", 10, find("fill", "1024^3 uint8"))
    _flat(find, most)
    faster("r+ image[crop] *= 5", 3, find("edit"))
    for cell in find("import"):
        most("import after NumPy", 0.010, cell.median(OURS), lambda s: f"{s * 1e3:.1f} ms")
    for cell in find("memory"):
        bound = 4e6 if cell.detail["of"] == "reading a patch" else 64e6
        what = f"memory of {cell.detail['of']}"
        if "MB" in cell.detail:
            what += f" of {cell.detail['MB']} MB"
        most(what, bound, cell.median(OURS), lambda size: f"{size / 1e6:.1f} MB")
    _limit(find, rows)
    return rows


Most = Callable[[str, float, "float | None", Callable[[float], str]], None]


def _sizes(find: Cells, most: Most) -> None:
    for cell in find("size"):
        reference = cell.median(REFERENCE)
        for name, bounds in ((OURS, {"uint8": 1.0}), (SMALL, {"int16": 0.75})):
            size = cell.median(name)
            if not reference or size is None or (name == SMALL and cell.volume not in bounds):
                continue
            what = "size of the file" if name == OURS else "size of the file, small"
            bound = bounds.get(cell.volume, 1.01)
            share = size / reference
            most(
                f"{what}, {cell.volume}", bound, share, lambda s: f"{s:.3f} of the reference's"
            )


def _flat(find: Cells, most: Most) -> None:
    costs = {
        cell.detail["chunks"]: cell.median(OURS)
        for cell in find("fill")
        if cell.detail["chunk"] == 8
    }
    if len(costs) > 1:
        first, last = costs[min(costs)], costs[max(costs)]
        if first and last:
            work = f"cost of a chunk, of {max(costs)} against {min(costs)}"
            # Flat: within what the machine's noise does to it.
            most(work, 1.5, last / first, lambda times: f"{times:.2f}x")


def _limit(find: Cells, rows: list[Row]) -> None:
    for cell in find("limit"):
        read, decode, copy = (cell.median(name) for name in ("read", "decode", "copy"))
        if read and decode and copy:
            share = decode / read
            count = cell.detail["threads"]
            work = f"patch 128^3 against decoding alone, {count} thread{'s'[: count - 1]}"
            # A patch is written to memory besides: what decoding and a memcpy would be.
            both = decode / (decode + copy)
            text = f"{share:.0%} of its speed (with a memcpy of the patch after it: {both:.0%})"
            text += f", {copy / read:.0%} of memcpy's"
            rows.append(
                Row(f"{work}, {cell.volume}", ">= 85%", text, share >= 0.85, share, 0.85, True)
            )
