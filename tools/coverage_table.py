"""Print a table of covered lines by folder, from the reports of gcovr and coverage.py.

python tools/coverage_table.py build/report/cpp.json build/report/python.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path, PurePosixPath


def lines_by_folder(report: Path) -> tuple[Counter[str], Counter[str]]:
    """Return how many lines each folder has, and how many of them were run."""
    content = json.loads(report.read_text("utf-8"))
    if isinstance(content["files"], dict):  # coverage.py
        files = [
            (name, entry["summary"]["num_statements"], entry["summary"]["covered_lines"])
            for name, entry in content["files"].items()
        ]
    else:  # gcovr
        files = [
            (entry["filename"], entry["line_total"], entry["line_covered"])
            for entry in content["files"]
        ]
    total: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    for name, lines, run in files:
        for folder in (str(PurePosixPath(name).parent), f"all of {report.stem}"):
            total[folder] += lines
            covered[folder] += run
    return total, covered


def main() -> None:
    """Print a row for each folder of the reports on the command line."""
    print(f"{'folder':<28}{'lines':>8}{'run':>8}{'share':>9}")
    for report in map(Path, sys.argv[1:]):
        total, covered = lines_by_folder(report)
        for folder in sorted(total, key=lambda name: (name.startswith("all of"), name)):
            share = covered[folder] / total[folder] if total[folder] else 1.0
            print(f"{folder:<28}{total[folder]:>8}{covered[folder]:>8}{share:>9.1%}")


if __name__ == "__main__":
    main()
