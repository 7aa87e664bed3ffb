"""Put what `make bench` measured into README.md and docs/performance.md.

    make bench
    build/venv/bin/python benchmarks/publish.py

Draws docs/pictures/bench.svg, from figures that it keeps in docs/pictures/bench.json, and
writes the sentence below it in README.md. Writes docs/performance.csv and the sentence below
that table; where the run lacks some of its rows, the table stays, and the rows are named.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

from harness.driver import Cell, quartiles_of_ratio, ratio, spread
from harness.targets import OURS, REFERENCE, SMALL, Cells

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from drawing import BLUE, GREY, INK, Drawing

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- written by benchmarks/publish.py -->\n", "<!-- end -->\n"
# Name in the report: name in the chart, from top to bottom.
ROWS = {
    "mlarray": ".mla",
    "memmap": ".npy",
    "zarr": "zarr",
    "h5py": "HDF5",
    "reference": "mlarray 0.0.54",
    "nibabel": ".nii.gz",
}
VOLUMES = {"int16": "int16", "float32": "float32", "uint8": "uint8 labels"}


class Row(NamedTuple):
    """A row of docs/performance.csv: the reference's time or size divided by ours."""

    work: str
    task: str
    detail: dict[str, Any]
    ours: str = OURS


def _patch(side: int, file: str, threads: int) -> dict[str, Any]:
    return {"patch": side, "file": file, "threads": threads}


_OPEN = "open, read 64 x 64 x 8, close"
TABLE = (
    Row("NumPy array to file", "save", {}),
    Row("the same, `preset='small'`", "save", {}, SMALL),
    Row("size of the file", "size", {}),
    Row("the same, `preset='small'`", "size", {}, SMALL),
    Row(_OPEN, "open", {"file": "own"}),
    Row("patch of 128^3 from an open file, 1 thread", "patch", _patch(128, "own", 1)),
    Row("the same, 2 threads", "patch", _patch(128, "own", 2)),
    Row("patch of 256^3, 2 threads", "patch", _patch(256, "own", 2)),
    Row("open and a patch of 128^3, file not in memory", "cold", {}),
    Row("whole file into a NumPy array", "load", {"file": "own"}),
    Row("open, `image[crop] *= 5` of 128^3, close", "edit", {}),
    Row(f"{_OPEN}, the reference's file", "open", {"file": "reference"}),
    Row("patch of 128^3, the reference's file, 1 thread", "patch", _patch(128, "reference", 1)),
    Row("the same, 2 threads", "patch", _patch(128, "reference", 2)),
    Row("patch of 192^3, its file, 2 threads", "patch", _patch(192, "reference", 2)),
    Row("whole file, the reference's file", "load", {"file": "reference"}),
    Row("`compute_statistics()` / load and NumPy", "statistics", {}),
    Row("import, after NumPy", "import", {}),
)


def table(result: dict[str, Any]) -> tuple[str, list[str]]:
    """The text of docs/performance.csv, and the rows that the run lacks."""
    find = Cells([Cell(**cell) for cell in result["cells"]])
    out, missing = io.StringIO(), []
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["", *VOLUMES.values()])
    for row in TABLE:
        kinds = ["-"] if row.task == "import" else list(VOLUMES)
        texts = [
            _times(cell, row.ours)
            for kind in kinds
            for cell in find(row.task, kind, **row.detail)
        ]
        if len(texts) != len(kinds) or "" in texts:
            missing.append(f"{row.work} ({row.task})")
        writer.writerow([row.work, *texts, *[""] * (len(VOLUMES) - len(texts))])
    return out.getvalue(), missing


def _times(cell: Cell, ours: str) -> str:
    times, noise = ratio(cell, REFERENCE, ours), spread(cell, REFERENCE, ours)
    if times is None:
        return ""
    if cell.task == "size":
        return f"{times:.2f}"
    digits = 1 if times < 10 else 0
    brackets = f" ({noise[0]:.{digits}f} - {noise[1]:.{digits}f})" if noise else ""
    return f"{times:.{digits}f}{brackets}"


def _other_work(load: float, cores: str, text: str) -> str:
    """A text with {load} where the machine was busy before the run, else nothing."""
    return text.format(load=f"{load:.0f}") if load > int(cores) else ""


def _load(facts: dict[str, Any]) -> float:
    return float(facts["load"].split()[0])  # before the run


def origin(result: dict[str, Any]) -> str:
    """What stands below the table."""
    facts = result["machine"]
    busy = _other_work(_load(facts), facts["cores"], " with other work on it (load {load})")
    return (
        f"Measured by `make bench` on {facts['date'].split()[0]} at commit {facts['commit']}:\n"
        f"{facts['processor']} with {facts['cores']} cores{busy}, Python {facts['Python']},\n"
        f"volumes of {result['shape']} voxels, files in the page cache except where said\n"
        "otherwise.\n"
    )


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """What the chart shows of a ``results.json``.

    Of each format: seconds of a patch and bytes of a file, the medians; and how many times
    ours each is, as the median of the ratios of single rounds, with their quartiles.
    """
    find = Cells([Cell(**cell) for cell in result["cells"]])
    own = list(find("patch", "int16", patch=128, file="own"))
    sizes = list(find("size", "int16"))
    if not own or not sizes:
        raise SystemExit("publish: the report lacks patches or sizes of int16; see --help")
    patch, size = max(own, key=lambda cell: cell.detail["threads"]), sizes[0]
    missing = [name for name in ROWS if not (patch.median(name) and size.median(name))]
    if missing:
        raise SystemExit(f"publish: the report has no patch or no size of {', '.join(missing)}")
    facts = result["machine"]
    rows: dict[str, dict[str, Any]] = {}
    for name in ROWS:
        rows[name] = {"seconds": patch.median(name), "bytes": size.median(name)}
        if name != OURS:
            rows[name]["times"] = quartiles_of_ratio(patch, name)
    return {
        "shape": result["shape"],
        "threads": patch.detail["threads"],
        "processor": facts["processor"],
        "cores": facts["cores"],
        "load": _load(facts),
        "date": facts["date"].split()[0],
        "commit": facts["commit"],
        "rows": rows,
    }


def sentence(found: dict[str, Any]) -> str:
    """What stands below the chart."""
    low, times, high = found["rows"]["nibabel"]["times"]
    load = _other_work(found["load"], found["cores"], "with other work on it (load {load}), ")
    quartiles = f" (quartiles {low:,.0f}, {high:,.0f})" if low < high else ""
    return (
        f"A random patch is read {times:,.0f} times faster than from `.nii.gz`{quartiles}.\n"
        f"Int16 scan of {found['shape']}, file in the page cache, "
        f"{found['processor']} with {found['cores']} cores, {load}{found['date']}; medians of\n"
        "`make bench`, drawn by `benchmarks/publish.py`.\n"
    )


def chart(found: dict[str, Any]) -> str:
    """Two groups of bars: time of a patch, on a logarithmic axis, and size of the file."""
    left, wide, gap, row_height, bar = 118, 146, 84, 30, 18
    rows = found["rows"]
    drawing = Drawing(590, 56 + row_height * len(ROWS) + 28, "Time of a patch, size of a file")
    panels = (
        ("Patch of 128³, log scale", "seconds", _milliseconds, math.log10),
        ("Size of the file", "bytes", lambda size: f"{size / 1e6:.0f} MB", float),
    )
    for panel, (title, key, show, scale) in enumerate(panels):
        x = left + panel * (wide + gap)
        values = {name: rows[name][key] for name in ROWS}
        # A logarithmic bar begins at a third of the least value.
        first = scale(min(values.values()) / 3) if scale is math.log10 else 0.0
        length = wide / (scale(max(values.values())) - first)
        drawing.text((x, 28), title, INK, bold=True)
        for line, (name, value) in enumerate(values.items()):
            y = 46 + row_height * line
            colour = BLUE if name == OURS else GREY
            width = length * (scale(value) - first)
            drawing.rectangle((x, y), (width, bar), colour, "none")
            drawing.text((x + width + 7, y + 14), show(value), INK, bold=name == OURS)
    for line, (name, label) in enumerate(ROWS.items()):
        y = 46 + row_height * line + 14
        drawing.text((left - 10, y), label, INK, "end", bold=name == OURS)
    busy = _other_work(found["load"], found["cores"], ", busy")
    caption = f"int16, {found['shape']}, {found['threads']} threads; {found['processor']}{busy}"
    drawing.text((left, 46 + row_height * len(ROWS) + 20), f"{caption}, {found['date']}", GREY)
    picture: str = drawing.svg()
    return picture


def _milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def run_of(
    description: str | None, command: str
) -> tuple[argparse.ArgumentParser, dict[str, Any]]:
    """What a run of ``make COMMAND`` has found, from the file that the arguments name."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = ROOT / "build" / command / "results.json"
    parser.add_argument("results", type=Path, nargs="?", default=results)
    options = parser.parse_args()
    if not options.results.exists():
        parser.error(f"{options.results} does not exist: run make {command} first")
    return parser, json.loads(options.results.read_text())


def main() -> None:
    _, result = run_of(__doc__, "bench")
    found = figures(result)
    (PICTURES / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (PICTURES / "bench.svg").write_text(chart(found), encoding="utf-8")
    put(ROOT / "README.md", sentence(found))
    text, missing = table(result)
    if missing:
        print("docs/performance.csv stays: this run lacks " + "; ".join(missing))
    else:
        (ROOT / "docs" / "performance.csv").write_text(text, encoding="utf-8")
        put(ROOT / "docs" / "performance.md", origin(result))


def put(page: Path, text: str, begin: str = BEGIN) -> None:
    """Write a text between the two marks of a page."""
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(f"({begin}).*?({END})", lambda m: m[1] + text + m[2], old, flags=re.S)
    if count != 1:
        raise SystemExit(f"publish: {page} has {count} places between {begin!r} and {END!r}")
    page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
