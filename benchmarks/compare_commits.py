"""Time two builds of this package in turns: run by ``make compare`` before a merge.

Prints what the base takes divided by what the head takes: above 1, the head is faster. A row
is called slower where three quarters of the rounds were at least 5 % slower; then the exit
code is 1. On a machine that others use, run it again before you believe it: each side is one
process, and processes of the same build differed by up to 20 % in patches of 64^3.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from bench import arguments, versus
from harness.driver import Cell, Rival, amount, ratio, spread

_TASKS = ("import", "save", "open", "patch", "slices", "load", "memory", "fill", "edit")
_SLOWER = 0.95
# The head and the base in the places of the two that all tasks know.
HEAD, BASE = "mlarray", "reference"


def lines(cells: list[Cell]) -> Iterator[tuple[str, bool]]:
    """A line of each cell, and whether the head is slower."""
    for cell in cells:
        times = ratio(cell, BASE, HEAD)
        if times is None:
            continue
        # "reference" is the writer of a file that both read: here the base.
        names = {"reference": "of the base"}
        words = [f"{key} {names.get(value, value)}" for key, value in cell.detail.items()]
        what = ", ".join([cell.task, cell.volume, *words])
        noise = spread(cell, BASE, HEAD)
        brackets = f"({noise[0]:.2f} - {noise[1]:.2f})" if noise else ""
        # Sizes and memory have no noise; of times, the quartile must say so, too.
        slower = (noise[1] if noise else times) < _SLOWER
        base, head = amount(cell.median(BASE), cell.unit), amount(cell.median(HEAD), cell.unit)
        mark = "  SLOWER" if slower else ""
        yield f"{what:62} {base:>11} {head:>11} {times:6.2f} {brackets:15}{mark}", slower


def main() -> int:
    parser = arguments()
    parser.description = __doc__
    for name in ("base", "head"):
        parser.add_argument(
            f"--{name}",
            nargs=2,
            required=True,
            metavar=("NAME", "PYTHON"),
            help=argparse.SUPPRESS,
        )
    parser.set_defaults(only=_TASKS, max_chunks=10_000)
    options = parser.parse_args()
    options.output = options.output / "compare"
    (base, base_python), (head, head_python) = options.base, options.head
    libraries = [Rival(HEAD, "mlarray", head_python), Rival(BASE, "mlarray", base_python)]
    result = versus(libraries, [], options, {HEAD: "head", BASE: "base"})
    print(
        f"ratio: {base} / {head}; above 1, {head} is faster; in brackets: quartiles of rounds"
    )
    print(f"{'':62} {base[:11]:>11} {head[:11]:>11} {'ratio':>6}")
    slower = 0
    for line, is_slower in lines([Cell(**cell) for cell in result["cells"]]):
        print(line)
        slower += is_slower
    if slower:
        print(f"{slower} rows are slower than {base}", file=sys.stderr)
    return 1 if slower else 0


if __name__ == "__main__":
    raise SystemExit(main())
