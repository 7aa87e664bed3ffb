"""Preprocessed cases and plans as nnU-Net has them, small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
from nnunetv2.training.dataloading.nnunet_dataset import (
    comp_blosc2_params,
    nnUNetDatasetBlosc2,
)
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

Maker = Callable[..., Any]
DATASET = "Dataset001_Shells"
LABELS: dict[str, Any] = {"background": 0, "skin": 1, "flesh": 2, "stone": 3}
IGNORED = {**LABELS, "ignore": 4}
REGIONS: dict[str, Any] = {"background": 0, "all": [1, 2, 3], "core": [2, 3], "stone": 3}
BOTH = {**REGIONS, "ignore": 4}


def shells(shape: Sequence[int], seed: int, ignored: bool = False) -> np.ndarray:
    """A label map (1, ...) as nnU-Net keeps it: -1 outside of what was scanned."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape)
    label = np.zeros(shape, np.int8)
    for value, size in ((1, 0.45), (2, 0.32), (3, 0.15)):
        centre = np.array(shape) * rng.uniform(0.4, 0.6, 3)
        radius = np.maximum(np.array(shape) * size, 1.5)
        far = (((grid.T - centre) / radius).T ** 2).sum(0)
        label[far < 1] = value
    if ignored:
        label[rng.random(shape) < 0.1] = 4
    label[:, :, :2] = -1
    return label[None]


def write_case(
    folder: Path,
    name: str,
    image: np.ndarray,
    label: np.ndarray,
    patch: Sequence[int],
    labels: dict[str, Any],
) -> None:
    """Save a case as nnU-Net's preprocessing does."""
    manager = manager_of(labels)
    wanted = manager.foreground_regions if manager.has_regions else manager.foreground_labels
    wanted = list(wanted)
    if manager.has_ignore_label:
        wanted.append([-1, *manager.all_labels])
    lists = DefaultPreprocessor._sample_foreground_locations(label, wanted)
    blocks, chunks = comp_blosc2_params(image.shape, tuple(patch), image.itemsize)
    of_label = comp_blosc2_params(label.shape, tuple(patch), label.itemsize)
    for end in (".b2nd", "_seg.b2nd"):
        (folder / f"{name}{end}").unlink(missing_ok=True)
    nnUNetDatasetBlosc2.save_case(
        image,
        label,
        {"class_locations": lists, "spacing": [1.0, 1.0, 1.0]},
        str(folder / name),
        chunks=chunks,
        blocks=blocks,
        blocks_seg=of_label[0],
        chunks_seg=of_label[1],
    )


def manager_of(labels: dict[str, Any]) -> Any:
    return PlansManager(plans_of({})).get_label_manager(json_of(labels))


def json_of(labels: dict[str, Any], channels: int = 1) -> dict[str, Any]:
    regions = [value for value in labels.values() if isinstance(value, list)]
    order = {"regions_class_order": [1, 2, 3]} if regions else {}
    names = {str(channel): "MR" for channel in range(channels)}
    return {"channel_names": names, "labels": labels, "file_ending": ".nii.gz", **order}


def plans_of(configurations: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset_name": DATASET,
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "configurations": configurations,
    }


def configuration(
    patch: Sequence[int], batch: int = 2, channels: int = 1, **more: Any
) -> dict[str, Any]:
    """One of the plans, with a network of three stages."""
    axes = len(patch)
    operators = ["conv_op", "norm_op", "dropout_op", "nonlin"]
    return {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": batch,
        "patch_size": list(patch),
        "spacing": [1.0] * axes,
        "normalization_schemes": ["ZScoreNormalization"] * channels,
        "use_mask_for_norm": [False] * channels,
        "batch_dice": True,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet."
            "PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 3,
                "features_per_stage": [4, 8, 8],
                "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
                "kernel_sizes": [[3] * axes] * 3,
                "strides": [[1] * axes, [2] * axes, [2] * axes],
                "n_conv_per_stage": [1, 1, 1],
                "n_conv_per_stage_decoder": [1, 1],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
                "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": operators,
        },
        **more,
    }
