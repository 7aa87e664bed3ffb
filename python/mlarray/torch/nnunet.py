"""The loaders of a trainer of nnU-Net's: what it is set to, in our words.

Nothing of nnU-Net's is imported. Of a trainer is used what a trainer of its version 2.8.1 has.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ..errors import InvalidUseError, InvalidValueError, NotFoundError
from ..training import Balanced, Case
from ..training.augment import Pipeline, nnunet
from ..training.nnunet_folder import refuse_missing
from .loader import PatchLoader

__all__ = ["Batches", "make_loaders"]

# Beside the folders of preprocessed cases: what the .pkl files list, once read.
_INDEX_FOLDER = "mlarray_label_index"
_LEAST_AHEAD = 256 << 20  # bytes
_TRANSFORMS = ("get_training_transforms", "get_validation_transforms")


class Batches:
    """nnU-Net's batches without end: of each its data, target and keys.

    Parameters
    ----------
    loader : mlarray.torch.PatchLoader
        Where they come from; its epochs follow each other.
    pipeline : Pipeline
        What augments them, for nnU-Net's debug.json.
    several : bool
        The target is a list, one resolution each, for deep supervision.
    regions : bool
        The target has a channel for each region, and is bool.
    """

    def __init__(
        self, loader: PatchLoader, pipeline: Pipeline, several: bool, regions: bool
    ) -> None:
        self.loader = loader
        self.transform = pipeline
        self._several, self._regions = several, regions
        self._names = [case.name for case in loader.cases]
        self._epoch: Iterator[dict[str, torch.Tensor]] = iter(())
        self._targets: list[str] = []

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> dict[str, Any]:
        batch = next(self._epoch, None)
        if batch is None:
            self._epoch = iter(self.loader)
            batch = next(self._epoch)
        if not self._targets:
            more = [f"label_{k}" for k in range(1, len(batch)) if f"label_{k}" in batch]
            self._targets = ["label", *more]
        targets = [batch[name] for name in self._targets]
        if self._regions:
            targets = [target.bool() for target in targets]
        return {
            "data": batch["image"],
            "target": targets if self._several else targets[0],
            "keys": [self._names[case] for case in batch["case"].tolist()],
        }

    def close(self) -> None:
        """Stop the threads; batches stay valid."""
        self._epoch = iter(())
        self.loader.close()

    def __repr__(self) -> str:
        return repr(self.loader)


def make_loaders(trainer: Any, threads: int) -> tuple[Batches, Batches]:
    """The batches of a trainer, of training and of validation.

    Parameters
    ----------
    trainer : nnUNetTrainer
        Initialised. Its ``mlarray_seed`` and ``mlarray_pipeline`` are used where it has them.
    threads : int
        For training; for validation half of them. 0, which is no worker process of nnU-Net's,
        is one.

    Returns
    -------
    Batches, Batches
        They begin where the trainer's epoch does.

    Raises
    ------
    InvalidUseError, InvalidValueError
        For a trainer that is set to what we do not have.
    NotFoundError
        For a case that is not preprocessed, or not as ``.b2nd``.
    """
    _refuse_other_transforms(type(trainer))
    training = _training_pipeline(trainer)
    validation = nnunet(_patch(trainer), validation=True, **_labels(trainer))
    of_training, of_validation = trainer.get_tr_and_val_datasets()
    seeds = _seeds(trainer)
    return (
        _batches(
            trainer,
            of_training,
            training,
            trainer.num_iterations_per_epoch,
            max(1, threads),
            seeds[0],
        ),
        _batches(
            trainer,
            of_validation,
            validation,
            trainer.num_val_iterations_per_epoch,
            max(1, threads // 2),
            seeds[1],
        ),
    )


def _refuse_other_transforms(trainer: type) -> None:
    for name in _TRANSFORMS:
        owner = next((one for one in trainer.__mro__ if name in vars(one)), None)
        if owner is not None and owner.__name__ != "nnUNetTrainer":
            raise InvalidUseError(
                f"{trainer.__name__}: {owner.__name__} changes {name}, which mlarray does not "
                f"run. Make the change in mlarray_pipeline, and leave out that base class; or "
                f"use nnU-Net's own loader"
            )


def _patch(trainer: Any) -> list[int]:
    return [int(length) for length in trainer.configuration_manager.patch_size]


def _labels(trainer: Any) -> dict[str, Any]:
    """What becomes of labels, for training and for validation."""
    manager = trainer.label_manager
    scales = trainer._get_deep_supervision_scales()
    regions = manager.foreground_regions if manager.has_regions else ()
    return {
        "previous": _ints(manager.foreground_labels) if trainer.is_cascaded else (),
        "regions": [_ints(r) if isinstance(r, (tuple, list)) else [int(r)] for r in regions],
        "ignore_label": None if manager.ignore_label is None else int(manager.ignore_label),
        "scales": [] if scales is None else [[float(f) for f in one] for one in scales],
    }


def _training_pipeline(trainer: Any) -> Pipeline:
    rotation, planar, initial, axes = (
        trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    )
    try:
        least, most = (float(angle) for angle in rotation)
    except (TypeError, ValueError):
        least, most = 0.0, math.nan
    if least != -most:
        raise InvalidUseError(
            f"{type(trainer).__name__}: rotations of {rotation!r}; mlarray draws them from a "
            f"pair of angles around 0. Override mlarray_pipeline for others"
        )
    masks = trainer.configuration_manager.use_mask_for_norm or ()
    labels = _labels(trainer)
    preset = nnunet(
        _patch(trainer),
        initial=_ints(initial),
        planar=bool(planar),
        max_angle=most,
        mirror_axes=_ints(axes or ()),
        masked_channels=[channel for channel, masked in enumerate(masks) if masked],
        **labels,
    )
    change = getattr(trainer, "mlarray_pipeline", None)
    pipeline = preset if change is None else change(preset)
    if not isinstance(pipeline, Pipeline):
        raise InvalidUseError(
            f"{type(trainer).__name__}.mlarray_pipeline returned a "
            f"{type(pipeline).__name__}; return a Pipeline of mlarray.training.augment"
        )
    for what in ("patch", "labels"):
        if pipeline.value[what] != preset.value[what]:
            raise InvalidValueError(
                f"{type(trainer).__name__}.mlarray_pipeline changed {what!r}, which the "
                f"network depends on, from {preset.value[what]} to {pipeline.value[what]}"
            )
    return pipeline


def _cases(dataset: Any) -> list[Case]:
    folder = os.fspath(dataset.source_folder)
    earlier = dataset.folder_with_segs_from_previous_stage
    names = [str(name) for name in dataset.identifiers]
    _refuse_missing(folder, [f"{name}{end}" for name in names for end in _FILES])
    if earlier is not None:
        _refuse_missing(os.fspath(earlier), [f"{name}.b2nd" for name in names])

    def label(name: str) -> str | list[str]:
        own = os.path.join(folder, f"{name}_seg.b2nd")
        return own if earlier is None else [own, os.path.join(earlier, f"{name}.b2nd")]

    return [
        Case(
            image=os.path.join(folder, f"{name}.b2nd"),
            label=label(name),
            name=name,
            class_locations=os.path.join(folder, f"{name}.pkl"),
        )
        for name in names
    ]


_FILES = (".b2nd", "_seg.b2nd", ".pkl")


def _refuse_missing(folder: str, wanted: Sequence[str]) -> None:
    try:
        there = set(os.listdir(folder))
    except FileNotFoundError:
        raise NotFoundError(f"there is no folder {folder!r}", path=folder) from None
    way_out = "preprocess the data set with nnunetv2 2.6 or later, which writes .b2nd"
    refuse_missing(folder, there, wanted, way_out)


def _batches(
    trainer: Any, dataset: Any, pipeline: Pipeline, iterations: int, threads: int, seed: int
) -> Batches:
    manager = trainer.label_manager
    batch = int(trainer.batch_size)
    others = sorted({-1, *_ints(manager.all_labels)}) if manager.has_ignore_label else ()
    base = trainer.preprocessed_dataset_folder_base
    loader = PatchLoader(
        _cases(dataset),
        pipeline.patch,
        batch,
        device=trainer.device if trainer.device.type == "cuda" else None,
        sampler=Balanced(
            float(trainer.oversample_foreground_percent),
            forced="probability" if trainer.probabilistic_oversampling else "last",
            border="nnunet",
            others=others,
        ),
        samples_per_epoch=batch * int(iterations),
        seed=seed,
        label_fill=-1,
        slice_axis=0 if len(pipeline.patch) == 2 else None,
        rank=0,  # each rank draws for itself, and has its own seed
        world_size=1,
        threads=threads,
        prefetch_bytes=_bytes_ahead(trainer, pipeline, threads),
        index_cache=os.path.join(base, _INDEX_FOLDER),
        augment=pipeline,
    )
    loader.set_epoch(int(trainer.current_epoch))
    return Batches(
        loader,
        pipeline,
        trainer._get_deep_supervision_scales() is not None,
        manager.has_regions,
    )


def _bytes_ahead(trainer: Any, pipeline: Pipeline, threads: int) -> int:
    """So many that no thread waits for the others of its batch."""
    labels = pipeline.value["labels"]
    scales = labels["scales"] or [[1.0]]
    share = sum(math.prod(factors) for factors in scales)
    voxels = math.prod(pipeline.patch)
    channels = int(trainer.num_input_channels)
    sample = voxels * (4 * channels + 2 * share * max(len(labels["regions"]), 1))
    batch = int(trainer.batch_size)
    return max(_LEAST_AHEAD, int((math.ceil(threads / batch) + 2) * batch * sample))


def _seeds(trainer: Any) -> tuple[int, int]:
    """Of training and validation, another one for each rank."""
    given = getattr(trainer, "mlarray_seed", None)
    if given is None:
        system = random.SystemRandom()
        return system.getrandbits(63), system.getrandbits(63)
    draws = random.Random(f"{int(given)} {int(trainer.local_rank)}")
    return draws.getrandbits(63), draws.getrandbits(63)


def _ints(values: Sequence[Any]) -> list[int]:
    return [int(value) for value in values]
