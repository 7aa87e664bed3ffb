"""Loading and augmenting, as users of each library write it: crop, flip, turn, blur, noise.

train_worker.py runs one of `LOADERS`; all draw patches around a voxel of a class half of the
time, and augment them with the same probabilities and ranges, each with its own transforms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

Setup = dict[str, Any]

KEYS = ["image", "label"]
P_FLIP, P_TURN, P_BLUR, P_NOISE = 0.5, 0.2, 0.2, 0.1
ANGLE, SCALES = math.pi / 6, (0.7, 1.4)
BLUR, NOISE = (0.5, 1.0), 0.1


def mlarray(setup: Setup) -> Iterator[int]:
    """mlarray.torch.PatchLoader: the threads that read augment as well."""
    from mlarray.torch import PatchLoader
    from mlarray.training import Balanced, Case
    from mlarray.training.augment import Pipeline

    patch = list(setup["patch"])
    pipeline = Pipeline(
        {
            "patch": patch,
            "initial": patch,
            "spatial": {
                "p_rotation": P_TURN,
                "rotation": [-ANGLE, ANGLE],
                "p_scaling": P_TURN,
                "scaling": list(SCALES),
            },
            "intensity": [
                {"transform": "gaussian_blur", "p": P_BLUR, "sigma": list(BLUR)},
                {"transform": "gaussian_noise", "p": P_NOISE, "sigma": [0.0, NOISE]},
            ],
            "mirror_axes": [0, 1, 2],
        }
    )
    loader = PatchLoader(
        [Case(case["image"], case["label"]) for case in setup["cases"]],
        patch,
        setup["batch"],
        sampler=Balanced(setup["foreground"], negatives=True),
        augment=pipeline,
        samples_per_epoch=10**9,
        prefetch_bytes=64 << 20,
    )
    for batch in loader:
        yield len(batch["case"])


def monai(setup: Setup) -> Iterator[int]:
    """MONAI: of NIfTI by its own reader and crop, of ``.mla`` by our patches."""
    import torch
    from monai import transforms
    from monai.data import DataLoader, Dataset

    share = setup["foreground"]
    crop = {
        "label_key": "label",
        "spatial_size": setup["patch"],
        "pos": share,
        "neg": 1 - share,
        "num_samples": 1,
    }
    if setup["cases"][0]["image"].endswith(".mla"):
        from mlarray.monai import RandPatchByPosNegLabeld

        first = [RandPatchByPosNegLabeld(KEYS, **crop)]
    else:
        first = [
            transforms.LoadImaged(KEYS, ensure_channel_first=True),
            transforms.RandCropByPosNegLabeld(KEYS, **crop),
        ]
    low, high = SCALES
    transform = transforms.Compose(
        [
            *first,
            *(transforms.RandFlipd(KEYS, P_FLIP, spatial_axis=axis) for axis in range(3)),
            transforms.RandAffined(
                KEYS,
                prob=1 - (1 - P_TURN) ** 2,
                rotate_range=(ANGLE,) * 3,
                scale_range=((low - 1, high - 1),) * 3,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
            transforms.RandGaussianSmoothd("image", BLUR, BLUR, BLUR, prob=P_BLUR),
            transforms.RandGaussianNoised("image", prob=P_NOISE, std=NOISE),
        ]
    )
    torch.set_num_threads(1)
    items = [{key: case[key] for key in KEYS} for case in setup["cases"]]
    loader = DataLoader(
        Dataset(items * 1000, transform),
        batch_size=setup["batch"],
        num_workers=setup["workers"],
    )
    while True:
        for batch in loader:
            yield len(batch["image"])


def torchio(setup: Setup) -> Iterator[int]:
    """TorchIO's Queue, and transforms of its patches in the workers of a loader around it.

    Of NIfTI, 8 patches a volume, as its page has it; of ``.mla``, 1.
    """
    import torch
    import torchio as tio

    lazy = setup["cases"][0]["image"].endswith(".mla")
    shares = {0: 1 - setup["foreground"], 1: setup["foreground"]}
    sampler: Any
    if lazy:
        from mlarray.torchio import MlaImage, MlaLabelMap, PatchSampler

        kinds: Any = (MlaImage, MlaLabelMap)
        sampler = PatchSampler(setup["patch"], "label", shares)
    else:
        kinds = (tio.ScalarImage, tio.LabelMap)
        sampler = tio.LabelSampler(setup["patch"], "label", shares)
    subjects = [
        tio.Subject(image=kinds[0](case["image"]), label=kinds[1](case["label"]))
        for case in setup["cases"]
    ]
    transform = tio.Compose(
        [
            tio.RandomFlip(axes=(0, 1, 2), flip_probability=P_FLIP),
            tio.RandomAffine(
                scales=SCALES, degrees=math.degrees(ANGLE), p=1 - (1 - P_TURN) ** 2
            ),
            tio.RandomBlur(BLUR, p=P_BLUR),
            tio.RandomNoise(std=(0, NOISE), p=P_NOISE),
        ]
    )
    torch.set_num_threads(1)
    queue = tio.Queue(
        tio.SubjectsDataset(subjects * 1000, load_getitem=not lazy),
        max_length=32,
        samples_per_volume=1 if lazy else 8,
        sampler=sampler,
        num_workers=0 if lazy else setup["workers"],
    )
    patches: list[Any] = []
    while True:
        patches.append(transform(queue[0]))
        if len(patches) == setup["batch"]:
            tio.SubjectsLoader._collate(patches)
            yield len(patches)
            patches = []


LOADERS = {"mlarray": mlarray, "monai": monai, "torchio": torchio}
