"""Every transform against its formula, computed by NumPy in float64, voxel by voxel."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlarray.errors import InvalidTypeError, InvalidValueError
from mlarray.training import augment
from mlarray.training.augment import (
    BlankRectangle,
    Brightness,
    BrightnessAdditive,
    Cascade,
    GaussianNoise,
    Intensity,
    Labels,
    MedianFilter,
    Pipeline,
    RicianNoise,
    Sharpening,
    Spatial,
)
from pages import ROOT

Voxels = np.ndarray[Any, Any]
SETS = augment.instruction_sets()


@pytest.fixture(params=SETS)
def every_set(request: pytest.FixtureRequest) -> Iterator[None]:
    augment.use_instruction_set(request.param)
    yield
    augment.use_instruction_set("")


def image_of(shape: tuple[int, ...], channels: int = 1, seed: int = 0) -> Voxels:
    rng = np.random.default_rng(seed)
    return rng.normal(5, 2, size=(channels, *shape)).astype(np.float32)


def labels_of(shape: tuple[int, ...], seed: int = 0) -> Voxels:
    """Blocks of three voxels, and some voxels alone."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 5, size=[-(-n // 3) for n in shape])
    for axis in range(len(shape)):
        coarse = np.repeat(coarse, 3, axis)
    label = coarse[tuple(slice(n) for n in shape)].astype(np.int16)
    label[rng.random(shape) < 0.02] = 7
    return label[None]


def drawn(**parts: Any) -> dict[str, Any]:
    return {"seed": 1, "matrix": None, "flips": [], "steps": [], **parts}


# ---- where voxels come from ----


def padded(index: Voxels, length: int, padding: str) -> Voxels:
    """Where indices are found; -1: nowhere."""
    if padding == "constant":
        return np.where((index >= 0) & (index < length), index, -1)
    if padding == "edge":
        return np.clip(index, 0, length - 1)
    if length == 1:
        return np.zeros_like(index)
    period = 2 * (length - 1)
    index = np.abs(index) % period
    return np.where(index < length, index, period - index)


def spline(at: float, cells: int) -> tuple[int, Voxels]:
    """The first of four control points, and their weights by Cox and de Boor's recursion."""
    first = min(int(at), cells - 1)
    knots = np.arange(-4.0, 9.0)
    t = at - first
    weights = np.where((knots[:-1] <= t) & (t < knots[1:]), 1.0, 0.0)
    if t == 1:
        weights = np.where(knots[:-1] == 0, 1.0, 0.0)  # the limit from below
    for degree in range(1, 4):
        weights = np.array(
            [
                (t - knots[i]) / degree * weights[i]
                + (knots[i + degree + 1] - t) / degree * weights[i + 1]
                for i in range(len(weights) - 1)
            ]
        )
    return first, weights[1:5]


def displacement(elastic: dict[str, Any], patch: tuple[int, ...]) -> Voxels:
    """(axes, *patch), of the patch before its axes are exchanged."""
    points = elastic["points"]
    field = np.array(elastic["offsets"]).reshape(len(patch), *points)
    for axis, (length, count) in enumerate(zip(patch, points, strict=True)):
        along = np.zeros((length, count))
        for voxel in range(length):
            if count == 1:
                along[voxel] = 1
            else:
                first, weights = spline(voxel * (count - 3) / (length - 1), count - 3)
                along[voxel, first : first + 4] = weights
        field = np.moveaxis(np.tensordot(along, field, (1, axis + 1)), 0, axis + 1)
    return field


def places(pipeline: Pipeline, draw: dict[str, Any]) -> Voxels:
    """(axes, *patch): by the formula of `Spatial`, then exchanged and flipped."""
    patch, initial = pipeline.patch, pipeline.initial
    axes = len(patch)
    grid = np.indices(patch).astype(float)
    offsets = np.array(patch).reshape(-1, *[1] * axes)
    grid -= (offsets - 1) / 2
    if draw.get("elastic"):
        grid += displacement(draw["elastic"], patch)
    matrix = np.eye(3) if draw["matrix"] is None else np.array(draw["matrix"]).reshape(3, 3)
    matrix = matrix[3 - axes :, 3 - axes :]
    shift = np.array(draw.get("shift", [0, 0, 0]))[3 - axes :]
    at = np.tensordot(matrix, grid, 1)
    middle = (np.array(initial) - 1) / 2
    if draw["matrix"] is None and not draw.get("elastic") and (shift == np.floor(shift)).all():
        # Copied: the first voxel is initial // 2 - patch // 2.
        middle = np.array(initial) // 2 - np.array(patch) // 2 + (np.array(patch) - 1) / 2
    at += (middle + shift).reshape(-1, *[1] * axes)
    order = draw.get("axes") or list(range(axes))
    at = np.transpose(at, [0, *[1 + a for a in order]])
    for axis in draw["flips"]:
        at = np.flip(at, axis + 1)
    return at


def weights_of(t: Voxels, kind: str) -> list[tuple[int, Voxels]]:
    """Neighbours along an axis, from the voxel before, and their weights."""
    if kind == "linear":
        return [(0, 1 - t), (1, t)]
    a = -0.5  # Keys 1981, by distance

    def near(x: Voxels) -> Voxels:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1

    def far(x: Voxels) -> Voxels:
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a

    return [(-1, far(1 + t)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]


def resampled(
    channel: Voxels, at: Voxels, kind: str, padding: str = "constant", fill: float = 0
) -> Voxels:
    below = np.floor(at).astype(int)
    total = np.zeros(at.shape[1:])
    parts = [weights_of(at[a] - below[a], kind) for a in range(len(at))]
    for combination in np.ndindex(*[len(p) for p in parts]):
        weight = np.ones(at.shape[1:])
        inside = np.ones(at.shape[1:], bool)
        index = []
        for axis, choice in enumerate(combination):
            step, share = parts[axis][choice]
            found = padded(below[axis] + step, channel.shape[axis], padding)
            inside &= found >= 0
            index.append(np.maximum(found, 0))
            weight = weight * share
        total += weight * np.where(inside, channel[tuple(index)], fill)
    return total


def expect_spatial(
    pipeline: Pipeline, draw: dict[str, Any], channels: int = 2, tolerance: float = 2e-4
) -> None:
    spatial = pipeline.value["spatial"]
    kind, padding, fill = (spatial[n] for n in ("interpolation", "padding", "image_fill"))
    image = image_of(pipeline.initial, channels)
    label = labels_of(pipeline.initial)
    # What is outside the support is not a number, so that it is nowhere in the result.
    start, stop = pipeline.support(draw)
    box = (slice(None), *map(slice, start, stop))
    poisoned = np.full_like(image, np.nan)
    poisoned[box] = image[box]
    hidden = np.full_like(label, 99)
    hidden[box] = label[box]
    made, labels = pipeline.apply(poisoned, hidden, drawn=draw)
    at = places(pipeline, draw)
    for c in range(channels):
        wanted = resampled(image[c].astype(float), at, kind, padding, fill)
        assert np.abs(made[c] - wanted).max() < tolerance
    # The label with most weight, by resampling each as one-hot.
    assert isinstance(labels, np.ndarray)
    classes = np.unique(np.append(label, -1))
    scores = np.stack(
        [
            resampled((label[0] == k).astype(float), at, "linear", fill=float(k == -1))
            for k in classes
        ]
    )
    best = classes[scores.argmax(0)]
    top = np.sort(scores, 0)
    close = top[-1] - top[-2] < 1e-3
    different = labels[0] != best
    assert not (different & ~close).any()


def pipeline_of(patch: tuple[int, ...], initial: tuple[int, ...], **spatial: Any) -> Pipeline:
    return Pipeline.of(
        patch,
        initial=initial,
        spatial=Spatial(**spatial),
        labels=Labels(remove_outside=False),
    )


SPATIAL: dict[str, dict[str, Any]] = {
    "shear": {"p_shear": 1, "shear": (-0.3, 0.3)},
    "translation": {"p_translation": 1, "translation": (-9, 9)},
    "elastic": {"p_elastic": 1, "elastic_spacing": (4, 12), "elastic_magnitude": (2, 5)},
    "crop": {"random_crop": True},
    "all": {
        "p_rotation": 1,
        "rotation": (-3, 3),
        "p_scaling": 1,
        "scaling": (0.6, 1.5),
        "same_scale": False,
        "p_shear": 1,
        "shear": (-0.2, 0.2),
        "p_translation": 1,
        "translation": (-4, 4),
        "p_elastic": 1,
        "elastic_spacing": (5, 30),
        "elastic_magnitude": (0, 4),
        "random_crop": True,
    },
}


@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("padding", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("kind", ["linear", "cubic"])
@pytest.mark.parametrize("which", SPATIAL)
def test_spatial(which: str, kind: str, padding: str) -> None:
    options = dict(SPATIAL[which], interpolation=kind, padding=padding, image_fill=3.0)
    shapes = [((11, 12, 21), (15, 17, 24)), ((13, 22), (18, 20))]
    for number, (patch, initial) in enumerate(shapes):
        pipeline = pipeline_of(patch, initial, **options)
        for seed in range(3):
            draw = pipeline.draw(10 * number + seed)
            draw["flips"] = [0] if seed == 1 else []
            expect_spatial(pipeline, draw)


@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("kind", ["linear", "cubic"])
def test_planes_are_warped_alike(kind: str) -> None:
    options = {**SPATIAL["all"], "planar": True, "interpolation": kind}
    pipeline = pipeline_of((5, 13, 22), (5, 18, 20), **options)
    for seed in range(4):
        expect_spatial(pipeline, pipeline.draw(seed))
    stack = np.repeat(image_of((1, 18, 20)), 5, axis=1)
    made, _ = pipeline.apply(stack, seed=3)
    np.testing.assert_array_equal(made, np.repeat(made[:, :1], 5, axis=1))


@pytest.mark.parametrize("padding", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("shift", [(0, 0, 0), (3, -4, 2), (-30, 5, 40)])
def test_copies_are_exact(padding: str, shift: tuple[int, ...]) -> None:
    pipeline = pipeline_of((8, 8, 10), (6, 12, 9), padding=padding, image_fill=2.5)
    image, label = image_of((6, 12, 9)), labels_of((6, 12, 9))
    draw = drawn(shift=list(shift), axes=[1, 0, 2], flips=[1])
    made, labels = pipeline.apply(image, label, drawn=draw)

    def wanted(voxels: Voxels, padding: str, fill: float) -> Voxels:
        index, there = [], np.True_
        for axis, (n, full, s) in enumerate(zip((8, 8, 10), (6, 12, 9), shift, strict=True)):
            found = padded(np.arange(n) + full // 2 - n // 2 + s, full, padding)
            along = [1, 1, 1]
            along[axis] = n
            there = there & (found >= 0).reshape(along)
            index.append(np.maximum(found, 0))
        picked = np.where(there, voxels[np.ix_(*index)], voxels.dtype.type(fill))
        return np.flip(np.transpose(picked, (1, 0, 2)), 1)

    np.testing.assert_array_equal(made[0], wanted(image[0], padding, 2.5))
    assert isinstance(labels, np.ndarray)
    np.testing.assert_array_equal(labels[0], wanted(label[0], "constant", -1))
    start, stop = pipeline.support(draw)
    assert all(0 <= a <= b <= n for a, b, n in zip(start, stop, (6, 12, 9), strict=True))


def test_copies_read_their_support_alone() -> None:
    for padding in ("constant", "edge", "reflect"):
        pipeline = pipeline_of((8, 8, 10), (16, 12, 19), padding=padding, random_crop=True)
        image = image_of((16, 12, 19))
        for shift in ([0, 0, 0], [6, -3, 8], [-20, 1, 0]):
            draw = drawn(shift=shift)
            start, stop = pipeline.support(draw)
            box = (slice(None), *map(slice, start, stop))
            poisoned = np.full_like(image, np.nan)
            poisoned[box] = image[box]
            made, _ = pipeline.apply(poisoned, drawn=draw)
            np.testing.assert_array_equal(made, pipeline.apply(image, drawn=draw)[0])


@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("kind", ["linear", "cubic"])
@pytest.mark.parametrize("patch", [(9, 10, 37), (14, 25)])
def test_identity_gives_the_patch_bit_for_bit(kind: str, patch: tuple[int, ...]) -> None:
    pipeline = pipeline_of(patch, patch, interpolation=kind)
    image, label = image_of(patch, 2), labels_of(patch)
    points = [4] * len(patch)
    still = {"points": points, "offsets": [0.0] * len(patch) * 4 ** len(patch)}
    identity = list(np.eye(3).ravel())
    for parts in ({}, {"matrix": identity}, {"elastic": still}):
        made, labels = pipeline.apply(image, label, drawn=drawn(**parts))
        np.testing.assert_array_equal(made, image)
        np.testing.assert_array_equal(labels, label)


def test_two_affines_are_their_product() -> None:
    # A ramp is interpolated exactly, so that the second warp sees what the first meant.
    z, y, x = np.indices((40, 40, 40)).astype(np.float32)
    ramp = ((3 * z - 2 * y + x) / 100)[None]
    rng = np.random.default_rng(0)
    first = np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))
    second = np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))
    for kind in ("linear", "cubic"):
        big = pipeline_of((24, 24, 24), (40, 40, 40), interpolation=kind)
        small = pipeline_of((10, 10, 10), (24, 24, 24), interpolation=kind)
        both = pipeline_of((10, 10, 10), (40, 40, 40), interpolation=kind)
        middle, _ = big.apply(ramp, drawn=drawn(matrix=list(first.ravel())))
        twice, _ = small.apply(middle, drawn=drawn(matrix=list(second.ravel())))
        once, _ = both.apply(ramp, drawn=drawn(matrix=list((first @ second).ravel())))
        np.testing.assert_allclose(twice, once, atol=1e-5)


@pytest.mark.parametrize("parts", [{}, {"axes": [0, 2, 1]}, {"shift": [1, 2, -1]}])
def test_mirrored_twice_is_as_before(parts: dict[str, Any]) -> None:
    pipeline = pipeline_of((8, 9, 9), (12, 13, 15))
    back = pipeline_of((8, 9, 9), (8, 9, 9))
    image, label = image_of((12, 13, 15)), labels_of((12, 13, 15))
    plain = pipeline.apply(image, label, drawn=drawn(**parts))
    for flips in ([0], [1, 2], [0, 1, 2]):
        once = pipeline.apply(image, label, drawn=drawn(flips=flips, **parts))
        assert isinstance(once[1], np.ndarray)
        twice = back.apply(once[0], once[1], drawn=drawn(flips=flips))
        np.testing.assert_array_equal(twice[0], plain[0])
        np.testing.assert_array_equal(twice[1], plain[1])


def test_quarter_turns_are_rot90() -> None:
    pipeline = pipeline_of((8, 8, 5), (8, 8, 5), p_rot90=1, rot90_axes=(0, 1))
    image, label = image_of((8, 8, 5)), labels_of((8, 8, 5))
    seen = set()
    for seed in range(40):
        made, labels = pipeline.apply(image, label, seed=seed)
        k = next(k for k in (1, 2, 3) if np.array_equal(made[0], np.rot90(image[0], k, (0, 1))))
        assert isinstance(labels, np.ndarray)
        np.testing.assert_array_equal(labels[0], np.rot90(label[0], k, (0, 1)))
        seen.add(k)
    assert seen == {1, 2, 3}


def test_axes_are_exchanged_uniformly() -> None:
    pipeline = pipeline_of((6, 6, 6), (6, 6, 6), p_swap=1, swap_axes=(0, 1, 2))
    image = image_of((6, 6, 6))
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(1200):
        draw = pipeline.draw(seed)
        order = tuple(draw["axes"] or (0, 1, 2))
        counts[order] = counts.get(order, 0) + 1
        if seed < 20:
            made, _ = pipeline.apply(image, drawn=draw)
            np.testing.assert_array_equal(made[0], np.transpose(image[0], order))
    assert len(counts) == 6
    assert sum((n - 200) ** 2 / 200 for n in counts.values()) < 20.5  # 999 of 1000


def test_crops_are_uniform_and_inside() -> None:
    pipeline = pipeline_of((4, 5), (7, 5), random_crop=True)
    image = np.arange(35, dtype=np.float32).reshape(1, 7, 5)
    starts = [int(pipeline.apply(image, seed=seed)[0][0, 0, 0]) // 5 for seed in range(1000)]
    counts = np.bincount(starts, minlength=4)
    assert len(counts) == 4
    assert ((counts - 250) ** 2 / 250).sum() < 16.3  # 999 of 1000


def test_placement_says_where_voxels_come_from() -> None:
    pipeline = pipeline_of((8, 8, 9), (12, 13, 15), **{**SPATIAL["all"], "p_elastic": 0})
    for seed in range(5):
        draw = pipeline.draw(seed)
        draw["axes"], draw["flips"] = [1, 0, 2], [2]
        rows = pipeline.placement(draw)
        grid = np.concatenate([np.indices((8, 8, 9)), np.ones((1, 8, 8, 9))])
        np.testing.assert_allclose(np.tensordot(rows, grid, 1), places(pipeline, draw))
    flat = pipeline_of((8, 9), (12, 13))
    np.testing.assert_array_equal(flat.placement(drawn(flips=[1])), [[1, 0, 2], [0, -1, 10]])


def test_elastic_moves_as_far_as_it_says() -> None:
    pipeline = pipeline_of(
        (20, 24, 28), (40, 40, 40), p_elastic=1, elastic_spacing=8, elastic_magnitude=3
    )
    for seed in range(3):
        field = displacement(pipeline.draw(seed)["elastic"], (20, 24, 28))
        assert 0.5 < np.abs(field).max() <= 3
        # No two voxels change places.
        for axis in range(3):
            assert (np.diff(field[axis], axis=axis) > -1).all()


# ---- intensities ----


def run(
    transform: Intensity, image: Voxels, steps: list[dict[str, Any]] | None = None, **parts: Any
) -> Voxels:
    pipeline = Pipeline.of(image.shape[1:], intensity=[transform])
    made, _ = pipeline.apply(image, drawn=drawn(steps=steps or [], **parts))
    return made


def step(*values: float, channel: int = 0, **more: Any) -> dict[str, Any]:
    return {"transform": 0, "channel": channel, "values": list(values), **more}


@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("shape", [(9, 14, 37), (21, 40)])
@pytest.mark.parametrize("keep", [True, False])
def test_sharpening(shape: tuple[int, ...], keep: bool) -> None:
    image = image_of(shape, 2)
    x = image[1].astype(float)
    wide = np.pad(x, 1, mode="edge")
    inner = tuple(slice(1, -1) for _ in shape)
    laplace = 2 * len(shape) * x
    for axis in range(len(shape)):
        for shift in (1, -1):
            laplace -= np.roll(wide, shift, axis)[inner]
    wanted = x + 0.7 * laplace
    if keep:
        wanted = np.clip(wanted, x.min(), x.max())
    made = run(Sharpening(keep_range=keep), image, [step(0.7, channel=1)])
    np.testing.assert_allclose(made[1], wanted, atol=2e-5)
    np.testing.assert_array_equal(made[0], image[0])


@pytest.mark.usefixtures("every_set")
@pytest.mark.parametrize("shape", [(6, 9, 11), (3, 2, 8), (12, 17)])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("flips", [[], [1]])
def test_median(shape: tuple[int, ...], size: int, flips: list[int]) -> None:
    image = np.round(image_of(shape) * 2)  # with many that are equal
    before = size // 2
    wide = np.pad(image[0], [(before, size - 1 - before)] * len(shape), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(wide, (size,) * len(shape))
    flat = np.sort(windows.reshape(*shape, -1), -1)
    wanted = flat[..., size ** len(shape) // 2]
    made = run(MedianFilter(), image, [step(size)], flips=flips)
    np.testing.assert_array_equal(made[0], np.flip(wanted, flips))


@pytest.mark.usefixtures("every_set")
def test_additive_brightness() -> None:
    image = image_of((5, 6, 19), 2)
    made = run(BrightnessAdditive(), image, [step(-1.25, channel=1)])
    np.testing.assert_array_equal(made[0], image[0])
    np.testing.assert_allclose(made[1], image[1] - 1.25, atol=1e-6)


@pytest.mark.parametrize("mean", [True, False])
def test_blank_rectangles(mean: bool) -> None:
    image = image_of((9, 10, 12), 2)
    boxes = [[0, 0, 0, 9, 1, 3], [2, 3, 4, 5, 9, 12]]
    made = run(BlankRectangle(mean=mean), image, [step(2.5, box=b, channel=1) for b in boxes])
    wanted = image.copy()
    for a, b, c, d, e, f in boxes:
        part = wanted[1, a:d, b:e, c:f]
        part[...] = part.astype(float).mean() if mean else 2.5
    np.testing.assert_allclose(made, wanted, atol=1e-6)
    for box in ([], [0, 0, 0, 9, 1], [0, 0, 0, 9, 1, 13], [0, 3, 0, 9, 3, 4]):
        with pytest.raises(InvalidValueError, match="box"):
            run(BlankRectangle(), image, [step(0, box=box)])


def rice(x: float, nu: float, sigma: float) -> float:
    """Distribution of a Rician number, by summing its density."""
    r = np.linspace(0, x, 2001)
    z = r * nu / sigma**2
    angles = (np.arange(400) + 0.5) * np.pi / 400
    scaled = np.exp(z[:, None] * (np.cos(angles) - 1)).mean(1)  # I0(z) exp(-z)
    density = r / sigma**2 * np.exp(-((r - nu) ** 2) / (2 * sigma**2)) * scaled
    return float(((density[1:] + density[:-1]) / 2).sum() * (x / 2000))


@pytest.mark.usefixtures("every_set")
def test_rician_noise_has_its_distribution() -> None:
    image = np.full((1, 40, 40, 40), 3.0, np.float32)
    image[0, 0, 0, 0] = 2.0  # the minimum, so that the others are 1 above
    made = run(RicianNoise(keep_stats=False), image, [step(0.8)])
    found = np.sort(made.ravel()[1:] - 2.0)
    at = np.linspace(0.05, 3.5, 60)
    shares = np.searchsorted(found, at) / len(found)
    wanted = np.array([rice(float(x), 1.0, 0.8) for x in at])
    assert np.abs(shares - wanted).max() < 1.95 / np.sqrt(len(found))


@pytest.mark.usefixtures("every_set")
def test_rician_noise_keeps_mean_and_deviation() -> None:
    image = image_of((12, 13, 40), 2)
    made = run(RicianNoise(), image, [step(0.5, channel=c) for c in range(2)])
    for before, after in zip(image, made, strict=True):
        assert abs(before.mean(dtype=float) - after.mean(dtype=float)) < 1e-4
        assert abs(before.std(dtype=float) - after.std(dtype=float)) < 1e-4
    assert abs(np.corrcoef((made - image).reshape(2, -1))[0, 1]) < 0.07
    np.testing.assert_allclose(run(RicianNoise(), image, [step(0)]), image, atol=1e-5)


TRANSFORMS: list[Intensity] = [
    RicianNoise(p=1, p_channel=0.5),
    Sharpening(p=1, p_channel=0.5),
    BrightnessAdditive(p=1, p_channel=0.5),
    BlankRectangle(p=1, p_channel=0.5),
    MedianFilter(p=1, p_channel=0.5),
]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda t: type(t).__name__)
def test_draws_of_channels(transform: Intensity, same: bool) -> None:
    value = transform._value()
    pipeline = Pipeline(
        {
            "patch": [20, 30, 40],
            "initial": [20, 30, 40],
            "intensity": [{**value, "same_channels": same, "p": 0.5}],
        }
    )
    rate, channels, agree, both = 0, 0, 0, 0
    for seed in range(2000):
        steps = pipeline.draw(seed, 2)["steps"]
        found = [
            [(s["values"], s["box"]) for s in steps if s["channel"] == c] for c in range(2)
        ]
        rate += bool(steps)
        channels += sum(map(bool, found))
        if all(found):
            both += 1
            agree += found[0] == found[1]
    assert abs(rate / 2000 - 0.375) < 0.035
    assert abs(channels / 2000 - 0.5) < 0.045
    if same:
        assert agree == both > 200
    else:
        assert agree < (150 if isinstance(transform, MedianFilter) else 5)


def test_ranges() -> None:
    def values(transform: Intensity) -> Voxels:
        pipeline = Pipeline.of((20, 30, 40), intensity=[transform])
        return np.array([pipeline.draw(s)["steps"][0]["values"][0] for s in range(4000)])

    shift = values(BrightnessAdditive(p=1, shift=(0.5, 2.0, "normal")))
    assert abs(shift.mean() - 0.5) < 0.12
    assert abs(shift.std() - 2) < 0.1
    size = values(MedianFilter(p=1, size=(2, 5)))
    assert set(size) == {2, 3, 4}
    strength = values(Sharpening(p=1, strength=(0.25, 0.5)))
    assert 0.25 <= strength.min() < 0.26
    assert 0.49 < strength.max() < 0.5
    pipeline = Pipeline.of((20, 30, 40), intensity=[BlankRectangle(p=1, share=(0.2, 0.5))])
    counts = np.zeros(5, int)
    for seed in range(2000):
        steps = pipeline.draw(seed)["steps"]
        counts[len(steps)] += 1
        for one in steps:
            sizes = np.subtract(one["box"][3:], one["box"][:3])
            assert (sizes >= [4, 6, 8]).all()
            assert (sizes <= [10, 15, 20]).all()
    assert counts[0] == 0
    assert ((counts[1:] - 500) ** 2 / 500).sum() < 16.3  # 999 of 1000


# ---- labels ----


def test_labels_are_removed_and_one_hot() -> None:
    label = labels_of((6, 7, 8))
    image = image_of((6, 7, 8))
    pipeline = Pipeline.of((6, 7, 8), labels=Labels(remove=[(7, 0), (3, 2), (2, 9)]))
    _, labels = pipeline.apply(image, label, seed=0)
    wanted = label.copy()
    for old, new in ((7, 0), (3, 2), (2, 9)):
        wanted[wanted == old] = new
    np.testing.assert_array_equal(labels, wanted)
    pipeline = Pipeline.of((6, 7, 8), labels=Labels(regions=[[k] for k in range(5)]))
    _, labels = pipeline.apply(image, label, seed=0)
    np.testing.assert_array_equal(labels, label == np.arange(5)[:, None, None, None])


def test_mask_outside_with_a_value() -> None:
    label = labels_of((6, 7, 8))
    label[:, :, :3] = -1
    image = image_of((6, 7, 8), 2)
    pipeline = Pipeline.of((6, 7, 8), labels=Labels(masked_channels=[1], masked_value=-4))
    made, _ = pipeline.apply(image, label, seed=0)
    np.testing.assert_array_equal(made[0], image[0])
    np.testing.assert_array_equal(made[1], np.where(label[0] < 0, np.float32(-4), image[1]))


def ball(radius: float, axes: int) -> list[tuple[int, ...]]:
    r = int(radius)
    grid = np.indices((2 * r + 1,) * axes).reshape(axes, -1).T - r
    return [tuple(o) for o in grid if (o**2).sum() <= radius**2]


def dilated(marks: Voxels, radius: float) -> Voxels:
    """Voxel by voxel of the ball."""
    out = np.zeros_like(marks)
    r = int(radius)
    wide = np.pad(marks, r)
    for offset in ball(radius, marks.ndim):
        out |= wide[tuple(slice(r + o, r + o + n) for o, n in zip(offset, marks.shape))]
    return out


def eroded(marks: Voxels, radius: float) -> Voxels:
    return ~dilated(~marks, radius)


OPERATORS = {
    "dilate": dilated,
    "erode": eroded,
    "close": lambda m, r: eroded(dilated(m, r), r),
    "open": lambda m, r: dilated(eroded(m, r), r),
}


def cascade_pipeline(shape: tuple[int, ...], **options: Any) -> Pipeline:
    return Pipeline.of(shape, labels=Labels(previous=[1, 2, 3], cascade=Cascade(**options)))


def stages(pipeline: Pipeline, previous: Voxels, changes: list[dict[str, Any]]) -> Voxels:
    both = np.concatenate([np.zeros_like(previous), previous])
    made, _ = pipeline.apply(image_of(pipeline.patch), both, drawn=drawn(cascade=changes))
    assert set(np.unique(made[1:])) <= {0, 1}
    return made[1:] != 0


@pytest.mark.parametrize("shape", [(14, 15, 17), (20, 23)])
@pytest.mark.parametrize("radius", [0.0, 1.0, 1.5, 2.9, 5.0])
@pytest.mark.parametrize("what", OPERATORS)
def test_random_operators(what: str, radius: float, shape: tuple[int, ...]) -> None:
    previous = labels_of(shape, 3)
    previous[np.random.default_rng(1).random(previous.shape) < 0.6] = 0
    before = previous == np.arange(1, 4).reshape(-1, *[1] * len(shape))
    change = {"what": what, "label": 1, "value": radius}
    made = stages(cascade_pipeline(shape), previous, [change])
    wanted = before.copy()
    wanted[1] = OPERATORS[what](before[1], radius)
    gained = wanted[1] & ~before[1]
    for other in (0, 2):
        wanted[other] &= ~gained
    np.testing.assert_array_equal(made, wanted)


def components(marks: Voxels) -> list[Voxels]:
    """By flooding from each voxel that has none yet."""
    left = marks.copy()
    found = []
    while left.any():
        one = np.zeros_like(marks)
        one[tuple(np.argwhere(left)[0])] = True
        while True:
            more = one.copy()
            for axis in range(marks.ndim):
                wide = np.pad(more, [(int(a == axis),) * 2 for a in range(marks.ndim)])
                n = marks.shape[axis]
                for start in (0, 2):
                    more |= np.take(wide, range(start, start + n), axis)
            more &= marks
            if (more == one).all():
                break
            one = more
        found.append(one)
        left &= ~one
    return found


@pytest.mark.parametrize("shape", [(12, 13, 14), (30, 33)])
def test_components_are_removed(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    share = 0.03 if len(shape) == 3 else 0.15
    previous = (rng.random((1, *shape)) < share).astype(np.int16)
    previous[0, :3] = 1  # a large one
    found = components(previous[0] == 1)
    limit = 0.1
    small = [c for c in found if c.sum() < limit * previous.size]
    assert 3 < len(small) < len(found)
    pipeline = cascade_pipeline(shape, largest_component=limit)
    for k in (0, len(small) // 2, len(small) - 1):
        change = {"what": "remove", "label": 0, "value": (k + 0.5) / len(small), "other": 2}
        made = stages(pipeline, previous, [change])
        np.testing.assert_array_equal(made[0], (previous[0] == 1) & ~small[k])
        np.testing.assert_array_equal(made[2], small[k])
    everything = stages(
        cascade_pipeline(shape, largest_component=0),
        previous,
        [{"what": "remove", "label": 0, "value": 0.5}],
    )
    np.testing.assert_array_equal(everything[0], previous[0] == 1)


def test_draws_of_a_cascade() -> None:
    pipeline = augment.nnunet((16, 16, 16), previous=[1, 2, 5])
    kinds: dict[str, int] = {}
    samples = {"operator": 0, "remove": 0}
    first = np.zeros(3, int)
    radii = []
    for seed in range(4000):
        cascade = pipeline.draw(seed)["cascade"]
        operators = [c for c in cascade if c["what"] != "remove"]
        samples["operator"] += bool(operators)
        samples["remove"] += len(operators) < len(cascade)
        for change in cascade:
            kinds[change["what"]] = kinds.get(change["what"], 0) + 1
            assert change["other"] == -1
        radii += [c["value"] for c in operators]
        if operators:
            first[operators[0]["label"]] += 1
    some = 1 - 0.5**3
    assert abs(samples["operator"] / 4000 - 0.4 * some) < 0.025
    assert abs(samples["remove"] / 4000 - 0.2 * some) < 0.025
    for what in OPERATORS:
        assert abs(kinds[what] / (4000 * 0.4 * 1.5 / 4) - 1) < 0.15
    assert abs(kinds["remove"] / (4000 * 0.2 * 1.5) - 1) < 0.1
    assert 1 <= min(radii) < 1.1
    assert 7.9 < max(radii) < 8
    assert (np.abs(first / first.sum() - 1 / 3) < 0.06).all()


# ---- plain data ----


def test_types_have_the_defaults_of_the_core() -> None:
    def plain(value: Any) -> Any:
        return json.loads(json.dumps(value))

    assert Pipeline.of((8, 8)).value == Pipeline({"patch": [8, 8], "initial": [8, 8]}).value
    whole = Pipeline.of((8, 8), spatial=Spatial(), labels=Labels())
    assert whole == Pipeline({"patch": [8, 8], "initial": [8, 8]})
    for kind in Intensity.__subclasses__():
        made = Pipeline.of((8, 8), intensity=[kind()])
        name = kind()._value()["transform"]
        bare = {"patch": [8, 8], "initial": [8, 8], "intensity": [{"transform": name}]}
        assert made == Pipeline(bare)
        assert kind.__name__ in augment.__all__
        assert plain(made.value) == made.value


def test_json_goes_there_and_back() -> None:
    pipeline = Pipeline.of(
        (12, 12, 12),
        initial=(20, 20, 20),
        spatial=Spatial(
            **{
                **SPATIAL["all"],
                "p_swap": 0.5,
                "swap_axes": (0, 1),
                "p_rot90": 0.5,
                "interpolation": "cubic",
                "padding": "reflect",
            }
        ),
        intensity=[GaussianNoise(p=0.5), Brightness(p=0.1), *TRANSFORMS],
        mirror_axes=(0, 2),
        p_mirror=0.25,
        labels=Labels(
            remove=[(3, 0)],
            previous=[1, 2],
            cascade=Cascade(p_operator=1, p_remove_component=1, p_fill_other=0.5),
        ),
    )
    assert Pipeline.from_json(pipeline.to_json()) == pipeline
    image = image_of((20, 20, 20), 2)
    label = np.concatenate([labels_of((20, 20, 20)), labels_of((20, 20, 20), 1)])
    for seed in range(5):
        draw = pipeline.draw(seed, 2)
        again = json.loads(json.dumps(draw))
        made = pipeline.apply(image, label, drawn=draw)
        np.testing.assert_array_equal(pipeline.apply(image, label, drawn=again)[0], made[0])
        np.testing.assert_array_equal(pipeline.apply(image, label, seed=seed)[0], made[0])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"spatial": Spatial(p_rot90=0.5)}, "rot90_axes has axes of different length"),
        ({"spatial": Spatial(p_rot90=0.5, rot90_axes=(0,))}, "two are needed"),
        ({"spatial": Spatial(p_swap=1, swap_axes=(0, 1))}, "swap_axes has axes of different"),
        ({"spatial": Spatial(swap_axes=(0, 3))}, "swap_axes has axis 3"),
        ({"spatial": Spatial(elastic_spacing=1)}, "elastic_spacing is from 1.0"),
        ({"spatial": Spatial(elastic_magnitude=-1)}, "elastic_magnitude"),
        ({"spatial": Spatial(p_shear=2)}, "p_shear is 2.0"),
        ({"spatial": Spatial(interpolation="quintic")}, "linear, cubic"),  # type: ignore
        ({"spatial": Spatial(padding="wrap")}, "constant, edge, reflect"),  # type: ignore
        ({"intensity": [MedianFilter(size=(2, 99))]}, r"intensity\[0\].size"),
        ({"intensity": [Brightness(factor=(1, 0.1, "normal"))]}, "can be normal"),
        ({"intensity": [BlankRectangle(share=(0.5, 2))]}, "share"),
        ({"labels": Labels(remove=[(1, 70000)])}, "70000"),
        ({"labels": Labels(cascade=Cascade(radius=(1, 200)))}, "labels.cascade.radius"),
        ({"labels": Labels(cascade=Cascade(p_operator=-1))}, "labels.cascade.p_operator"),
        ({"p_mirror": 1.5}, "p_mirror is 1.5"),
    ],
)
def test_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Pipeline.of((8, 9, 9), **parts)


def test_types_are_checked() -> None:
    with pytest.raises(InvalidTypeError, match="no transform of intensities"):
        Pipeline.of((8, 8), intensity=[Spatial()])  # type: ignore[list-item]
    with pytest.raises(InvalidTypeError, match="no Spatial"):
        Pipeline.of((8, 8), spatial=Labels())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"axes": [0, 0, 1]}, "axes is"),
        ({"axes": [1, 0, 2]}, "keeps its shape"),
        ({"shift": [1e30, 0, 0]}, "shift has"),
        ({"elastic": {"points": [4, 4], "offsets": []}}, "elastic has points"),
        ({"elastic": {"points": [4, 4, 4], "offsets": [0]}}, "192 are needed"),
        ({"elastic": {"points": [1, 1, 1], "offsets": [0, 0, 1e30]}}, "offset 1e"),
        ({"cascade": [{"what": "dilate", "label": 0, "value": 1}]}, "there are 0 labels"),
        ({"cascade": [{"what": "melt"}]}, "dilate, erode"),
    ],
)
def test_draws_are_refused(parts: dict[str, Any], message: str) -> None:
    pipeline = Pipeline.of((8, 9, 9))
    with pytest.raises(InvalidValueError, match=message):
        pipeline.apply(image_of((8, 9, 9)), drawn=drawn(**parts))


# ---- MONAI's recipe ----


def test_monai_basic() -> None:
    pipeline = augment.monai_basic((8, 8, 6))
    image = image_of((8, 8, 6), 2)
    count = 4000
    rates = dict.fromkeys(("scale", "shift", "turned", "flip 2"), 0.0)
    for seed in range(count):
        draw = pipeline.draw(seed, 2)
        rates["turned"] += bool(draw["axes"]) / count
        rates["flip 2"] += (2 in draw["flips"]) / count
        steps = draw["steps"]
        for number, name in enumerate(("scale", "shift")):
            mine = [s for s in steps if s["transform"] == number]
            rates[name] += bool(mine) / count
            assert len(mine) in (0, 2)
            if mine:
                assert mine[0]["values"] == mine[1]["values"]
                low, high = ((0.9, 1.1), (-0.1, 0.1))[number]
                assert low <= mine[0]["values"][0] < high
        if seed < 50:
            made, _ = pipeline.apply(image, drawn=draw)
            wanted = np.transpose(image, [0, *[1 + a for a in draw["axes"] or range(3)]])
            wanted = np.flip(wanted, [1 + a for a in draw["flips"]]).astype(float)
            for one in steps:
                c, value = one["channel"], one["values"][0]
                wanted[c] = wanted[c] * value if one["transform"] == 0 else wanted[c] + value
            np.testing.assert_allclose(made, wanted, atol=1e-5)
    assert abs(rates["scale"] - 0.1) < 0.02
    assert abs(rates["shift"] - 0.1) < 0.02
    assert abs(rates["flip 2"] - 0.2) < 0.025
    assert abs(rates["turned"] - 0.2 * 2 / 3) < 0.02
    with pytest.raises(InvalidValueError, match="rot90_axes"):
        augment.monai_basic((8, 9, 9))
    assert augment.monai_basic((8, 9, 9), rot90_axes=(1, 2)).patch == (8, 9, 9)


# ---- the page ----


def test_the_page_shows_every_transform() -> None:
    page = (ROOT / "docs" / "augmentation.md").read_text(encoding="utf-8")
    for kind in Intensity.__subclasses__():
        assert f"### `{kind.__name__}`\n\n![" in page
    for name in Spatial.__dataclass_fields__:
        assert f"`{name}" in page
    for kind in (Labels, Cascade):
        for name in kind.__dataclass_fields__:
            assert f"`{name}" in page or kind is Cascade
    shown = set(re.findall(r"\(pictures/(augment_\w+\.png)\)", page))
    there = {path.name for path in (ROOT / "docs" / "pictures").glob("augment_*.png")}
    assert shown == there
