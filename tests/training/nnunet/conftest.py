"""Trainers of nnU-Net's for the tests in its environment: make test-training."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

from mlarray.cli.nnunet import trainers_folder

sys.path.insert(0, str(Path(__file__).parent))

from folders import (
    DATASET,
    LABELS,
    Maker,
    configuration,
    json_of,
    plans_of,
    shells,
    write_case,
)

torch.set_num_threads(1)


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a preprocessed data set; nnU-Net's variables name it."""
    monkeypatch.setenv("nnUNet_preprocessed", str(tmp_path / "preprocessed"))
    monkeypatch.setenv("nnUNet_results", str(tmp_path / "results"))
    monkeypatch.setenv("nnUNet_extTrainer", trainers_folder())
    monkeypatch.setenv("nnUNet_n_proc_DA", "2")
    folder = tmp_path / "preprocessed" / DATASET
    (folder / "nnUNetPlans_3d_fullres").mkdir(parents=True)
    return folder


@pytest.fixture
def make_trainer(base: Path) -> Maker:
    """Writes a data set, and makes an initialised trainer of it."""

    def make(
        patch: Sequence[int],
        shapes: Sequence[Sequence[int]] = ((24, 28, 26), (30, 22, 34), (21, 33, 27)),
        labels: dict[str, Any] = LABELS,
        channels: int = 1,
        batch: int = 2,
        name: str = "nnUNetTrainerMLArray",
        initialize: bool = True,
        **more: Any,
    ) -> Any:
        folder = base / "nnUNetPlans_3d_fullres"
        names = [f"case_{number}" for number in range(len(shapes))]
        for number, shape in enumerate(shapes):
            rng = np.random.default_rng(number)
            image = rng.normal(0, 1, (channels, *shape)).astype(np.float32)
            label = shells(shape, number, "ignore" in labels)
            write_case(folder, names[number], image, label, patch, labels)
        splits = [{"train": names, "val": names[-1:]}]
        (base / "splits_final.json").write_text(json.dumps(splits))
        plans = plans_of({"3d_fullres": configuration(patch, batch, channels, **more)})
        (base / "nnUNetPlans.json").write_text(json.dumps(plans))
        found = recursive_find_trainer_class_by_name(name)
        trainer = found(
            plans={**plans, "continue_training": False},
            configuration="3d_fullres",
            fold=0,
            dataset_json=json_of(labels, channels),
            device=torch.device("cpu"),
        )
        if initialize:
            trainer.initialize()
        return trainer

    return make
