"""Augmented batches are what `Pipeline.apply` makes of the box that was drawn."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import InvalidTypeError, InvalidValueError
from mlarray.training import Balanced, Case, Listed, PatchLoader, Sampler, Uniform
from mlarray.training.augment import Labels, Pipeline, Spatial, nnunet

Voxels = np.ndarray[Any, Any]
SCALES = [(1, 1, 1), (0.5, 0.5, 0.5)]


class Data:
    """Two small cases, in files and as arrays."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(3)
        self.images: list[Voxels] = []
        self.labels: list[Voxels] = []
        self.cases: list[Case] = []
        for number, shape in enumerate(((34, 30, 36), (17, 40, 21))):
            image = random.normal(0, 1, shape).astype(np.float32)
            label = np.zeros(shape, np.uint8)
            label[3:9, 4:12, 5:11] = 1
            label[10:14, 15:18, 14:17] = 2
            names = [folder / f"c{number}_{what}.mla" for what in ("image", "seg")]
            MLArray(image).save(names[0], patch_size=8)
            MLArray(label).save(names[1], patch_size=8)
            self.images.append(image)
            self.labels.append(label)
            self.cases.append(Case(names[0], names[1]))

    def box(self, batch: dict[str, Voxels], i: int) -> tuple[Voxels, Voxels]:
        """Image and label in the box of a sample, 0 and -1 outside of the image."""
        start, stop = batch["box"][i]
        out = []
        case = int(batch["case"][i])
        for voxels, fill in ((self.images[case], 0), (self.labels[case].astype(np.int16), -1)):
            whole = np.full(stop - start, fill, voxels.dtype)
            low, high = np.maximum(start, 0), np.minimum(stop, voxels.shape)
            if np.all(low < high):
                to = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
                whole[to] = voxels[tuple(map(slice, low, high))]
            out.append(whole[None])
        return out[0], out[1]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


@pytest.mark.parametrize(
    "sampler",
    [
        Uniform(),
        Balanced(0.5, forced="last", border="nnunet"),
        Listed([(0, (-9, 5, 20)), (1, (0, 0, 0)), (1, (-90, 0, 0)), (0, (8, 8, 8))]),
    ],
)
def test_equals_apply(data: Data, sampler: Sampler) -> None:
    pipeline = nnunet((10, 12, 14), scales=SCALES)
    samples = None if isinstance(sampler, Listed) else 24
    loader = PatchLoader(
        data.cases,
        (10, 12, 14),
        sampler=sampler,
        label_fill=-1,
        augment=pipeline,
        samples_per_epoch=samples,
    )
    with loader:
        for batch in loader:
            assert batch["label"].dtype == np.int16
            for i in range(2):
                assert tuple(np.diff(batch["box"][i], axis=0)[0]) == pipeline.initial
                seed = int(batch["seed"][i])
                image, labels = pipeline.apply(*data.box(batch, i), seed=seed)
                np.testing.assert_array_equal(batch["image"][i], image)
                assert isinstance(labels, list)
                np.testing.assert_array_equal(batch["label"][i], labels[0])
                np.testing.assert_array_equal(batch["label_1"][i], labels[1])
        assert loader.times.augment > 0


def test_the_preset_by_name(data: Data) -> None:
    def batches(augment: Any) -> list[bytes]:
        sampler = Uniform(border="nnunet")
        with PatchLoader(
            data.cases, 12, sampler=sampler, augment=augment, samples_per_epoch=8
        ) as loader:
            return [batch["image"].tobytes() + batch["label"].tobytes() for batch in loader]

    named = batches("nnunet")
    assert named == batches(nnunet((12, 12, 12)))
    assert named == batches(pickle.loads(pickle.dumps(nnunet((12, 12, 12)))))
    assert named != batches(nnunet((12, 12, 12), mirror_axes=()))


def test_boxes_leave_the_image_as_far_as_those_of_nnunet(data: Data) -> None:
    pipeline = nnunet((12, 12, 12))
    pad = [whole - 12 for whole in pipeline.initial]

    def boxes(sampler: Sampler) -> list[Any]:
        with PatchLoader(
            data.cases, 12, sampler=sampler, augment=pipeline, samples_per_epoch=40
        ) as loader:
            return [batch["box"].tolist() for batch in loader]

    assert boxes(Uniform(border="nnunet")) == boxes(Uniform(border="nnunet", pad=pad))
    assert np.min(boxes(Uniform(border="nnunet"))) < 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices(data: Data, axis: int) -> None:
    pipeline = nnunet((10, 12), scales=[(1, 1), (0.5, 0.5)])
    with PatchLoader(
        data.cases,
        (10, 12),
        slice_axis=axis,
        augment=pipeline,
        label_fill=-1,
        samples_per_epoch=12,
    ) as loader:
        for batch in loader:
            assert batch["label_1"].shape == (2, 1, 5, 6)
            for i in range(2):
                image, label = (voxels.squeeze(1 + axis) for voxels in data.box(batch, i))
                made, labels = pipeline.apply(image, label, seed=int(batch["seed"][i]))
                np.testing.assert_array_equal(batch["image"][i], made)
                assert isinstance(labels, list)
                np.testing.assert_array_equal(batch["label"][i], labels[0])


def test_errors(data: Data) -> None:
    def refused(words: str, **options: Any) -> None:
        with pytest.raises(InvalidValueError, match=words):
            PatchLoader(data.cases, 12, **options)

    refused("neither 'nnunet'", augment="monai")
    refused("augment makes patches of", augment=nnunet((12, 12, 14)))
    refused("mask_padding", augment="nnunet", mask_padding=True)
    refused("type of images", augment="nnunet", image_dtype="int16")
    value = nnunet((12, 12, 12)).value
    value["labels"]["masked_channels"] = [1]
    refused("masked_channels", augment=Pipeline(value))


def test_raw_support_and_placement(data: Data) -> None:
    """Who resamples by what the batch says gets what the loader would have made."""
    pipeline = Pipeline.of(
        (10, 12, 14),
        initial=(18, 20, 22),
        spatial=Spatial(p_rotation=0.7, rotation=(-3, 3), p_swap=0, random_crop=True),
        mirror_axes=(0, 1, 2),
        labels=Labels(remove_outside=False),
    )
    options: dict[str, Any] = {
        "sampler": Uniform(border="nnunet"),
        "label_fill": -1,
        "augment": pipeline,
        "samples_per_epoch": 16,
    }
    with (
        PatchLoader(data.cases, (10, 12, 14), augment_raw=True, **options) as raw,
        PatchLoader(data.cases, (10, 12, 14), **options) as ready,
    ):
        for before, after in zip(raw, ready, strict=True):
            assert before["image"].shape == (2, 1, 18, 20, 22)
            assert before["support"].shape == (2, 2, 3)
            for i in range(2):
                image, label = data.box(before, i)
                part = (slice(None), *map(slice, *before["support"][i]))
                for name, whole, fill in (("image", image, 0), ("label", label, -1)):
                    wanted = np.full_like(whole, fill)
                    wanted[part] = whole[part]
                    np.testing.assert_array_equal(before[name][i], wanted)
                drawn = pipeline.draw(int(before["seed"][i]))
                made, labels = pipeline.apply(
                    before["image"][i], before["label"][i], drawn=drawn
                )
                np.testing.assert_array_equal(made, after["image"][i])
                np.testing.assert_array_equal(labels, after["label"][i])
                # The affine of the patch is that of the initial patch behind the placement.
                square = np.vstack([before["placement"][i], [0, 0, 0, 1]])
                np.testing.assert_allclose(before["affine"][i] @ square, after["affine"][i])


def test_raw_slices(data: Data) -> None:
    pipeline = nnunet((10, 12))
    loader = PatchLoader(
        data.cases,
        (10, 12),
        slice_axis=1,
        augment=pipeline,
        augment_raw=True,
        samples_per_epoch=8,
    )
    with loader:
        for batch in loader:
            assert batch["image"].shape == (2, 1, *pipeline.initial)
            assert batch["placement"].shape == (2, 2, 3)
            for i in range(2):
                start, stop = batch["support"][i]
                assert (start >= 0).all()
                assert (stop <= pipeline.initial).all()


def test_a_transform_of_the_user(data: Data) -> None:
    seen: list[int] = []

    def darker(sample: dict[str, Voxels]) -> dict[str, Any] | None:
        seen.append(int(sample["index"]))
        sample["image"] -= 5  # in place
        if sample["index"] % 2:
            return {"label": np.full_like(sample["label"], 3), "image": sample["image"]}
        return None

    options: dict[str, Any] = {"augment": "monai-basic", "samples_per_epoch": 6}
    with (
        PatchLoader(data.cases, (10, 10, 12), transform=darker, **options) as loader,
        PatchLoader(data.cases, (10, 10, 12), **options) as plain,
    ):
        for made, before in zip(loader, plain, strict=True):
            np.testing.assert_array_equal(made["image"], before["image"] - 5)
            odd = before["index"] % 2 == 1
            assert (made["label"][odd] == 3).all()
            np.testing.assert_array_equal(made["label"][~odd], before["label"][~odd])
        assert seen == list(range(6))
        np.testing.assert_array_equal(
            loader.sample(1, 0)["image"], plain.sample(1, 0)["image"] - 5
        )

    def fit(transform: Any) -> PatchLoader:
        return PatchLoader(data.cases, 8, transform=transform, samples_per_epoch=2)

    with (
        fit(lambda sample: {"image": sample["image"][:, 1:]}) as loader,
        pytest.raises(InvalidValueError, match="one shape"),
    ):
        next(iter(loader))
    with (
        fit(lambda sample: {"weight": 1}) as loader,
        pytest.raises(InvalidValueError, match="weight"),
    ):
        next(iter(loader))
    with pytest.raises(InvalidTypeError, match="no function"):
        fit(3)
    with pytest.raises(InvalidValueError, match="augment_raw"):
        PatchLoader(data.cases, 8, augment_raw=True)
    with pytest.raises(InvalidValueError, match="monai-basic"):
        PatchLoader(data.cases, 8, augment="monai")  # type: ignore[arg-type]
