"""Time nnU-Net's default training transforms side by side: ours and batchgeneratorsv2's.

One thread each; core milliseconds of a sample, and of each transform alone. Needs torch;
nnunetv2 is not needed::

    pip install torch==2.13.0 batchgeneratorsv2==0.3.6
    python benchmarks/python/augment.py --samples 60 --patch 128 128 128
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mlarray.training import augment

SCALES = [[2.0**-level] * 3 for level in range(5)]


def make_volume(shape: tuple[int, ...], channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise, and labels of five shells."""
    rng = np.random.default_rng(0)
    image = rng.normal(size=(channels, *shape)).astype(np.float32)
    far = np.sqrt(sum((axis - n / 2) ** 2 for axis, n in zip(np.indices(shape), shape)))
    label = np.digitize(far, np.array([0.1, 0.18, 0.26, 0.34]) * max(shape))
    return image, label[None].astype(np.int16)


def core_ms(call: Callable[[], Any]) -> float:
    """Milliseconds of the processor that a call takes, in all threads."""
    start = time.process_time()
    call()
    return (time.process_time() - start) * 1e3


def reference(
    patch: tuple[int, ...], planar: bool, angle: float, scales: list[list[float]]
) -> list[tuple[str, Any]]:
    """Return batchgeneratorsv2's transforms as nnunetv2 2.8.1 lists them, with names."""
    from batchgeneratorsv2.transforms.intensity.brightness import (
        MultiplicativeBrightnessTransform,
    )
    from batchgeneratorsv2.transforms.intensity.contrast import BGContrast, ContrastTransform
    from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import (
        SimulateLowResolutionTransform,
    )
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import (
        DownsampleSegForDSTransform,
    )
    from batchgeneratorsv2.transforms.utils.pseudo2d import (
        Convert2DTo3DTransform,
        Convert3DTo2DTransform,
    )
    from batchgeneratorsv2.transforms.utils.random import RandomTransform
    from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform

    spatial = SpatialTransform(
        patch[1:] if planar else patch,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=0.2,
        rotation=(-angle, angle),
        p_scaling=0.2,
        scaling=(0.7, 1.4),
        p_synchronize_scaling_across_axes=1,
        border_mode_seg="constant",
        padding_value_seg=-1,
    )
    random = RandomTransform
    factor = BGContrast((0.75, 1.25))
    power = BGContrast((0.7, 1.5))
    flat = (0,) if planar else None
    named: list[tuple[str, Any]] = [("spatial", spatial)]
    if planar:
        named = [
            ("flatten", Convert3DTo2DTransform()),
            *named,
            ("unflatten", Convert2DTo3DTransform()),
        ]
    named += [
        ("noise", random(GaussianNoiseTransform((0, 0.1), 1, True), 0.1)),
        ("blur", random(GaussianBlurTransform((0.5, 1.0), False, False, 0.5, True), 0.2)),
        ("brightness", random(MultiplicativeBrightnessTransform(factor, False, 1), 0.15)),
        ("contrast", random(ContrastTransform(factor, True, False, 1), 0.15)),
        (
            "low resolution",
            random(
                SimulateLowResolutionTransform((0.5, 1), False, True, flat, None, 0.5), 0.25
            ),
        ),
        ("gamma inverted", random(GammaTransform(power, 1, False, 1, 1), 0.1)),
        ("gamma", random(GammaTransform(power, 0, False, 1, 1), 0.3)),
        ("mirror", MirrorTransform(tuple(range(len(patch))))),
        ("remove label", RemoveLabelTansform(-1, 0)),
        ("deep supervision", DownsampleSegForDSTransform(scales)),
    ]
    return named


def main() -> None:
    """Run both in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--patch", type=int, nargs="+", default=[128, 128, 128])
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    patch = tuple(options.patch)
    scales = [factors[: len(patch)] for factors in SCALES if min(patch) * factors[0] >= 4]
    pipeline = augment.nnunet(patch, scales=scales)
    image, label = make_volume(pipeline.initial, options.channels)
    spatial = pipeline.value["spatial"]

    ours, theirs = [], []
    parts: dict[str, float] = {}
    try:
        import torch

        torch.set_num_threads(1)
        named = reference(patch, spatial["planar"], spatial["rotation"][1], scales)
    except ImportError:
        named = []
        print("batchgeneratorsv2 is not installed: ours alone")
    for seed in range(-3, options.samples):
        mine = core_ms(partial(pipeline.apply, image, label, seed=seed))
        other = 0.0
        if named:
            data = {
                "image": torch.from_numpy(image.copy()),
                "segmentation": torch.from_numpy(label.copy()),
            }
            for name, transform in named:

                def call(transform: Any = transform) -> None:
                    nonlocal data
                    data = transform(**data)

                part = core_ms(call)
                other += part
                if seed >= 0:
                    parts[name] = parts.get(name, 0) + part / options.samples
        if seed >= 0:  # the first ones find out which convolution is faster
            ours.append(mine)
            theirs.append(other)

    single: dict[str, float] = {"copy": 0, "warp": 0}
    plain: dict[str, Any] = {"seed": 1, "matrix": None, "flips": [], "steps": []}
    turned = pipeline.value
    turned["spatial"]["p_rotation"] = 1
    turned_pipeline = augment.Pipeline(turned)
    rounds = 7
    for k in range(rounds):
        single["copy"] += core_ms(lambda: pipeline.apply(image, label, drawn=plain)) / rounds
        drawn = {**turned_pipeline.draw(k), "steps": []}
        single["warp"] += core_ms(partial(pipeline.apply, image, label, drawn=drawn)) / rounds

    def repeat(drawn: dict[str, Any]) -> None:
        for _ in range(rounds):
            pipeline.apply(image, drawn=drawn)

    bare = core_ms(partial(repeat, plain)) / rounds
    for index, transform in enumerate(pipeline.value["intensity"]):
        steps = [{"transform": index, "channel": 0, "values": [0.8] * 3, "keep_stats": True}]
        one = {**plain, "steps": steps}
        whole = core_ms(partial(repeat, one))
        single[transform["transform"]] = whole / rounds - bare

    result = {
        "patch": patch,
        "channels": options.channels,
        "samples": options.samples,
        "instruction_set": augment.instruction_sets()[0],
        "ours_ms": float(np.mean(ours)),
        "ours_max_ms": float(np.max(ours)),
        "batchgenerators_ms": float(np.mean(theirs)),
        "batchgenerators_max_ms": float(np.max(theirs)),
        "ours_each_ms": single,
        "batchgenerators_mean_ms": parts,
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{patch}, {options.channels} channels, {options.samples} samples, core ms a sample")
    print(
        f"  ours               mean {result['ours_ms']:8.1f}  max {result['ours_max_ms']:8.1f}"
    )
    if named:
        print(f"  batchgeneratorsv2  mean {np.mean(theirs):8.1f}  max {np.max(theirs):8.1f}")
        print(f"  ratio              {np.mean(theirs) / np.mean(ours):.1f}")
        print("batchgeneratorsv2, share of the mean:")
        for name, ms in parts.items():
            print(f"  {name:<18} {ms:8.2f}")
    print("ours, each when it is applied to one channel:")
    for name, ms in single.items():
        print(f"  {name:<18} {ms:8.2f}")


if __name__ == "__main__":
    main()
