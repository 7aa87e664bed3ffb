"""Trainers for nnU-Net v2 whose batches mlarray reads and augments: docs/nnunet.md.

nnU-Net finds this file by its environment variable ``nnUNet_extTrainer``, to train and to
predict. Only training needs mlarray: a copy of this file is enough to predict.
"""

from __future__ import annotations

from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.default_n_proc_DA import get_allowed_n_proc_DA


class nnUNetTrainerMLArray(nnUNetTrainer):
    """nnU-Net's trainer with the same batches from `mlarray.training.PatchLoader`.

    It works with the trainers of others that change anything but the transforms:
    ``class Mine(nnUNetTrainerMLArray, nnUNetTrainerNoMirroring)``.
    """

    # Of all that is drawn for batches; None: another one for each training, as nnU-Net has it.
    mlarray_seed: int | None = None

    def mlarray_pipeline(self, pipeline: Any) -> Any:
        """Change what is done to a sample for training.

        Parameters
        ----------
        pipeline : mlarray.training.augment.Pipeline
            nnU-Net's default augmentation, for this configuration.

        Returns
        -------
        Pipeline
            The one to use; of the same patch and the same labels.
        """
        return pipeline

    def get_dataloaders(self) -> tuple[Any, Any]:
        """Two endless iterators, of training and of validation."""
        from mlarray.torch.nnunet import make_loaders

        return make_loaders(self, get_allowed_n_proc_DA())

    def on_train_end(self) -> None:
        super().on_train_end()
        for loader in (self.dataloader_train, self.dataloader_val):
            if hasattr(loader, "close"):  # a trainer of a user may have others
                loader.close()


class nnUNetTrainerMLArray_5epochs(nnUNetTrainerMLArray):
    """The same for 5 epochs, to try it."""

    # nnU-Net reads the names of these parameters, and keeps them in checkpoints.
    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cuda"),  # noqa: B008
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs = 5
