"""nnU-Net v2 fed by our loader, not patched: docs/nnunet.md."""

from __future__ import annotations

import os

__all__ = ["TRAINERS", "trainers_folder"]

# What `nnUNetv2_train -tr` can be told.
TRAINERS = ("nnUNetTrainerMLArray", "nnUNetTrainerMLArray_5epochs")


def trainers_folder() -> str:
    """The folder that the environment variable ``nnUNet_extTrainer`` is to name."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "trainers")
