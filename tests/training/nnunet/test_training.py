"""nnU-Net's own commands, from raw images to a prediction."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mlarray.cli.nnunet import trainers_folder

EXAMPLE = Path(__file__).parents[3] / "examples" / "python" / "nnunet"
SHORT = "--cases 5 --side 32 --patch 16 --features 8 --seeds 1 --epochs 2 --iterations 40"


@pytest.mark.timeout(1500)  # a minute, of an idle machine
def test_side_by_side_and_prediction(tmp_path: Path) -> None:
    work = tmp_path / "work"
    command = [sys.executable, EXAMPLE / "side_by_side.py", "--output", work, "--convert"]
    subprocess.run([*command, *SHORT.split(), "--processes", "2"], check=True)
    results = json.loads((work / "results.json").read_text())
    (stock,), (ours,) = results.values()
    for run in (stock, ours):
        assert len(run["train_losses"]) == 2
        assert run["train_losses"][1] < run["train_losses"][0]
    assert abs(stock["train_losses"][1] - ours["train_losses"][1]) < 0.25
    assert ours["dice"] > 0.2
    assert (work / "losses.png").stat().st_size > 10_000

    # Without mlarray, copies of the trainers' files are enough.
    copies = tmp_path / "trainers"
    shutil.copytree(trainers_folder(), copies)
    shutil.copytree(EXAMPLE / "trainers", copies, dirs_exist_ok=True)
    blocked = tmp_path / "blocked"
    (blocked / "mlarray").mkdir(parents=True)
    (blocked / "mlarray" / "__init__.py").write_text("raise ImportError('it is not here')")
    environment = {
        **os.environ,
        "nnUNet_raw": str(work / "raw"),
        "nnUNet_preprocessed": str(work / "preprocessed"),
        "nnUNet_results": str(work / "results-0"),
        "nnUNet_extTrainer": str(copies),
        "PYTHONPATH": os.pathsep.join([str(blocked), str(copies)]),
    }
    predict = Path(sys.executable).with_name("nnUNetv2_predict")
    raw = work / "raw" / "Dataset001_Tissues"
    subprocess.run(
        [
            *(predict, "-i", raw / "imagesTs", "-o", tmp_path / "out", "-d", "1"),
            *("-c", "3d_small", "-f", "0", "-tr", "ShortMLArray", "-device", "cpu"),
            *("-npp", "1", "-nps", "1", "--disable_tta"),
        ],
        env=environment,
        check=True,
    )
    (found,) = (tmp_path / "out").glob("*.nii.gz")
    label = np.asarray(nibabel.load(found).dataobj)
    truth = np.asarray(nibabel.load(raw / "labelsTs" / found.name).dataobj)
    assert label.shape == truth.shape
    assert ((label > 0) == (truth > 0)).mean() > 0.7
