"""make train-demo and its page, with fewer, smaller cases and fewer steps."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from mlarray import MLArray
from mlarray.training import LabelIndex
from pages import ROOT, run_page, write_scans

PROGRAM = ROOT / "examples" / "python" / "train_segmentation.py"
PAGE = ROOT / "docs" / "from_scans_to_model.md"
FULL = {
    "cases, voxel = 24, 2.0\n": "cases, voxel = 7, 4\n",
    "patch, steps = 32, 800\n": "patch, steps = 16, 10\n",
}


def run(folder: Path, **options: float) -> subprocess.CompletedProcess[str]:
    given = [f"--{name}={value}" for name, value in options.items()]
    return subprocess.run(
        [sys.executable, PROGRAM, "--output", folder, *given],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_learns_what_it_says(tmp_path: Path) -> None:
    result = run(tmp_path, cases=7, voxel=3, patch=24, steps=250, goal=0.6)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count(" steps, ") == 10
    table = re.findall(r"(fluid|grey matter|white matter) +(\d\.\d+) +(\d\.\d+)", result.stdout)
    assert len(table) == 3
    assert all(float(lowest) >= 0.6 for _, _, lowest in table)

    image, truth, found = (
        MLArray.open(tmp_path / kind / "case06.mla")
        for kind in ("imagesTr", "labelsTr", "predictions")
    )
    assert image.dtype == np.int16
    assert image.meta.stats.std is not None
    np.testing.assert_array_equal(found.affine, image.affine)
    np.testing.assert_allclose(image.spacing, 3, rtol=0.02)
    assert LabelIndex.of(tmp_path / "labelsTr" / "case06.mla") is not None
    # The Dice that it prints is that of the files.
    a, b = truth[...] == 1, found[...] == 1
    assert float(table[0][2]) == pytest.approx(
        2 * (a & b).sum() / (a.sum() + b.sum()), abs=1e-3
    )
    assert imread(tmp_path / "prediction.png").shape == (960, 900, 4)


def test_the_program_fails_below_its_goal(tmp_path: Path) -> None:
    result = run(tmp_path, cases=2, voxel=6, patch=16, steps=2)
    assert result.returncode == 1
    assert re.search(r"FAILED: Dice 0\.\d+ is below 0\.8", result.stderr)


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(PROGRAM.parent)
    text = PAGE.read_text(encoding="utf-8")
    for full, few in FULL.items():
        assert text.count(full) == 1
        text = text.replace(full, few)
    short = tmp_path / PAGE.name
    short.write_text(text)
    printed = run_page(short)
    assert printed.count("matter") == 2


def test_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_scans(tmp_path / "scans")
    run_page(ROOT / "README.md")
