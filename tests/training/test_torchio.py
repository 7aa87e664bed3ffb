"""mlarray.torchio against TorchIO itself: lazy images, patches, the queue, prediction."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
import torchio as tio
from torch.utils.data import DataLoader

import mlarray.torchio
from mlarray import MLArray
from mlarray.convert import convert
from mlarray.errors import CorruptionError, InvalidUseError, InvalidValueError
from mlarray.torchio import MlaImage, MlaLabelMap, PatchSampler
from mlarray.training import LabelIndex

SHAPE = (24, 30, 26)
TURNED = np.array([[0, 0, -2.0, 5], [1, 0, 0, -3], [0, 1.5, 0, 7], [0, 0, 0, 1]])


def test_versions() -> None:
    assert tio.__version__ == "1.2.1"  # what the page says


def voxels_of(shape: tuple[int, ...] = SHAPE) -> tuple[Any, Any]:
    """An image, and labels 0 to 2."""
    labels = np.zeros(shape, np.uint8)
    labels[3:9, 4:12, ...] = 1
    labels[12:14, 15:18, ...] = 2
    if len(shape) == 3:
        labels[..., :3] = 0
    noise = np.random.default_rng(5).normal(0, 300, shape)
    return (noise + 500.0 * labels).astype(np.int16), labels


def save(folder: Path, image: Any, labels: Any, **how: Any) -> tuple[str, str]:
    """They are saved; the paths."""
    paths = str(folder / "image.mla"), str(folder / "label.mla")
    for path, voxels in zip(paths, (image, labels)):
        MLArray(voxels, **how).save(path, patch_size=8)
    return paths


def lazy(paths: tuple[str, str]) -> tio.Subject:
    return tio.Subject(image=MlaImage(paths[0]), label=MlaLabelMap(paths[1]), name="x")


def loaded(image: Any, labels: Any, affine: Any = TURNED) -> tio.Subject:
    """The same as TorchIO has it in memory."""
    return tio.Subject(
        image=tio.ScalarImage(tensor=image[None], affine=affine),
        label=tio.LabelMap(tensor=labels[None], affine=affine),
        name="x",
    )


@pytest.fixture
def paths(tmp_path: Path) -> tuple[str, str]:
    return save(tmp_path, *voxels_of(), affine=TURNED)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many voxels are read by each call."""
    sizes: list[int] = []
    real = mlarray.training._patches.read_box

    def counted(image: Any, grid: Any, box: Any) -> Any:
        voxels = real(image, grid, box)
        sizes.append(voxels.size)
        return voxels

    monkeypatch.setattr(mlarray.training._patches, "read_box", counted)
    monkeypatch.setattr(MLArray, "to_numpy", None)
    return sizes


# Images.


def test_an_image_is_equal_to_that_of_nifti(tmp_path: Path) -> None:
    make: Any = nibabel.Nifti1Image
    nibabel.save(make(voxels_of()[0], TURNED), tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / "a.mla")
    ours, theirs = MlaImage(tmp_path / "a.mla"), tio.ScalarImage(tmp_path / "a.nii")
    for what in ("shape", "spatial_shape", "orientation", "is_2d", "num_channels"):
        one, other = getattr(ours, what), getattr(theirs, what)
        assert (one() if callable(one) else one) == (other() if callable(other) else other)
    for what in ("affine", "spacing", "origin", "direction", "bounds"):
        np.testing.assert_allclose(getattr(ours, what), getattr(theirs, what), atol=1e-6)
    assert not ours._loaded
    assert torch.equal(ours.data[:], theirs.data)
    assert not ours._loaded
    ours.load()
    assert ours._loaded
    assert torch.equal(ours.data, theirs.data)
    assert ours.data.dtype == theirs.data.dtype
    np.testing.assert_allclose(ours.affine, theirs.affine)
    ours.unload()
    assert not ours._loaded
    assert ours.shape == theirs.shape


def test_nothing_is_read_of_what_is_not_asked(paths: tuple[str, str], read: list[int]) -> None:
    subject = lazy(paths)
    assert subject.shape == (1, *SHAPE)
    assert "24, 30, 26" in repr(subject.image)
    subject.check_consistent_space()
    np.testing.assert_allclose(subject.image.affine, TURNED)
    assert subject.image.data.dtype == torch.int16
    assert subject.image.itemsize == 2
    assert subject.image.memory == 2 * np.prod(SHAPE)
    copy.deepcopy(subject)
    copy.copy(subject.image)
    pickle.loads(pickle.dumps(subject))
    assert sum(read) == 0
    assert subject.image.data[0, 1, 2, 3] == voxels_of()[0][1, 2, 3]
    assert sum(read) == 1


KEYS: list[Any] = [
    ...,
    0,
    slice(0, 1),
    (0, 3),
    (slice(None), slice(2, 9), slice(1, 30, 3), slice(5, -4)),
    (slice(None), slice(9, 2)),
    (0, -1, -2, -3),
    (..., 4),
    (slice(None), 3, ..., slice(2, 4)),
    (0, ..., slice(50, 60)),
    (slice(None), [1, 2, 5]),
    (0, torch.tensor([1, 2]), slice(3)),
    None,
    (slice(None), np.int64(3), slice(np.int64(2), np.int64(7))),
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_slices_are_those_of_a_tensor(paths: tuple[str, str], key: Any) -> None:
    tensor = torch.from_numpy(voxels_of()[0])[None]
    found, expected = MlaImage(paths[0]).data[key], tensor[key]
    assert found.shape == expected.shape
    assert torch.equal(found, expected)


@pytest.mark.parametrize("key", [(0, 99), (0, 0, 0, 0, 0), (slice(None, None, -1),)], ids=str)
def test_keys_that_a_tensor_refuses(paths: tuple[str, str], key: Any) -> None:
    data = MlaImage(paths[0]).data
    tensor = torch.from_numpy(voxels_of()[0])[None]
    with pytest.raises((IndexError, ValueError)) as expected:
        tensor[key]
    with pytest.raises(expected.type):
        data[key]


def test_whatever_else_a_tensor_does(paths: tuple[str, str]) -> None:
    tensor = torch.from_numpy(voxels_of()[0])[None]

    def data() -> Any:
        image = MlaImage(paths[0])
        assert not image._loaded
        return image.data

    assert torch.equal(data() + 1, tensor + 1)
    assert torch.equal(2 * data(), 2 * tensor)
    assert torch.equal(data() > 0, tensor > 0)
    assert torch.equal(-data(), -tensor)
    assert torch.equal(data() + data(), 2 * tensor)
    assert torch.equal(tensor + data(), 2 * tensor)
    assert torch.equal(torch.cat([data(), data()]), torch.cat([tensor, tensor]))
    assert torch.equal(torch.flip(data(), (1,)), tensor.flip(1))
    assert torch.equal(data().float(), tensor.float())
    assert data().max() == tensor.max()
    assert data().numel() == tensor.numel()
    assert (data().ndim, data().dim(), len(data())) == (4, 4, 1)
    assert data().shape == tensor.shape
    assert data().element_size() == 2
    np.testing.assert_array_equal(np.asarray(data()), tensor)
    np.testing.assert_array_equal(data().numpy(), tensor)
    np.testing.assert_array_equal(MlaImage(paths[0]).numpy(), tensor)
    assert torch.equal(next(iter(data())), tensor[0])
    mine = data()
    copy = np.array(mine)
    copy[...] = 7
    assert torch.equal(mine.whole(), tensor)
    assert np.asarray(data(), np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="without a copy"):
        data().__array__(np.float64, copy=False)
    mine[..., 0] = 5
    assert (mine[..., 0] == 5).all()
    assert torch.equal(mine[..., 1:], tensor[..., 1:])
    image = MlaImage(paths[0])
    image.set_data(torch.flip(image.data, (1,)))
    assert torch.equal(image.data, tensor.flip(1))
    image = MlaImage(paths[0])
    image.set_data(image.data[:, 3:5])
    assert image.shape == (1, 2, 30, 26)
    np.testing.assert_allclose(image.affine, TURNED)
    image = MlaImage(paths[0])
    image.set_data(image.data)
    assert torch.equal(image.data, tensor)
    image = MlaImage(paths[0])
    image.affine = np.eye(4)
    np.testing.assert_array_equal(image.affine, np.eye(4))
    assert torch.equal(image.data, tensor)
    assert torch.equal(MlaImage(paths[0])[tio.DATA], tensor)


@pytest.mark.parametrize(
    "transform",
    [
        tio.Crop((1, 2, 3, 4, 5, 6)),
        tio.CropOrPad((20, 40, 10)),
        tio.Flip(axes=(0, 2)),
        tio.ToCanonical(),
        tio.Pad(3),
        tio.RescaleIntensity((0, 1)),
        tio.ZNormalization(),
        tio.Resample((2, 2, 2)),
        tio.Affine((1.1, 1, 1), (10, 0, 0), (1, 2, 3)),
        tio.OneHot(3),
        tio.Compose([tio.RandomFlip(axes=(0, 1, 2)), tio.RandomNoise()]),
    ],
    ids=lambda transform: transform.name,
)
@pytest.mark.filterwarnings("ignore")
def test_transforms(paths: tuple[str, str], transform: Any) -> None:
    torch.manual_seed(3)
    ours = transform(lazy(paths))
    torch.manual_seed(3)
    theirs = transform(loaded(*voxels_of()))
    for key in ("image", "label"):
        one, other = ours[key], theirs[key]
        assert torch.equal(one.data[:], other.data)
        np.testing.assert_allclose(one.affine, other.affine)
    assert isinstance(ours.image, tio.ScalarImage)
    assert isinstance(ours.label, tio.LabelMap)


def test_crops_are_lazy(paths: tuple[str, str], read: list[int]) -> None:
    cropped = lazy(paths)[2:6, 3:10, 4:6]
    expected = loaded(*voxels_of())[2:6, 3:10, 4:6]
    for key in ("image", "label"):  # as items: attributes are still those of the whole
        assert torch.equal(cropped[key].data, expected[key].data)
        np.testing.assert_allclose(cropped[key].affine, expected[key].affine)
    assert sum(read) == 2 * 4 * 7 * 2


def test_made_of_a_tensor(paths: tuple[str, str]) -> None:
    tensor = torch.ones(1, 2, 3, 4)
    image = MlaImage(tensor=tensor, affine=TURNED, type=tio.INTENSITY, path=Path(paths[0]))
    assert torch.equal(image.data, tensor)
    np.testing.assert_array_equal(image.affine, TURNED)
    assert image.path == Path(paths[0])
    label = MlaLabelMap(tensor=tensor, affine=None, type=tio.LABEL, path=None)
    assert label.shape == (1, 2, 3, 4)
    np.testing.assert_array_equal(label.affine, np.eye(4))


@pytest.mark.parametrize("axis", [0, 3])
def test_channels(tmp_path: Path, axis: int) -> None:
    voxels = np.random.default_rng(1).integers(0, 99, (3, 8, 9, 7), np.int16)
    axes = ["spatial"] * 3
    axes.insert(axis, "channel")
    stored = np.moveaxis(voxels, 0, axis)
    MLArray(stored, axis_labels=axes, spacing=(1, 2, 3)).save(tmp_path / "a.mla")
    image = MlaImage(tmp_path / "a.mla")
    assert image.shape == (3, 8, 9, 7)
    np.testing.assert_array_equal(image.data[1:, 2:4, 3], voxels[1:, 2:4, 3])
    np.testing.assert_array_equal(image.affine, np.diag([1, 2, 3, 1]))
    MLArray(stored).save(tmp_path / "b.b2nd")
    image = MlaImage(tmp_path / "b.b2nd", channel_dim=axis)
    for one in (image, copy.copy(image), copy.deepcopy(image)):
        np.testing.assert_array_equal(one.data[...], voxels)
    with pytest.raises(RuntimeError, match=r"b\.b2nd.*channel_dim"):
        MlaImage(tmp_path / "b.b2nd").shape  # noqa: B018


def test_several_files(tmp_path: Path) -> None:
    voxels = np.random.default_rng(1).integers(0, 99, (2, 8, 9, 7), np.int16)
    paths = [tmp_path / f"{number}.mla" for number in range(2)]
    for path, part in zip(paths, voxels):
        MLArray(part).save(path)
    image = MlaImage(paths)
    assert image.shape == (2, 8, 9, 7)
    np.testing.assert_array_equal(image.data[1:, 2:4, 3], voxels[1:, 2:4, 3])
    image.load()
    np.testing.assert_array_equal(image.data, voxels)
    MLArray(voxels[0, :4]).save(paths[1])
    with pytest.raises(InvalidValueError, match=r"1\.mla.*0\.mla"):
        MlaImage(paths).shape  # noqa: B018


def test_2d(tmp_path: Path) -> None:
    image, labels = voxels_of((40, 30))
    paths = save(tmp_path, image, labels, spacing=(2, 3), origin=(5, 6))
    subject = lazy(paths)
    assert subject.image.shape == (1, 40, 30, 1)
    assert subject.image.is_2d()
    expected = np.diag([2.0, 3, 1, 1])
    expected[:2, 3] = 5, 6
    np.testing.assert_array_equal(subject.image.affine, expected)
    np.testing.assert_array_equal(subject.image.data[0, 3:9, 2:20:4, 0], image[3:9, 2:20:4])
    assert subject.image.data[:, :, :, 1:].shape == (1, 40, 30, 0)
    for patch in PatchSampler((8, 6, 1), "label", {1: 1, 2: 1})(subject, 20):
        assert labels[patch.location[0] + 4, patch.location[1] + 3] > 0
        assert patch.image.shape == (1, 8, 6, 1)
    axes = ["spatial_z", "spatial_y"]
    MLArray(image, spacing=(2, 3), axis_labels=axes).save(paths[0])
    turned = [[0, 0, 1, 0], [0, 3, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1]]
    np.testing.assert_array_equal(MlaImage(paths[0]).affine, turned)


def test_stored_types(tmp_path: Path) -> None:
    for kind in ("bool", "u1", "i1", "u2", "<i4", "u4", "i8", "f2", "<f4", ">f4", "f8"):
        voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(kind)
        MLArray(voxels).save(tmp_path / "a.mla")
        image = MlaImage(tmp_path / "a.mla")
        sliced = image.data[:, 1:]
        np.testing.assert_array_equal(sliced[0].double(), voxels[1:])
        image.load()
        assert image.data.dtype == sliced.dtype
        np.testing.assert_array_equal(image.data[0].double(), voxels)


def test_bad_files(tmp_path: Path, paths: tuple[str, str]) -> None:
    data = Path(paths[0]).read_bytes()
    (tmp_path / "short.mla").write_bytes(data[: len(data) // 2])
    MLArray().save(tmp_path / "meta.mla")
    with pytest.raises(CorruptionError, match=r"short\.mla"):
        MlaImage(tmp_path / "short.mla").shape  # noqa: B018
    with pytest.raises(CorruptionError, match=r"short\.mla"):
        MlaImage(tmp_path / "short.mla").load()
    with pytest.raises(InvalidUseError, match=r"meta\.mla"):
        MlaImage(tmp_path / "meta.mla").data[:]
    with pytest.raises(FileNotFoundError, match=r"missing\.mla"):
        MlaImage(tmp_path / "missing.mla")
    with pytest.raises(RuntimeError, match=r"a\.nii"):
        MlaImage(tmp_path / "a.nii")
    with pytest.raises(TypeError, match="path"):
        MlaImage(torch.zeros(1, 2, 2, 2))


def test_a_file_that_is_replaced(paths: tuple[str, str]) -> None:
    image = MlaImage(paths[0])
    before = image.data[:]
    MLArray(voxels_of()[0] + 1).save(paths[0])
    assert torch.equal(image.data[:], before + 1)


# Patches.


@pytest.mark.parametrize("size", [8, (7, 10, 5), SHAPE])
def test_patches_are_those_of_torchio(paths: tuple[str, str], size: Any) -> None:
    """The same draws cut out of images in memory."""
    ours, theirs = PatchSampler(size), tio.UniformSampler(size)
    torch.manual_seed(1)
    found = list(ours(lazy(paths), 6))
    torch.manual_seed(1)
    expected = list(theirs(loaded(*voxels_of()), 6))
    assert len(found) == 6
    for one, other in zip(found, expected):
        assert set(one) == set(other)
        assert one.name == "x"
        assert torch.equal(one.location, other.location)
        assert len(one.history) == len(other.history)
        for key in ("image", "label"):
            assert torch.equal(one[key].data, other[key].data)
            np.testing.assert_allclose(one[key].affine, other[key].affine)


@pytest.mark.parametrize(
    "shares", [None, {1: 1}, {0: 1, 1: 2, 2: 3}, {0: 1, 3: 5, 9: 2}], ids=str
)
@pytest.mark.parametrize("stored", [None, 10_000, 0], ids=["made", "stored", "counts"])
def test_centres_are_drawn_as_torchio_does(
    tmp_path: Path, shares: dict[int, float] | None, stored: int | None
) -> None:
    image, labels = voxels_of((9, 10, 8))
    labels[:] = 0
    labels[2:5, 3:5, 1:3] = 1
    labels[5:8, 1:3, 2:4] = 2
    labels[0, 0, 0] = 3  # no patch can be centred there
    paths = save(tmp_path, image, labels)
    if stored is not None:
        assert LabelIndex.store(paths[1], positions=stored)
    size = (4, 3, 3)
    theirs = tio.LabelSampler(size, "label", shares)
    subject = loaded(image, labels)
    weights = theirs.process_probability_map(
        theirs.get_probability_map(subject).clone(), subject
    )
    torch.manual_seed(1)
    count = 3000
    ours = PatchSampler(size, "label", shares)
    ours.extract_patch = lambda _, start: start  # only where
    half = np.array(size) // 2
    drawn = Counter(tuple(np.array(start) + half) for start in ours(lazy(paths), count))
    chi = 0.0
    for voxel in np.argwhere(weights > 0):
        expected = count * weights[tuple(voxel)]
        chi += (drawn.pop(tuple(voxel), 0) - expected) ** 2 / expected
    assert not drawn
    voxels = np.count_nonzero(weights)
    assert chi < voxels + 5 * np.sqrt(2 * voxels)


def test_only_the_patch_is_read(paths: tuple[str, str], read: list[int]) -> None:
    assert LabelIndex.store(paths[1])
    patches = list(PatchSampler(8, "label", {0: 1, 1: 1})(lazy(paths), 10))
    assert len(patches) == 10
    assert sorted(read)[-20:] == [512] * 20
    assert sum(sorted(read)[:-20]) < 100  # voxels of the background, looked at


@pytest.mark.parametrize("kind", ["float", "one-hot", "loaded", "other"])
def test_label_maps_without_an_index(tmp_path: Path, kind: str) -> None:
    """Drawn by TorchIO itself."""
    image, labels = voxels_of()
    paths = save(tmp_path, image, labels, affine=TURNED)
    subject, expected = lazy(paths), loaded(image, labels)
    if kind == "float":
        MLArray(labels * 1.0, affine=TURNED).save(paths[1])
    elif kind == "one-hot":
        hot = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.uint8)
        axes = ["channel", "spatial", "spatial", "spatial"]
        MLArray(hot, affine=TURNED, axis_labels=axes).save(paths[1])
        expected.label.set_data(torch.from_numpy(hot))
    elif kind == "loaded":
        subject.label.load()
    else:
        subject.add_image(expected.label, "label")
    for shares in (None, {0: 1, 1: 2, 2: 3}) if kind != "one-hot" else ({0: 1, 1: 2, 2: 3},):
        torch.manual_seed(5)
        found = list(PatchSampler(8, "label", shares)(subject, 4))
        torch.manual_seed(5)
        wanted = list(tio.LabelSampler(8, "label", shares)(expected, 4))
        for one, other in zip(found, wanted, strict=True):
            assert torch.equal(one.location, other.location)
            assert torch.equal(one.image.data, other.image.data)


def test_what_cannot_be_drawn(tmp_path: Path, paths: tuple[str, str]) -> None:
    subject = lazy(paths)
    with pytest.raises(KeyError, match=r"seg.*image.*label"):
        next(PatchSampler(8, "seg")(subject))
    with pytest.raises(RuntimeError, match="Patch size"):
        next(PatchSampler(99, "label")(subject))
    with pytest.raises(InvalidUseError, match=r"label\.mla.*\[7\].*\(8, 8, 8\)"):
        next(PatchSampler(8, "label", {7: 1})(subject))
    for wrong in ({"label_probabilities": {1: 1}}, {"label_name": "label"}):
        shares = {1: -1.0, 2: 3} if "label_name" in wrong else wrong["label_probabilities"]
        with pytest.raises(InvalidValueError, match="label_probabilities"):
            PatchSampler(8, wrong.get("label_name"), shares)
    with pytest.raises(InvalidValueError, match="label_probabilities"):
        PatchSampler(8, "label", {1: 0.0})
    MLArray(voxels_of()[1] * 0, affine=TURNED).save(paths[1])
    with pytest.raises(InvalidUseError, match=r"label\.mla.*above 0"):
        next(PatchSampler(8, "label")(subject))


@pytest.mark.parametrize(("workers", "how"), [(0, None), (2, "fork"), (1, "spawn")])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_queue(
    paths: tuple[str, str], workers: int, how: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how is not None:  # the queue makes its own loader
        monkeypatch.setattr(
            "torchio.data.queue.DataLoader",
            lambda *a, **k: DataLoader(*a, multiprocessing_context=how, **k),
        )
    image, labels = voxels_of()
    dataset = tio.SubjectsDataset([lazy(paths) for _ in range(4)], load_getitem=False)
    dataset[0].image.data[0, 0, 0, 0]  # something is open when the workers begin
    queue = tio.Queue(dataset, 12, 3, PatchSampler(8, "label"), num_workers=workers)
    locations = []
    for batch in tio.SubjectsLoader(queue, batch_size=4):
        assert batch["image"][tio.DATA].shape == (4, 1, 8, 8, 8)
        for number, where in enumerate(batch[tio.LOCATION].tolist()):
            box = tuple(slice(a, b) for a, b in zip(where[:3], where[3:]))
            np.testing.assert_array_equal(batch["image"][tio.DATA][number, 0], image[box])
            np.testing.assert_array_equal(batch["label"][tio.DATA][number, 0], labels[box])
            locations.append(tuple(where))
    assert len(locations) == 12
    assert len(set(locations)) > 6


@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_workers(paths: tuple[str, str], how: str) -> None:
    """A dataset whose transform crops: each worker reads."""
    crop = tio.Crop((8, 8, 11, 11, 9, 9))
    dataset = tio.SubjectsDataset([lazy(paths)] * 4, transform=crop, load_getitem=False)
    loader = tio.SubjectsLoader(
        dataset, batch_size=2, num_workers=2, multiprocessing_context=how
    )
    expected = crop(loaded(*voxels_of()))
    batches = list(loader)
    assert len(batches) == 2
    for batch in batches:
        assert torch.equal(batch["image"][tio.DATA][1], expected.image.data)


def test_a_dataset_that_loads(paths: tuple[str, str]) -> None:
    subject = tio.SubjectsDataset([lazy(paths)])[0]
    assert subject.image._loaded
    np.testing.assert_array_equal(subject.image.data[0], voxels_of()[0])


@pytest.mark.parametrize("mode", ["crop", "average", "hann"])
@pytest.mark.parametrize("padding", [None, "reflect"])
def test_prediction_by_a_grid(
    paths: tuple[str, str], read: list[int], mode: str, padding: str | None
) -> None:
    subject = lazy(paths)
    sampler = tio.GridSampler(subject, (8, 9, 10), (4, 2, 4), padding_mode=padding)
    aggregator = tio.GridAggregator(sampler, overlap_mode=mode)
    if padding is None:
        assert not subject.image._loaded
        assert sum(read) == 0
    for batch in tio.SubjectsLoader(sampler, batch_size=5):
        aggregator.add_batch(batch["image"][tio.DATA].float(), batch[tio.LOCATION])
    output = aggregator.get_output_tensor()
    np.testing.assert_allclose(output[0], voxels_of()[0], atol=1e-2)
    if padding is None:
        assert max(read) == 8 * 9 * 10


def test_indexes_in_a_folder(tmp_path: Path, paths: tuple[str, str]) -> None:
    folder = tmp_path / "indexes"
    folder.mkdir()
    sampler = PatchSampler(8, "label", index_cache=folder)
    next(sampler(lazy(paths)))
    assert len(list(folder.iterdir())) == 1
    assert len(pickle.dumps(sampler)) < 2000
    next(pickle.loads(pickle.dumps(sampler))(lazy(paths)))


def test_from_many_threads(paths: tuple[str, str]) -> None:
    image, _ = voxels_of()
    sampler, subject = PatchSampler(8, "label"), lazy(paths)

    def check(_: int) -> bool:
        patch = next(sampler(subject))
        a, b, c = patch.location[:3].tolist()
        return bool(
            (patch.image.data[0].numpy() == image[a : a + 8, b : b + 8, c : c + 8]).all()
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(100)))
