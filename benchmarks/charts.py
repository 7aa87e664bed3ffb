"""Draw the README's chart from what `make bench` measured.

    make bench ONLY=save,patch VOLUMES=int16 PATCHES=128
    build/venv/bin/python benchmarks/charts.py

Keeps the figures that it needs in docs/pictures/bench.json, draws docs/pictures/bench.svg, and
puts the figures into the sentence below the chart in README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

from harness.driver import Cell, quartiles_of_ratio

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from drawing import BLUE, GREY, INK, Drawing

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
BEGIN, END = "<!-- written by benchmarks/charts.py -->\n", "<!-- end -->\n"
# Name in the report: name in the chart, from top to bottom.
ROWS = {
    "mlarray": ".mla",
    "memmap": ".npy",
    "zarr": "zarr",
    "h5py": "HDF5",
    "reference": "mlarray 0.0.54",
    "nibabel": ".nii.gz",
}
OURS = "mlarray"


def figures(result: dict[str, Any]) -> dict[str, Any]:
    """What the chart shows of a ``results.json``.

    Of each format: seconds of a patch and bytes of a file, the medians; and how many times
    ours each is, as the median of the ratios of single rounds, with their quartiles.
    """
    cells = [Cell(**cell) for cell in result["cells"] if cell["volume"] == "int16"]
    own = [
        cell
        for cell in cells
        if cell.task == "patch" and (cell.detail["patch"], cell.detail["file"]) == (128, "own")
    ]
    sizes = [cell for cell in cells if cell.task == "size"]
    if not own or not sizes:
        raise SystemExit("charts: the report lacks patches or sizes of int16; see --help")
    patch, size = max(own, key=lambda cell: cell.detail["threads"]), sizes[0]
    missing = [name for name in ROWS if not (patch.median(name) and size.median(name))]
    if missing:
        raise SystemExit(f"charts: the report has no patch or no size of {', '.join(missing)}")
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
        "load": float(facts["load"].split()[0]),  # before the run
        "date": facts["date"].split()[0],
        "commit": facts["commit"],
        "rows": rows,
    }


def sentence(found: dict[str, Any]) -> str:
    """What stands below the chart."""
    low, times, high = found["rows"]["nibabel"]["times"]
    busy = found["load"] > int(found["cores"])
    load = f"with other work on it (load {found['load']:.0f}), " if busy else ""
    quartiles = f" (quartiles {low:,.0f}, {high:,.0f})" if low < high else ""
    return (
        f"A random patch is read {times:,.0f} times faster than from `.nii.gz`{quartiles}.\n"
        f"Int16 scan of {found['shape']}, file in the page cache, "
        f"{found['processor']} with {found['cores']} cores, {load}{found['date']}; medians of\n"
        "`make bench`, drawn by `benchmarks/charts.py`.\n"
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
    busy = ", busy" if found["load"] > int(found["cores"]) else ""
    caption = f"int16, {found['shape']}, {found['threads']} threads; {found['processor']}{busy}"
    drawing.text((left, 46 + row_height * len(ROWS) + 20), f"{caption}, {found['date']}", GREY)
    picture: str = drawing.svg()
    return picture


def _milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    results = ROOT / "build" / "bench" / "results.json"
    parser.add_argument("results", type=Path, nargs="?", default=results)
    options = parser.parse_args()
    if not options.results.exists():
        parser.error(f"{options.results} does not exist: run make bench first")
    found = figures(json.loads(options.results.read_text()))
    (PICTURES / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (PICTURES / "bench.svg").write_text(chart(found), encoding="utf-8")
    page = ROOT / "README.md"
    text, count = re.subn(
        f"({BEGIN}).*?({END})",
        lambda match: match[1] + sentence(found) + match[2],
        page.read_text(encoding="utf-8"),
        flags=re.S,
    )
    if count != 1:
        raise SystemExit(f"charts: README.md has {count} places between {BEGIN!r} and {END!r}")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
