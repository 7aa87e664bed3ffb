"""Put what `make bench-train` measured into docs/performance.md.

    make bench-train
    build/venv/bin/python benchmarks/publish_training.py

Writes docs/training_speed.csv, the sentence below that table, and one in README.md. The run
must be a whole one.
"""

from __future__ import annotations

import csv
import io
import statistics
from typing import Any, NamedTuple

from harness.driver import quartiles_of_pairs
from publish import ROOT, put, run_of
from train import OURS, TASKS, rate_text, times_text

BEGIN = "<!-- written by benchmarks/publish_training.py -->\n"
HEADER = ("", "mlarray, samples a second", "best of the others", "times as fast")


class Side(NamedTuple):
    """A loader, and samples a second of each of its rounds."""

    name: str
    rates: list[float]

    @property
    def rate(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rates)


def row(title: str, ours: Side, others: list[Side]) -> list[str]:
    """A row of the table: ours beside the fastest of the others."""
    best = max(others, key=lambda side: side.rate)
    return [
        title,
        rate_text(ours.rate),
        f"{best.name}: {rate_text(best.rate)}",
        times_text(ours.rates, best.rates),
    ]


def table(result: dict[str, Any]) -> str:
    """The text of docs/training_speed.csv."""
    rows: list[list[str]] = [list(HEADER)]
    for task, rates in result["rates"].items():
        sides = [Side(name, values) for name, values in rates.items()]
        # What reads our files by an adapter of ours is none of the others.
        others = [
            side
            for side in sides
            if not side.name.startswith("mlarray") and ".mla" not in side.name
        ]
        for name, what in (
            (OURS.name, ""),
            ("mlarray, files saved for the patch", ", files saved for it"),
        ):
            if name in rates:
                rows.append(row(TASKS[task][0] + what, Side(name, rates[name]), others))
    for title, one in result["nnunet"].items():
        theirs, *ours = (
            Side(name, [told["rate"] for told in rounds])
            for name, rounds in one["rounds"].items()
        )
        for side in ours:
            where = side.name.removeprefix("mlarray, ")
            rows.append(row(f"nnU-Net's 128^3 {title}, {where}", side, [theirs]))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def origin(result: dict[str, Any]) -> str:
    """What stands below the table."""
    facts = result["machine"]
    return (
        f"Measured by `make bench-train` on {facts['date'].split()[0]} at commit "
        f"{facts['commit']},\n{facts['processor']} with {facts['cores']} cores.\n"
    )


def sentence(result: dict[str, Any]) -> str:
    """What README.md says below the trainer of nnU-Net."""
    theirs, _, ours = (
        [told["rate"] for told in rounds]
        for rounds in result["nnunet"]["with its transforms"]["rounds"].values()
    )
    found = quartiles_of_pairs(ours, theirs)
    assert found is not None
    low, times, high = found
    facts = result["machine"]
    return (
        f"From a folder that `mlarray nnunet-convert` rewrote it gets {times:.0f} times the\n"
        f"samples a second of nnU-Net's own loader, transforms included (quartiles {low:.0f},\n"
        f"{high:.0f}; `make bench-train`, {facts['processor']} with {facts['cores']} cores).\n"
    )


def main() -> None:
    parser, result = run_of(__doc__, "bench-train")
    lacking = [task for task in TASKS if task not in result["rates"]]
    if not result["nnunet"]:
        lacking.append("nnunet")
    if lacking:
        parser.error(f"the run lacks {', '.join(lacking)}: run all of make bench-train")
    (ROOT / "docs" / "training_speed.csv").write_text(table(result), encoding="utf-8")
    put(ROOT / "docs" / "performance.md", origin(result), BEGIN)
    put(ROOT / "README.md", sentence(result), BEGIN)


if __name__ == "__main__":
    main()
