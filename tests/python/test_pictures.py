"""The pictures of the pages are what their program draws."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "pictures"
sys.path.insert(0, str(ROOT / "benchmarks"))

import publish  # noqa: E402
import publish_training  # noqa: E402


def test_every_picture_is_drawn_by_the_program(tmp_path: Path) -> None:
    program = FOLDER / "make_pictures.py"
    subprocess.run([sys.executable, str(program), str(tmp_path)], check=True, timeout=120)
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.svg")}
    del committed["layers.svg"]  # drawn from the sources; make lint compares it
    del committed["bench.svg"]
    assert committed
    assert {path.name: path.read_text() for path in tmp_path.glob("*.svg")} == committed


def test_the_chart_and_the_readme_have_the_figures_of_one_report() -> None:
    found = json.loads((FOLDER / "bench.json").read_text(encoding="utf-8"))
    assert publish.chart(found) == (FOLDER / "bench.svg").read_text(encoding="utf-8")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page.count(publish.BEGIN + publish.sentence(found) + publish.END) == 1


def test_figures_of_the_chart_are_those_of_the_report() -> None:
    names = list(publish.ROWS)
    detail = {"patch": 128, "file": "own"}
    slow = {name: [2.0, 4.0, 6.0] for name in names} | {"mlarray": [1.0, 1.0, 1.0]}
    cells = [
        {
            "task": "patch",
            "volume": "int16",
            "detail": {**detail, "threads": threads},
            "unit": "s",
        }
        | {"samples": slow if threads == 2 else {}}
        for threads in (1, 2)
    ]
    cells.append({"task": "size", "volume": "int16", "detail": {}, "unit": "B"})
    cells[-1]["samples"] = {name: [1e6] for name in names}
    facts = {
        "processor": "P",
        "cores": "2",
        "load": "0.5 before",
        "date": "2026-01-02 03:04",
        "commit": "",
    }
    found = publish.figures({"machine": facts, "shape": "1 x 2", "cells": cells})
    assert found["threads"] == 2
    assert found["rows"]["zarr"] == {"seconds": 4.0, "bytes": 1e6, "times": (3.0, 4.0, 5.0)}
    assert "4 times faster than from `.nii.gz` (quartiles 3, 5)" in publish.sentence(found)
    del cells[1]["samples"]["zarr"]
    with pytest.raises(SystemExit, match="no patch or no size of zarr"):
        publish.figures({"machine": facts, "shape": "1 x 2", "cells": cells})


def test_the_table_has_the_figures_of_the_report() -> None:
    cells = [
        {"task": row.task, "volume": volume, "detail": row.detail, "unit": "s"}
        | {"samples": {"mlarray": [1.0] * 3, "mlarray-small": [2.0] * 3}}
        for row in publish.TABLE
        if row.ours == publish.OURS
        for volume in (["-"] if row.task == "import" else publish.VOLUMES)
    ]
    for cell in cells:
        cell["samples"]["reference"] = [3.0, 4.0, 5.0]
    text, missing = publish.table({"cells": cells})
    assert not missing
    lines = text.splitlines()
    assert lines[0] == ",int16,float32,uint8 labels"
    assert lines[1] == "NumPy array to file" + ",4.0 (3.5 - 4.5)" * 3
    assert lines[2] == "\"the same, `preset='small'`\"" + ",2.0 (1.8 - 2.2)" * 3
    assert lines[-1] == '"import, after NumPy",4.0 (3.5 - 4.5),,'
    committed = (ROOT / "docs" / "performance.csv").read_text(encoding="utf-8").splitlines()
    works = [[line[0] for line in csv.reader(table)] for table in (committed, lines)]
    assert works[0] == works[1]
    cells = [cell for cell in cells if (cell["task"], cell["volume"]) != ("cold", "uint8")]
    _, missing = publish.table({"cells": cells})
    assert missing == ["open and a patch of 128^3, file not in memory (cold)"]


def test_the_table_of_training_has_the_figures_of_the_report() -> None:
    told = [{"rate": rate} for rate in (2.0, 3.0, 4.0)]
    twice = [{"rate": 2 * one["rate"]} for one in told]
    many = [{"rate": 10 * one["rate"]} for one in told]
    sides = {"nnU-Net's, 3 processes": told, "mlarray, in place": twice, "mlarray, new": many}
    rates = {
        "mlarray": [500.0, 600.0, 700.0],
        "mlarray, the reference's files": [900.0] * 3,
        "MONAI, patches of .mla": [800.0] * 3,
        "reference, 0 workers": [50.0] * 3,
        "reference, 2 workers": [100.0] * 3,
    }
    result = {
        "rates": {"64": rates},
        "nnunet": {"with its transforms": {"rounds": sides}},
        "machine": {
            "processor": "one",
            "cores": "2",
            "date": "2026-11-29 20:40",
            "commit": "a",
        },
    }
    lines = list(csv.reader(publish_training.table(result).splitlines()))
    assert lines[1:] == [
        ["64^3, int16 and uint8", "600", "reference, 2 workers: 100", "6.0 (5.5 - 6.5)"],
        [
            "nnU-Net's 128^3 with its transforms, in place",
            *("6.0", "nnU-Net's, 3 processes: 3.0", "2.0 (2.0 - 2.0)"),
        ],
        [
            "nnU-Net's 128^3 with its transforms, new",
            *("30", "nnU-Net's, 3 processes: 3.0", "10.0 (10.0 - 10.0)"),
        ],
    ]
    assert "gets 10 times the" in publish_training.sentence(result)
    assert "2026-11-29 at commit a" in publish_training.origin(result)
