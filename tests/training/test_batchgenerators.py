"""Each transform of nnU-Net's default equals batchgeneratorsv2's, given what was drawn.

Needs the packages torch and batchgeneratorsv2 (0.3.6). What it draws is compared too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("batchgeneratorsv2", reason="batchgeneratorsv2 is not installed")

from batchgeneratorsv2.transforms.intensity.brightness import (  # noqa: E402
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import (  # noqa: E402
    BGContrast,
    ContrastTransform,
)
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform  # noqa: E402
from batchgeneratorsv2.transforms.intensity.gaussian_noise import (  # noqa: E402
    GaussianNoiseTransform,
)
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform  # noqa: E402
from batchgeneratorsv2.transforms.spatial.low_resolution import (  # noqa: E402
    SimulateLowResolutionTransform,
)
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform  # noqa: E402
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform  # noqa: E402
from batchgeneratorsv2.transforms.utils.deep_supervision_downsampling import (  # noqa: E402
    DownsampleSegForDSTransform,
)
from batchgeneratorsv2.transforms.utils.random import RandomTransform  # noqa: E402

from mlarray.training import augment  # noqa: E402

torch.set_num_threads(1)

NOISE, BLUR, BRIGHTNESS, CONTRAST, LOW, INVERTED, GAMMA = range(7)


def volume(shape: tuple[int, ...], channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(channels, *shape)).astype(np.float32)


def classes(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Shells around some points, with thin parts and corners where many labels meet."""
    rng = np.random.default_rng(seed)
    grid = np.indices(shape).astype(np.float32)
    label = np.zeros(shape, np.int16)
    for value in range(1, 6):
        centre = rng.uniform(0.2, 0.8, len(shape)) * shape
        far = np.sqrt(((grid.T - centre.astype(np.float32)).T ** 2).sum(0))
        label[far < rng.uniform(0.15, 0.3) * max(shape)] = value
    label[rng.random(shape) < 0.01] = 3
    return label[None]


def drawn(**parts: Any) -> dict[str, Any]:
    return {"seed": 1, "matrix": None, "flips": [], "steps": [], **parts}


def step(transform: int, *values: float, channel: int = 0, **flags: bool) -> dict[str, Any]:
    return {"transform": transform, "channel": channel, "values": list(values), **flags}


def affine(angles: list[float], scale: float) -> np.ndarray:
    """The matrix by axes: scale first, then turn around the first, second, third axis."""
    matrix = np.eye(3) * scale
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def reference_warp(
    image: np.ndarray,
    label: np.ndarray,
    patch: tuple[int, ...],
    angles: list[float],
    scale: float,
) -> tuple[np.ndarray, np.ndarray]:
    queue = iter([*angles[: image.ndim - 1]])
    transform = SpatialTransform(
        patch,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=1,
        rotation=lambda *_, **__: next(queue),
        p_scaling=1,
        scaling=(scale, scale),
        p_synchronize_scaling_across_axes=1,
        border_mode_seg="constant",
        padding_value_seg=-1,
    )
    made = transform(image=torch.from_numpy(image), segmentation=torch.from_numpy(label))
    return made["image"].numpy(), made["segmentation"].numpy()


def agree(ours: np.ndarray, theirs: np.ndarray, before: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-4 * np.ptp(before)


@pytest.mark.parametrize("which", ["inside", "outside", "two axes", "planes"])
def test_warps(which: str) -> None:
    patch: tuple[int, ...] = (48, 56, 64)
    initial: tuple[int, ...] = (92, 98, 100) if which == "inside" else (50, 60, 66)
    if which == "two axes":
        patch, initial = (96, 112), (150, 140)
    elif which == "planes":
        patch, initial = (12, 96, 112), (12, 150, 140)
    pipeline = augment.Pipeline(
        {
            "patch": patch,
            "initial": initial,
            "spatial": {"planar": which == "planes"},
            "labels": {"remove_outside": False},
        }
    )
    image, label = volume(initial), classes(initial)
    flat = which in ("two axes", "planes")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        angles = list(rng.uniform(-0.5, 0.5, 3))
        scale = float(rng.uniform(0.7, 1.4))
        matrix = affine([angles[1], 0, 0] if flat else angles, scale)
        if flat:
            matrix[0, 0] = 1
        made, labels = pipeline.apply(image, label, drawn=drawn(matrix=matrix.ravel().tolist()))
        if which == "planes":
            there = reference_warp(image[0], label[0], patch[1:], angles, scale)
            reference = there[0][None], there[1][None]
        else:
            reference = reference_warp(image, label, patch, angles, scale)
        agree(made, reference[0], image)
        assert (labels == reference[1]).mean() >= 0.9995
        if which == "outside":
            assert (labels == -1).any()


def test_copies() -> None:
    pipeline = augment.Pipeline(
        {"patch": (16, 17, 18), "initial": (31, 30, 33), "labels": {"remove_outside": False}}
    )
    image, label = volume((31, 30, 33), 2), classes((31, 30, 33))
    transform = SpatialTransform((16, 17, 18), 0, False)
    there = transform(image=torch.from_numpy(image), segmentation=torch.from_numpy(label))
    made, labels = pipeline.apply(image, label, drawn=drawn())
    np.testing.assert_array_equal(made, there["image"].numpy())
    np.testing.assert_array_equal(labels, there["segmentation"].numpy())


def run_step(
    image: np.ndarray, one: dict[str, Any], flips: list[int] | None = None
) -> np.ndarray:
    pipeline = augment.nnunet(image.shape[1:], initial=image.shape[1:])
    made, _ = pipeline.apply(image, drawn=drawn(steps=[one], flips=flips or []))
    return made


SHAPES = [(24, 32, 40), (48, 64)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sigma", [0.5, 0.58, 0.62, 0.75, 0.9, 1.0])
def test_blur(shape: tuple[int, ...], sigma: float) -> None:
    image = volume(shape)
    transform = GaussianBlurTransform(sigma, False, False, 1, benchmark=False)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    agree(run_step(image, step(BLUR, *[sigma] * len(shape))), there, image)


@pytest.mark.parametrize("shape", SHAPES)
def test_brightness(shape: tuple[int, ...]) -> None:
    image = volume(shape)
    transform = MultiplicativeBrightnessTransform((1.2, 1.2), False)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    agree(run_step(image, step(BRIGHTNESS, 1.2)), there, image)


@pytest.mark.parametrize("factor", [0.75, 1.25])
def test_contrast(factor: float) -> None:
    image = volume((24, 32, 40)) * 3 + 7
    transform = ContrastTransform((factor, factor), True, False)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    agree(run_step(image, step(CONTRAST, factor)), there, image)


@pytest.mark.parametrize("shape", [*SHAPES, (12, 40, 40)])
@pytest.mark.parametrize("scale", [0.5, 0.513, 0.7, 0.96])
def test_low_resolution(shape: tuple[int, ...], scale: float) -> None:
    image = volume(shape)
    ignored = (0,) if shape[0] == 12 else None
    transform = SimulateLowResolutionTransform((scale, scale), False, True, ignored)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    exact = float(np.float32(scale))
    scales = [1.0 if ignored and axis in ignored else exact for axis in range(len(shape))]
    agree(run_step(image, step(LOW, *scales)), there, image)
    flipped = run_step(image, step(LOW, *scales), [len(shape) - 1])
    agree(flipped, there[..., ::-1], image)


@pytest.mark.parametrize("power", [0.7, 1.5])
@pytest.mark.parametrize("invert", [True, False])
@pytest.mark.parametrize("keep", [True, False])
def test_gamma(power: float, invert: bool, keep: bool) -> None:
    image = volume((24, 32, 40)) * 3 + 7
    transform = GammaTransform((power, power), float(invert), False, 1, float(keep))
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    agree(run_step(image, step(GAMMA, power, invert=invert, keep_stats=keep)), there, image)


def test_noise() -> None:
    image = np.zeros((1, 64, 64, 64), np.float32)
    transform = GaussianNoiseTransform((0.1, 0.1), 1, True)
    torch.manual_seed(0)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    assert distance(run_step(image, step(NOISE, 0.1)), there) < 0.005


def test_mirror_and_deep_supervision() -> None:
    shape = (24, 30, 42)
    scales = [[1, 1, 1], [0.5, 0.5, 0.5], [0.25, 0.25, 0.125]]
    image, label = volume(shape), classes(shape)
    pipeline = augment.nnunet(shape, initial=shape, scales=scales)
    made, labels = pipeline.apply(image, label, drawn=drawn(flips=[0, 2]))
    mirror = MirrorTransform((0, 1, 2))
    there = mirror.apply(
        {"image": torch.from_numpy(image), "segmentation": torch.from_numpy(label)}, axes=[0, 2]
    )
    there = DownsampleSegForDSTransform(scales)(**there)
    np.testing.assert_array_equal(made, there["image"].numpy())
    for ours, theirs in zip(labels, there["segmentation"], strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())


def distance(a: Any, b: Any) -> float:
    """Kolmogorov's and Smirnov's: the largest between two distributions."""
    a, b = np.sort(np.ravel(a)), np.sort(np.ravel(b))
    both = np.concatenate([a, b])
    shares = [np.searchsorted(x, both, side="right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


class Listener:
    """Transforms of batchgeneratorsv2 on a tiny patch: what they draw, and nothing else."""

    def __init__(self) -> None:
        wrapped = [
            (0.1, GaussianNoiseTransform((0, 0.1), 1, True)),
            (0.2, GaussianBlurTransform((0.5, 1.0), False, False, 0.5)),
            (0.15, MultiplicativeBrightnessTransform(BGContrast((0.75, 1.25)), False, 1)),
            (0.15, ContrastTransform(BGContrast((0.75, 1.25)), True, False, 1)),
            (0.25, SimulateLowResolutionTransform((0.5, 1), False, True, None, None, 0.5)),
            (0.1, GammaTransform(BGContrast((0.7, 1.5)), 1, False, 1, 1)),
            (0.3, GammaTransform(BGContrast((0.7, 1.5)), 0, False, 1, 1)),
        ]
        self.transforms = [RandomTransform(t, apply_probability=p) for p, t in wrapped]
        self.names = [
            "sigmas",
            "sigmas",
            "multipliers",
            "multipliers",
            "scales",
            "gamma",
            "gamma",
        ]
        self.image = torch.zeros((2, 2, 2, 2))

    def draw(self) -> list[list[float] | None]:
        found: list[list[float] | None] = []
        for transform, name in zip(self.transforms, self.names, strict=True):
            if not transform.get_parameters()["apply_transform"]:
                found.append(None)
                continue
            values = transform.transform.get_parameters(image=self.image)[name]
            found.append([float(v) for v in np.ravel(np.asarray(values, dtype=float))])
        return found


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_distributions(seed: int) -> None:
    count = 20_000
    np.random.seed(seed)
    torch.manual_seed(seed)
    listener = Listener()
    theirs: list[list[float]] = [[] for _ in range(7)]
    their_rates = np.zeros(7)
    for _ in range(count):
        for k, values in enumerate(listener.draw()):
            if values is not None:
                their_rates[k] += 1 / count
                theirs[k] += values
    pipeline = augment.nnunet((16, 16, 16))
    ours: list[list[float]] = [[] for _ in range(7)]
    our_rates = np.zeros(7)
    matrices, flips = 0, 0
    for index in range(count):
        one = pipeline.draw(seed * count + index, 2)
        matrices += one["matrix"] is not None
        flips += len(one["flips"])
        seen = set()
        for made in one["steps"]:
            k = made["transform"]
            seen.add(k)
            if k == NOISE and made["channel"]:
                continue  # drawn once
            ours[k] += made["values"] if k in (BLUR, LOW) else made["values"][:1]
        for k in seen:
            our_rates[k] += 1 / count
    # Where no channel was chosen we list no step.
    their_rates[[BLUR, LOW]] *= 0.75
    assert np.abs(our_rates - their_rates).max() < 0.015
    assert abs(matrices / count - 0.36) < 0.015
    assert abs(flips / count - 1.5) < 0.03
    for k in range(7):
        size = min(len(ours[k]), len(theirs[k]))
        if k in (BLUR, LOW):
            size //= 3  # the same for all axes
        # Of equal distributions 999 of 1000 are nearer.
        assert distance(ours[k], theirs[k]) < 1.95 * np.sqrt(2 / size), k


def made_by(transform: augment.Intensity, image: np.ndarray, one: dict[str, Any]) -> np.ndarray:
    pipeline = augment.Pipeline.of(image.shape[1:], intensity=[transform])
    return pipeline.apply(image, drawn=drawn(steps=[one]))[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("keep", [True, False])
def test_sharpening(shape: tuple[int, ...], keep: bool) -> None:
    from batchgeneratorsv2.transforms.noise.sharpen import SharpeningTransform

    image = volume(shape)
    transform = SharpeningTransform((0.7, 0.7), p_clamp_intensities=float(keep))
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    agree(made_by(augment.Sharpening(keep_range=keep), image, step(0, 0.7)), there, image)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [2, 3, 4, 5, 7])
def test_median(shape: tuple[int, ...], size: int) -> None:
    from batchgeneratorsv2.transforms.noise.median_filter import MedianFilterTransform

    image = volume(shape)
    there = MedianFilterTransform(size)(image=torch.from_numpy(image.copy()))["image"].numpy()
    np.testing.assert_array_equal(made_by(augment.MedianFilter(), image, step(0, size)), there)


def test_rician_noise() -> None:
    from batchgeneratorsv2.transforms.noise.rician import RicianNoiseTransform

    image = volume((64, 64, 64))
    transform = RicianNoiseTransform((0.5, 0.5))
    torch.manual_seed(0)
    there = transform(image=torch.from_numpy(image.copy()))["image"].numpy()
    ours = made_by(augment.RicianNoise(), image, step(0, 0.5))
    assert distance(ours, there) < 0.005
    assert distance(ours - image, there - image) < 0.005


@pytest.mark.parametrize("radius", [1, 2, 5, 8])
@pytest.mark.parametrize("shape", [(20, 24, 28), (40, 50)])
@pytest.mark.parametrize("what", ["dilate", "erode", "close", "open"])
def test_random_operators(what: str, shape: tuple[int, ...], radius: int) -> None:
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    from batchgeneratorsv2.transforms.nnunet import random_binary_operator as theirs

    names = {"dilate": "dilation", "erode": "erosion", "close": "closing", "open": "opening"}
    operator = getattr(theirs, f"binary_{names[what]}_torch")
    label = classes(shape)
    before = np.stack([label[0] == k for k in (1, 2, 3)]).astype(np.float32)
    transform = theirs.ApplyRandomBinaryOperatorTransform([0, 1, 2])
    there = transform._apply_to_image(
        torch.from_numpy(before.copy()),
        apply_to_channels=[2, 0],
        operators=[operator, operator],
        strel_size=[radius, 1],
    ).numpy()
    pipeline = augment.Pipeline.of(shape, labels=augment.Labels(previous=[1, 2, 3]))
    changes = [
        {"what": what, "label": 2, "value": radius},
        {"what": what, "label": 0, "value": 1},
    ]
    made, _ = pipeline.apply(
        volume(shape), np.concatenate([label, label]), drawn=drawn(cascade=changes)
    )
    np.testing.assert_array_equal(made[1:], there)
