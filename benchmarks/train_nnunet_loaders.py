"""nnU-Net's own loader and ours on a folder that it has preprocessed: for train_worker.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

Setup = dict[str, Any]

LABELS = (1, 2, 3, 4)
STAGES = 5  # of deep supervision, as nnU-Net has it for 128^3


def scales(patch: tuple[int, ...]) -> list[list[float]]:
    """Of each stage, the share of the patch along each axis.

    An axis is halved where it is longer than half of the longest: resolutions of nnU-Net's
    plans become isotropic first.
    """
    found = [[1.0] * len(patch)]
    for _ in range(STAGES - 1):
        lengths = [length * share for length, share in zip(patch, found[-1])]
        found.append(
            [
                share / 2 if length > max(lengths) / 2 else share
                for length, share in zip(lengths, found[-1])
            ]
        )
    return found


def trainer_facts(patch: tuple[int, ...]) -> tuple[Any, bool, tuple[int, ...], Any]:
    """What nnU-Net's trainer says: rotations, dummy 2-D, the first patch, axes to mirror."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    trainer = SimpleNamespace(
        configuration_manager=SimpleNamespace(patch_size=patch),
        print_to_log_file=lambda *_: None,
    )
    rotation, planar, initial, axes = (
        nnUNetTrainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size(trainer)
    )
    return rotation, bool(planar), tuple(int(length) for length in initial), axes


def save(setup: Setup) -> None:
    """Write cases as nnU-Net's preprocessing does: z-scores as float32, labels as int8."""
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.training.dataloading.nnunet_dataset import (
        comp_blosc2_params,
        nnUNetDatasetBlosc2,
    )

    folder, patch = Path(setup["folder"]), tuple(setup["patch"])
    folder.mkdir(parents=True, exist_ok=True)
    for number, (source, labels) in enumerate(setup["nnunet_save"]):
        image = np.load(source)[None].astype(np.float32)
        image = (image - image.mean()) / image.std()
        # More channels are the same anatomy with other contrasts.
        more = [np.tanh(image * k) for k in range(1, setup["channels"])]
        image = np.concatenate([image, *more])
        label = np.load(labels)[None].astype(np.int8)
        if len(patch) == 2:  # the cases have no slices of such a size
            image, label = (_enlarged(one, patch) for one in (image, label))
            image += np.random.default_rng(number).normal(0, 0.05, image.shape).astype("f4")
        lists = DefaultPreprocessor._sample_foreground_locations(label, list(LABELS))
        sizes = [comp_blosc2_params(one.shape, patch, one.itemsize) for one in (image, label)]
        nnUNetDatasetBlosc2.save_case(
            image,
            label,
            {"class_locations": lists},
            str(folder / f"case_{number}"),
            chunks=sizes[0][1],
            blocks=sizes[0][0],
            chunks_seg=sizes[1][1],
            blocks_seg=sizes[1][0],
        )


def _enlarged(voxels: np.ndarray[Any, Any], patch: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Every other slice, with twice the voxels along its axes, cut to the patch."""
    larger = voxels[:, ::2].repeat(2, axis=2).repeat(2, axis=3)
    return np.ascontiguousarray(larger[..., : patch[0], : patch[1]])


def stock(setup: Setup) -> Iterator[int]:
    """nnU-Net's DataLoader as its trainer makes it, in so many processes."""
    import torch
    from batchgenerators.dataloading.nondet_multi_threaded_augmenter import (
        NonDetMultiThreadedAugmenter,
    )
    from batchgenerators.dataloading.single_threaded_augmenter import SingleThreadedAugmenter
    from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(1)  # as its trainer has it for a GPU
    patch = tuple(setup["patch"])
    initial, transforms = patch, None
    if setup["augment"]:
        rotation, planar, initial, axes = trainer_facts(patch)
        transforms = nnUNetTrainer.get_training_transforms(
            patch,
            rotation,
            scales(patch),
            axes,
            planar,
            use_mask_for_norm=[False] * setup["channels"],
        )
    loader = nnUNetDataLoader(
        nnUNetDatasetBlosc2(setup["folder"]),
        setup["batch"],
        initial,
        patch,
        SimpleNamespace(all_labels=[0, *LABELS], has_ignore_label=False),
        oversample_foreground_percent=0.33,
        transforms=transforms,
    )
    read = float(np.prod(initial) / np.prod(patch))
    setup["facts"] = lambda: {"voxels_read": read}
    count = setup["workers"]
    batches: Any = SingleThreadedAugmenter(loader, None)
    if count > 0:
        batches = NonDetMultiThreadedAugmenter(
            data_loader=loader,
            transform=None,
            num_processes=count,
            num_cached=max(6, count // 2),
            seeds=None,
            pin_memory=False,
            wait_time=0.002,
        )
    while True:
        yield len(next(batches)["data"])


def ours(setup: Setup) -> Iterator[int]:
    """mlarray.torch.PatchLoader on the same folder, or on one that was converted."""
    from mlarray.torch import PatchLoader
    from mlarray.training import Balanced, augment

    patch = tuple(setup["patch"])
    pipeline = None
    if setup["augment"]:
        rotation, planar, initial, axes = trainer_facts(patch)
        pipeline = augment.nnunet(
            patch,
            initial=initial,
            planar=planar,
            max_angle=rotation[1],
            mirror_axes=axes,
            scales=scales(patch),
        )
    loader = PatchLoader.from_folder(
        setup["folder"],
        patch_size=patch,
        batch_size=setup["batch"],
        sampler=Balanced(0.33, forced="last", border="nnunet"),
        samples_per_epoch=10**9,
        label_fill=-1,
        slice_axis=0 if len(patch) == 2 else None,
        augment=pipeline,
        index_cache=setup["cache"],
    )
    voxels = (setup["channels"] + 1) * int(np.prod(patch))  # of image and label

    def facts() -> dict[str, float]:
        times = loader.times
        return {"voxels_read": times.voxels_read / max(times.samples, 1) / voxels}

    setup["facts"] = facts
    for batch in loader:
        yield len(batch["case"])
