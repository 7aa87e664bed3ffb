"""The report: what was asked of us, then plots, then every figure, then how it was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import plots
from .driver import Cell, amount, ratio, spread
from .targets import Row, judge

__all__ = ["read", "write"]

_TITLES = {
    "import": "Import, after that of NumPy",
    "save": "Array to file",
    "size": "Size of the file",
    "open": "Open, read 64 x 64 x 8, close",
    "patch": "Patches from an open file, warm",
    "slices": "One slice across an axis, from an open file, warm",
    "files": "Patches and slices by our reader, by whose file it is",
    "limit": "How near the limit: a patch, its blocks decoded into cache, its bytes copied",
    "cold": "Open and read a patch, file not in the page cache",
    "load": "Whole volume into a NumPy array",
    "memory": "Memory beyond the result (pages of mapped files not counted)",
    "fill": "A new file filled chunk by chunk: cost of a chunk",
    "growth": "Volumes that grow",
    "edit": "Open, image[crop] *= 5 of 128^3, close",
    "levels": "What a commit's level costs, beside fdatasync of as many bytes",
}
_METHOD = """\
- Each library is in an environment of its own and is a process of its own; they take turns
  round by round, each beginning in its turn, at the same places of the same volumes.
- A cell is the least and the median of its rounds. A ratio is the other divided by ours, round
  by round, and of that the median: above 1, ours is faster or smaller. In brackets are the
  quartiles, which tell what the machine's noise does. A slow library has fewer rounds.
- With N threads, a process may run on N processors, and a library is told so where it can be
  told. The reference decodes with one thread unless asked; asked for more, it becomes slower.
- All patches of a row are compared: a run stops where two libraries read different voxels.
- `mlarray` verifies seals and checksums, which the others do not have; `mlarray-unchecked`
  does not. `mlarray-small` saves with `preset="small"`. "reference's": both read the
  reference's file.
- Files are written at level `none`: the other libraries do not wait for the disk. The levels
  have rows of their own: array to file, and open, 64^3 voxels, close.
- zarr, tensorstore and h5py have chunks of 64^3, LZ4 level 5 and a shuffle of elements larger
  than one byte; blosc2 and medh5 choose by themselves. zarr and tensorstore keep a file per
  chunk.
"""


def write(result: dict[str, Any], folder: Path) -> Path:
    """Write ``report.md``, its plots, and ``results.json`` beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(result, indent=1))
    cells = [Cell(**cell) for cell in result["cells"]]
    rows = judge(cells, int(result["machine"]["cores"]))
    drawn = _draw(cells, rows, folder)
    path = folder / "report.md"
    path.write_text("\n".join(_lines(result, cells, rows, drawn)) + "\n")
    return path


def read(path: Path) -> list[Cell]:
    """The cells of a ``results.json``."""
    return [Cell(**cell) for cell in json.loads(path.read_text())["cells"]]


def _lines(
    result: dict[str, Any], cells: list[Cell], rows: list[Row], drawn: list[str]
) -> Iterator[str]:
    yield "# Benchmark report\n"
    if rows:
        met = sum(row.met for row in rows)
        yield f"## Targets: {met} of {len(rows)} met\n"
        yield "Medians of the ratios of single rounds; in brackets, their quartiles.\n"
        yield "| work | target | measured | |\n|---|---|---|---|"
        for row in rows:
            yield f"| {row.work} | {row.target} | {row.measured} | {_mark(row)} |"
        yield ""
    for name in drawn:
        yield f"![{name}]({name}.svg)\n"
    for task, title in _TITLES.items():
        found = [cell for cell in cells if cell.task == task]
        if found:
            yield f"## {title}\n"
            yield from _table(found)
            yield ""
        if task == "patch":
            yield from _scaling(found)
    if result["skipped"]:
        yield "## Not measured\n"
        yield from (f"- {why}" for why in result["skipped"])
        yield ""
    yield "## Method\n"
    yield _METHOD
    yield f"- Volumes of {result['shape']} voxels from {result['source']}.\n"
    yield "| machine | |\n|---|---|"
    for name, value in result["machine"].items():
        yield f"| {name} | {value} |"
    yield "\n| library | version |\n|---|---|"
    for name, value in result["versions"].items():
        yield f"| {name} | {value} |"


def _scaling(cells: list[Cell]) -> Iterator[str]:
    """What more threads would give, by Amdahl's law, from one and from the most measured.

    By the least times: cells with other numbers of threads were measured at other times.
    """
    rows = []
    for volume in dict.fromkeys(cell.volume for cell in cells):
        for name in ("mlarray", "reference"):
            times = {
                int(cell.detail["threads"]): min(cell.samples[name])
                for cell in cells
                if cell.volume == volume
                and (cell.detail["patch"], cell.detail["file"]) == (128, "own")
                and name in cell.samples
            }
            count = max(times, default=1)
            if count == 1 or 1 not in times:
                continue
            faster = times[1] / times[count]
            parallel = min(max((1 - 1 / faster) / (1 - 1 / count), 0.0), 1.0)
            model = [1 / (1 - parallel + parallel / n) for n in (4, 8, 16)]
            shown = " | ".join(f"{speedup:.1f}x" for speedup in model)
            rows.append(f"| {volume} | {name} | {count} | {faster:.2f}x | {shown} |")
    if rows:
        yield "Own file, 128^3: what threads give, and by Amdahl's law what more would give.\n"
        yield "| volume | library | threads | measured | 4 | 8 | 16 |"
        yield "|---" * 7 + "|"
        yield from rows
        yield ""


def _mark(row: Row) -> str:
    return "met" if row.met else "**not met**"


def _table(cells: list[Cell]) -> Iterator[str]:
    """A row for each cell, a column for each library: least and median, and the ratio."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.samples))
    words = list(dict.fromkeys(key for cell in cells for key in cell.detail))
    yield "| volume | " + " | ".join([*words, *names]) + " |"
    yield "|---" * (1 + len(words) + len(names)) + "|"
    for cell in cells:
        facts = [str(cell.detail.get(word, "")) for word in words]
        yield (
            f"| {cell.volume} | "
            + " | ".join([*facts, *(_figure(cell, name) for name in names)])
            + " |"
        )


def _figure(cell: Cell, name: str) -> str:
    if name not in cell.samples:
        return "-"
    least, median = (
        amount(min(cell.samples[name]), cell.unit),
        amount(cell.median(name), cell.unit),
    )
    text = median if least == median else f"{least} / {median}"
    times = ratio(cell, name)
    if times is None or name.startswith("mlarray") or cell.task == "limit":
        return text
    noise = spread(cell, name)
    brackets = f" ({noise[0]:.2f} - {noise[1]:.2f})" if noise else ""
    return f"{text} **{times:.2f}x**{brackets}"


def _draw(cells: list[Cell], rows: list[Row], folder: Path) -> list[str]:
    """Draw what there is; returns the names of the files."""
    drawn = {}
    if rows:
        shares = [
            (
                row.work,
                row.value / row.bound if row.at_least else row.bound / max(row.value, 1e-9),
                row.met,
            )
            for row in rows
        ]
        drawn["targets"] = plots.targets("Targets: right of the line is met", shares)
    threads = max((cell.detail["threads"] for cell in cells if cell.task == "patch"), default=0)
    own = [c for c in cells if c.task == "patch" and c.detail["file"] == "own"]
    at_once = [c for c in own if c.detail["threads"] == threads]
    if groups := _bars([c for c in at_once if c.detail["patch"] == 128], 1e3):
        drawn["patch-128"] = plots.bars(
            f"A patch of 128^3, warm, {threads} threads, each of its own file", groups, "ms"
        )
    for kind in dict.fromkeys(cell.volume for cell in at_once):
        found = [cell for cell in at_once if cell.volume == kind]
        if line := _series(found, "patch", 1e3):
            drawn[f"patches-{kind}"] = plots.lines(
                f"Patches of {kind} by size, {threads} threads", line, "side in voxels", "ms"
            )
    scaling = [c for c in own if c.detail["patch"] == 128 and c.volume == "int16"]
    if threads > 1 and (line := _series(scaling, "threads", None)):
        drawn["threads"] = plots.lines(
            "Patches of 128^3 int16 a second by threads", line, "threads", "patches/s"
        )
    for task, title in (
        ("save", "Array to file"),
        ("load", "Whole volume to NumPy"),
        ("cold", "A patch of 128^3, cold"),
        ("edit", "image[crop] *= 5"),
    ):
        found = [c for c in cells if c.task == task and c.detail.get("file") != "reference"]
        if groups := _bars(found, 1e3):
            drawn[task] = plots.bars(title, groups, "ms")
    if groups := _bars([cell for cell in cells if cell.task == "size"], 1e-6):
        drawn["size"] = plots.bars("Size of the file", groups, "MB")
    chunks = [c for c in cells if c.task == "fill" and c.detail["chunk"] == 8]
    if line := _series(chunks, "chunks", 1e6):
        drawn["fill"] = plots.lines(
            "A new file filled by chunks of 8^3", line, "chunks", "microseconds per chunk"
        )
    for what in ("save", "patch"):
        found = [c for c in cells if c.task == "growth" and c.detail["of"] == what]
        if line := _series(found, "MB", 1e3):
            drawn[f"growth-{what}"] = plots.lines(
                f"Volumes that grow: {what}", line, "MB of int16", "ms"
            )
    for name, figure in drawn.items():
        plots.save(figure, folder / f"{name}.svg")
    return list(drawn)


def _bars(cells: list[Cell], scale: float) -> dict[str, dict[str, float]]:
    groups = {}
    for cell in cells:
        medians = {name: cell.median(name) for name in cell.samples}
        groups[cell.volume] = {n: value * scale for n, value in medians.items() if value}
    return {group: found for group, found in groups.items() if found}


def _series(
    cells: list[Cell], key: str, scale: float | None
) -> dict[str, list[tuple[float, float]]]:
    """Median by a detail; without `scale`, how many in a second. One point is no line."""
    series: dict[str, list[tuple[float, float]]] = {}
    for cell in sorted(cells, key=lambda cell: float(cell.detail[key])):
        for name in cell.samples:
            if value := cell.median(name):
                y = 1 / value if scale is None else value * scale
                series.setdefault(name, []).append((float(cell.detail[key]), y))
    return {name: points for name, points in series.items() if len(points) > 1}
