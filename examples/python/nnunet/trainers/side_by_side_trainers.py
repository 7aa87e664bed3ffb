"""nnU-Net's trainer and mlarray's, both shorter: for side_by_side.py beside this folder.

Shows how a trainer is derived: from nnUNetTrainerMLArray as from nnUNetTrainer.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch
from nnUNetTrainerMLArray import nnUNetTrainerMLArray  # its folder is in PYTHONPATH
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class Short(nnUNetTrainer):
    """Epochs, iterations and seed as the environment says."""

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = int(os.environ["SIDE_EPOCHS"])
        self.num_iterations_per_epoch = int(os.environ["SIDE_ITERATIONS"])
        self.num_val_iterations_per_epoch = max(1, self.num_iterations_per_epoch // 5)
        self.mlarray_seed = int(os.environ["SIDE_SEED"])

    def initialize(self) -> None:
        """The same first weights on both sides."""
        torch.manual_seed(self.mlarray_seed)
        np.random.seed(self.mlarray_seed)
        random.seed(self.mlarray_seed)
        super().initialize()

    def perform_actual_validation(self, save_probabilities: bool = False) -> None:
        """Without mirroring, whose eight passes take longer than the training on a CPU."""
        self.inference_allowed_mirroring_axes = None
        super().perform_actual_validation(save_probabilities)


class ShortStock(Short):
    """nnU-Net's own loader."""


class ShortMLArray(Short, nnUNetTrainerMLArray):
    """mlarray's loader."""
