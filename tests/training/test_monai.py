"""mlarray.monai against MONAI itself: the reader, patches, the writer."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import monai
import nibabel
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor, set_track_meta
from monai.transforms import (
    Compose,
    FgBgToIndicesd,
    LoadImage,
    LoadImaged,
    RandCropByPosNegLabeld,
    SaveImage,
    SaveImaged,
    Spacingd,
)

import mlarray.monai
import mlarray.training._patches
from mlarray import MLArray
from mlarray.convert import convert
from mlarray.errors import CorruptionError, InvalidTypeError, InvalidValueError, NotFoundError
from mlarray.monai import MlaReader, MlaWriter, RandPatchByPosNegLabeld
from mlarray.training import LabelIndex

KEYS = ["image", "label"]
SHAPE = (24, 30, 26)
TURNED = np.array([[0, 0, -2.0, 5], [1, 0, 0, -3], [0, 1.5, 0, 7], [0, 0, 0, 1]])


def test_versions() -> None:
    assert monai.__version__ == "1.6.1"  # what the page says


def voxels_of(shape: tuple[int, ...] = SHAPE) -> tuple[Any, Any]:
    """An image, and labels 0 to 2."""
    labels = np.zeros(shape, np.uint8)
    labels[3:9, 4:12, ...] = 1
    labels[12:14, 15:18, ...] = 2
    if len(shape) == 3:
        labels[..., :3] = 0
    noise = np.random.default_rng(5).normal(0, 300, shape)
    return (noise + 500.0 * labels).astype(np.int16), labels


def item_of(folder: Path, image: Any, labels: Any, **how: Any) -> dict[str, Any]:
    """They are saved; the paths."""
    item = {}
    for key, voxels in (("image", image), ("label", labels)):
        item[key] = str(folder / f"{key}.mla")
        MLArray(voxels, **how).save(item[key], patch_size=8)
    return item


@pytest.fixture
def item(tmp_path: Path) -> dict[str, Any]:
    return item_of(tmp_path, *voxels_of(), affine=TURNED)


def whole(item: dict[str, Any], **how: Any) -> dict[str, Any]:
    """As MONAI reads it."""
    loaded: dict[str, Any] = LoadImaged(KEYS, ensure_channel_first=True, **how)(item)
    return loaded


def cropped(patches: RandPatchByPosNegLabeld, item: dict[str, Any]) -> list[dict[str, Any]]:
    """What MONAI cuts out of the whole images at the centres that were drawn last."""
    crop = RandCropByPosNegLabeld(
        KEYS,
        "label",
        patches.spatial_size,
        num_samples=patches.num_samples,
        allow_smaller=patches.allow_smaller,
    )
    crop.randomize = lambda *_: None
    crop.cropper.centers = patches.centers
    result: list[dict[str, Any]] = crop(whole(item))
    return result


def assert_same(ours: MetaTensor, theirs: MetaTensor) -> None:
    assert isinstance(ours, MetaTensor)
    assert ours.dtype == theirs.dtype
    assert torch.equal(ours.as_tensor(), theirs.as_tensor())
    assert ours.is_contiguous()
    assert set(ours.meta) == set(theirs.meta)
    for key, value in theirs.meta.items():
        np.testing.assert_array_equal(ours.meta[key], value, err_msg=key)
        assert type(ours.meta[key]) is type(value), key


# The reader.


@pytest.mark.parametrize(
    "affine",
    [np.diag([2.0, 1, 3, 1]), np.diag([-2.0, -1, 3, 1]), TURNED],
    ids=["straight", "flipped", "turned"],
)
def test_the_reader_is_equal_to_that_of_nifti(tmp_path: Path, affine: Any) -> None:
    image, _ = voxels_of()
    make: Any = nibabel.Nifti1Image
    nibabel.save(make(image, affine), tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / "a.mla")
    for first in (False, True):
        load = LoadImage(ensure_channel_first=first)
        ours, theirs = load(tmp_path / "a.mla"), load(tmp_path / "a.nii")
        assert torch.equal(ours.as_tensor(), theirs.as_tensor())
        assert ours.dtype == theirs.dtype == torch.float32
        for key in ("affine", "original_affine", "spatial_shape", "original_channel_dim"):
            np.testing.assert_array_equal(ours.meta[key], theirs.meta[key])
        assert ours.meta["space"] == theirs.meta["space"]
        assert ours.meta["filename_or_obj"] == str(tmp_path / "a.mla")


def test_positions_are_in_ras(tmp_path: Path) -> None:
    """The same place, said in four ways."""
    voxels = np.zeros((4, 5, 6), np.uint8)
    ras = np.array([[0, 0, 1.0, -9], [0, 2, 0, 8], [3, 0, 0, 7], [0, 0, 0, 1]])
    lps = np.diag([-1.0, -1, 1, 1]) @ ras
    ways = {
        "ras": (ras, None, "RAS"),
        "nothing": (ras, None, None),
        "lps": (lps, None, "LPS+"),
        "zyx": (lps[[2, 1, 0, 3]], ["spatial_z", "spatial_y", "spatial_x"], "LPS"),
    }
    for name, (affine, labels, frame) in ways.items():
        image = MLArray(voxels, affine=affine, axis_labels=labels)
        image.meta.spatial.coord_system = frame
        image.save(tmp_path / f"{name}.mla")
        read = LoadImage()(tmp_path / f"{name}.mla")
        np.testing.assert_array_equal(read.affine, ras)
    MLArray(voxels, spacing=(3, 2, 1)).save(tmp_path / "spacing.mla")
    read = LoadImage()(tmp_path / "spacing.mla")
    np.testing.assert_array_equal(read.affine, np.diag([3.0, 2, 1, 1]))


@pytest.mark.parametrize(("axis", "expected"), [(0, (3, 8, 9, 7)), (3, (3, 8, 9, 7))])
def test_channels(tmp_path: Path, axis: int, expected: tuple[int, ...]) -> None:
    voxels = np.random.default_rng(1).integers(0, 99, expected, np.int16)
    labels = ["spatial"] * 3
    labels.insert(axis, "channel")
    stored = np.moveaxis(voxels, 0, axis)
    MLArray(stored, axis_labels=labels, spacing=(1, 2, 3)).save(tmp_path / "a.mla")
    as_it_lies = LoadImage()(tmp_path / "a.mla")
    assert as_it_lies.shape == stored.shape
    assert as_it_lies.meta["original_channel_dim"] == axis
    np.testing.assert_array_equal(as_it_lies.affine, np.diag([1.0, 2, 3, 1]))
    first = LoadImage(ensure_channel_first=True)(tmp_path / "a.mla")
    np.testing.assert_array_equal(first, voxels)
    # A file that does not say it, as nnU-Net's.
    MLArray(stored).save(tmp_path / "b.b2nd")
    read = LoadImage(ensure_channel_first=True, reader=MlaReader(channel_dim=axis))
    np.testing.assert_array_equal(read(tmp_path / "b.b2nd"), voxels)
    with pytest.raises(RuntimeError, match=r"b\.b2nd.*axis_labels"):
        LoadImage()(tmp_path / "b.b2nd")


def test_several_files_are_channels(tmp_path: Path) -> None:
    parts = np.random.default_rng(1).integers(0, 99, (2, 8, 9, 7), np.int16)
    paths = [str(tmp_path / f"{number}.mla") for number in range(3)]
    for path, part in zip(paths, parts):
        MLArray(part, spacing=(1, 2, 3)).save(path)
    read = LoadImage(ensure_channel_first=True)(paths[:2])
    np.testing.assert_array_equal(read, parts)
    np.testing.assert_array_equal(read.meta["spatial_shape"], (8, 9, 7))
    MLArray(parts[0, :4], spacing=(1, 2, 3)).save(paths[2])
    with pytest.raises(InvalidValueError, match=r"2\.mla.*0\.mla"):
        LoadImage()([paths[0], paths[2]])
    MLArray(parts[0], spacing=(1, 2, 2)).save(paths[2])
    with pytest.raises(InvalidValueError, match=r"2\.mla.*0\.mla.*affines"):
        LoadImage()([paths[0], paths[2]])


def test_2d(tmp_path: Path) -> None:
    voxels = np.arange(42, dtype=np.uint8).reshape(6, 7)
    MLArray(voxels, spacing=(2, 3), origin=(5, 6)).save(tmp_path / "a.mla")
    read = LoadImage(ensure_channel_first=True)(tmp_path / "a.mla")
    np.testing.assert_array_equal(read[0], voxels)
    np.testing.assert_array_equal(read.affine, [[2, 0, 5], [0, 3, 6], [0, 0, 1]])


def test_how_a_reader_is_chosen(tmp_path: Path, item: dict[str, Any]) -> None:
    make: Any = nibabel.Nifti1Image
    nibabel.save(make(voxels_of()[0], TURNED), tmp_path / "a.nii")
    reader = MlaReader()
    assert reader.verify_suffix(item["image"])
    assert reader.verify_suffix([Path("a.mla"), "b.b2nd"])
    assert not reader.verify_suffix(["a.mla", "b.nii"])
    for named in (None, "MlaReader", MlaReader, reader):
        load = LoadImage(reader=named)
        assert load(item["image"]).shape == SHAPE
        assert load(tmp_path / "a.nii").shape == SHAPE  # by the next reader
    assert LoadImage(reader="NibabelReader")(item["image"]).shape == SHAPE
    # Options of other readers do not keep it from being there.
    assert LoadImage(reverse_indexing=True)(item["image"]).shape == SHAPE


def test_stored_types(tmp_path: Path) -> None:
    for kind in ("bool", "u1", "i1", "u2", "<i4", "u4", "i8", "f2", "<f4", ">f4", "f8"):
        voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(kind)
        MLArray(voxels).save(tmp_path / "a.mla")
        read = LoadImage()(tmp_path / "a.mla")
        np.testing.assert_array_equal(read, voxels.astype(np.float32))
        patches = RandPatchByPosNegLabeld("label", "label", -1, dtype=None)
        patch = patches({"label": tmp_path / "a.mla"})[0]["label"]
        np.testing.assert_array_equal(patch[0].as_tensor().to(torch.float64), voxels)


def test_bad_files(tmp_path: Path, item: dict[str, Any]) -> None:
    data = Path(item["image"]).read_bytes()
    (tmp_path / "short.mla").write_bytes(data[: len(data) // 2])
    (tmp_path / "other.mla").write_bytes(b"something else" * 100)
    MLArray().save(tmp_path / "meta.mla")
    kinds = {"short": CorruptionError, "other": Exception, "meta": RuntimeError}
    kinds["missing"] = NotFoundError
    for name, kind in kinds.items():
        path = str(tmp_path / f"{name}.mla")
        with pytest.raises(kind, match=rf"{name}\.mla"):
            LoadImage()(path)
        with pytest.raises(kind, match=rf"{name}\.mla"):
            RandPatchByPosNegLabeld(KEYS, "label", 8)({**item, "image": path})
        with pytest.raises(kind, match=rf"{name}\.mla"):
            RandPatchByPosNegLabeld(KEYS, "label", 8)({**item, "label": path})
        # Of an explicit reader, MONAI tells all errors.
        with pytest.raises(RuntimeError, match=rf"(?s){name}\.mla.*MlaReader"):
            LoadImage(reader="MlaReader")(path)
    with pytest.raises(RuntimeError, match=r"\.nii"):
        MlaReader().read("a.nii")


# Patches.


@pytest.mark.parametrize("size", [(8, 9, 7), 6, (24, 30, 26), (5, -1, 0)])
@pytest.mark.parametrize("pos", [0.0, 1.0, 3.0])
def test_patches_are_those_of_monai(item: dict[str, Any], size: Any, pos: float) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", size, pos, neg=1 if pos < 3 else 0)
    patches.num_samples = 4
    for seed in range(5):
        patches.set_random_state(seed)
        ours, theirs = patches(item), cropped(patches, item)
        assert len(ours) == len(theirs) == 4
        for one, other in zip(ours, theirs):
            for key in KEYS:
                assert_same(one[key], other[key])


def test_centres_are_those_of_monai_where_it_gives_the_voxels(item: dict[str, Any]) -> None:
    loaded = FgBgToIndicesd("label")(whole(item))
    indices = {key: value for key, value in loaded.items() if key not in KEYS}
    options = {"fg_indices_key": "label_fg_indices", "bg_indices_key": "label_bg_indices"}
    ours = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=50, **options)
    theirs = RandCropByPosNegLabeld(KEYS, "label", 8, num_samples=50, **options)
    ours.set_random_state(4)
    theirs.set_random_state(4)
    for one, other in zip(ours({**item, **indices, "more": [1]}), theirs(loaded)):
        assert set(one) == {*KEYS, "more"}
        assert_same(one["label"], other["label"])
    # The label map is not needed then.
    only = RandPatchByPosNegLabeld("image", "label", 8, **options)
    assert only({"image": item["image"], **indices})[0]["image"].shape == (1, 8, 8, 8)


@pytest.mark.parametrize("kind", ["float", "one-hot", "files"])
def test_labels_without_an_index(tmp_path: Path, item: dict[str, Any], kind: str) -> None:
    """Floats and several channels: drawn as MONAI does, of the whole map."""
    labels = voxels_of()[1]
    path = str(tmp_path / "other.mla")
    hot = np.stack([labels == 0, labels == 1, labels == 2]).astype(np.uint8)
    if kind == "float":
        MLArray(labels * 0.5, affine=TURNED).save(path)
        item["label"] = path
    elif kind == "one-hot":
        axes = ["channel", "spatial", "spatial", "spatial"]
        MLArray(hot, affine=TURNED, axis_labels=axes).save(path)
        item["label"] = path
    else:
        item["label"] = [str(tmp_path / f"hot{number}.mla") for number in range(3)]
        for name, part in zip(item["label"], hot):
            MLArray(part, affine=TURNED).save(name)
    ours = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=20, image_key="image")
    theirs = RandCropByPosNegLabeld(KEYS, "label", 8, num_samples=20, image_key="image")
    ours.set_random_state(2)
    theirs.set_random_state(2)
    for one, other in zip(ours(item), theirs(whole(item)), strict=True):
        for key in KEYS:
            assert_same(one[key], other[key])


@pytest.mark.parametrize("stored", [None, 10_000, 0], ids=["made", "stored", "counts"])
def test_every_voxel_is_as_likely(tmp_path: Path, stored: int | None) -> None:
    image, labels = voxels_of((9, 10, 8))
    labels[:] = 0
    labels[2:4, 3:5, 1] = 1  # 4 voxels
    labels[5:8, 1:3, 2:4] = 2  # 12
    labels[8, 9, 7] = 3
    item = item_of(tmp_path, image, labels)
    if stored is not None:
        assert LabelIndex.store(item["label"], positions=stored)
    patches = RandPatchByPosNegLabeld(KEYS, "label", 1, 3, 1, num_samples=4000)
    patches.set_random_state(1)
    patches(item)
    drawn = Counter(patches.centers)
    for foreground, share in ((True, 0.75), (False, 0.25)):
        voxels = np.argwhere((labels > 0) == foreground)
        counts = np.array([drawn.pop(tuple(map(int, voxel)), 0) for voxel in voxels])
        expected = 4000 * share / len(voxels)
        assert abs(counts.sum() - 4000 * share) < 5 * np.sqrt(4000 * share * (1 - share))
        # 5 standard deviations of chi-square
        chi = float(((counts - expected) ** 2 / expected).sum())
        assert chi < len(voxels) + 5 * np.sqrt(2 * len(voxels))
    assert not drawn


def test_background_only_where_the_image_is(item: dict[str, Any]) -> None:
    image, labels = voxels_of()
    patches = RandPatchByPosNegLabeld(
        KEYS, "label", 1, 0, 1, num_samples=60, image_key="image", image_threshold=600.0
    )
    patches(item)
    for center in patches.centers:
        assert labels[center] == 0
        assert image[center] > 600
    # A single voxel: found by looking at the whole image.
    patches.image_threshold = float(np.sort(image[labels == 0])[-2])
    patches(item)
    best = np.unravel_index(np.argmax(np.where(labels == 0, image, -9999)), image.shape)
    assert set(patches.centers) == {tuple(map(int, best))}
    patches.image_threshold = 1e6
    with pytest.warns(UserWarning, match=r"label\.mla.*no background.*foreground"):
        patches(item)
    assert all(labels[center] > 0 for center in patches.centers)


def test_an_empty_label_map(tmp_path: Path) -> None:
    image, labels = voxels_of()
    item = item_of(tmp_path, image, labels * 0)
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, 1, 0, num_samples=3)
    with pytest.warns(UserWarning, match=r"label\.mla.*no foreground.*background") as seen:
        ours = patches(item)
    assert len(ours) == 3
    assert len(seen) == 1
    (tmp_path / "full").mkdir()
    full = item_of(tmp_path / "full", image, labels * 0 + 2)
    with pytest.warns(UserWarning, match="no background"):
        RandPatchByPosNegLabeld(KEYS, "label", 8, 0, 1)(full)
    nothing = RandPatchByPosNegLabeld(KEYS, "label", 8, image_key="image", image_threshold=1e9)
    with pytest.raises(InvalidValueError, match=r"label\.mla.*neither"):
        nothing(item)


def test_negative_labels_are_foreground(tmp_path: Path) -> None:
    """As for MONAI, which takes what is not 0."""
    image, labels = voxels_of()
    item = item_of(tmp_path, image, -labels.astype(np.int16))
    patches = RandPatchByPosNegLabeld(KEYS, "label", 1, 1, 0, num_samples=20)
    patches(item)
    assert all(labels[center] > 0 for center in patches.centers)
    stored = FgBgToIndicesd("label")(whole(item))
    assert len(stored["label_fg_indices"]) == np.count_nonzero(labels)


def test_only_the_patch_is_read(item: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert LabelIndex.store(item["label"])
    read: list[int] = []
    real = mlarray.training._patches.read_box

    def counted(image: Any, grid: Any, box: Any) -> Any:
        voxels = real(image, grid, box)
        read.append(voxels.size)
        return voxels

    monkeypatch.setattr(mlarray.training._patches, "read_box", counted)
    monkeypatch.setattr(MLArray, "to_numpy", None)
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=10)
    patches(item)
    assert sorted(read)[-20:] == [512] * 20
    # Of the background, which a stored index does not list, a voxel now and then.
    assert sum(sorted(read)[:-20]) < 100


def test_2d_and_slices(tmp_path: Path) -> None:
    item = item_of(tmp_path, *voxels_of((40, 30)), spacing=(2, 3))
    patches = RandPatchByPosNegLabeld(KEYS, "label", (9, 8), num_samples=5)
    for one, other in zip(patches(item), cropped(patches, item), strict=True):
        for key in KEYS:
            assert_same(one[key], other[key])


@pytest.mark.parametrize("axis", [0, 3])
def test_patches_of_channels(tmp_path: Path, axis: int) -> None:
    image, labels = voxels_of()
    item = item_of(tmp_path, image, labels)
    axes = ["spatial"] * 3
    axes.insert(axis, "channel")
    MLArray(np.stack([image, -image], axis), axis_labels=axes).save(item["image"])
    MLArray(np.expand_dims(labels, axis), axis_labels=axes).save(item["label"])
    patches = RandPatchByPosNegLabeld(KEYS, "label", (9, 8, 7), num_samples=5)
    for one, other in zip(patches(item), cropped(patches, item), strict=True):
        assert one["image"].shape == (2, 9, 8, 7)
        for key in KEYS:
            assert_same(one[key], other[key])


def test_images_that_are_smaller(item: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match=r"99.*label\.mla.*\(24, 30, 26\).*smaller"):
        RandPatchByPosNegLabeld(KEYS, "label", (8, 99, 8))(item)
    patches = RandPatchByPosNegLabeld(
        KEYS, "label", (8, 99, 26), num_samples=3, allow_smaller=True
    )
    for one, other in zip(patches(item), cropped(patches, item), strict=True):
        assert one["image"].shape == (1, 8, 30, 26)
        for key in KEYS:
            assert_same(one[key], other[key])


def test_indices_of_the_item_may_be_arrays(item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld(
        KEYS, "label", 8, fg_indices_key="fg", bg_indices_key="bg", num_samples=2
    )
    fg, bg = np.array([9000, 9001, 9002]), np.array([0, 1])
    arrays = patches.set_random_state(0)({**item, "fg": fg, "bg": bg})
    tensors = patches.set_random_state(0)(
        {**item, "fg": torch.as_tensor(fg), "bg": torch.as_tensor(bg)}
    )
    for one, other in zip(arrays, tensors, strict=True):
        assert torch.equal(one["image"], other["image"])


def test_an_image_of_another_shape_than_the_label(tmp_path: Path, item: dict[str, Any]) -> None:
    MLArray(np.zeros((9, 9, 9), np.int16)).save(tmp_path / "small.mla")
    patches = RandPatchByPosNegLabeld(["image"], "label", 8)
    with pytest.raises(InvalidValueError, match=r"small\.mla.*\(9, 9, 9\).*\(24, 30, 26\)"):
        patches({**item, "image": tmp_path / "small.mla"})


def test_what_an_item_lacks(tmp_path: Path, item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld([*KEYS, "more"], "label", 8)
    with pytest.raises(KeyError, match="more"):
        patches(item)
    patches.allow_missing_keys = True
    assert set(patches(item)[0]) == set(KEYS)
    with pytest.raises(KeyError, match=r"label.*image"):
        patches({"image": item["image"]})
    with pytest.raises(InvalidTypeError, match=r"'image' is a Tensor.*path"):
        patches({**item, "image": torch.zeros(1)})
    with pytest.raises(InvalidTypeError, match="'image' is a list"):
        patches({**item, "image": []})
    MLArray(np.zeros((24, 30, 20), np.uint8)).save(tmp_path / "cut.mla")
    with pytest.raises(InvalidValueError, match=r"label\.mla.*cut\.mla|cut\.mla.*label\.mla"):
        RandPatchByPosNegLabeld(KEYS, "label", 8)({**item, "image": tmp_path / "cut.mla"})
    with pytest.raises(InvalidValueError, match="pos=-1"):
        RandPatchByPosNegLabeld(KEYS, "label", 8, pos=-1)
    with pytest.raises(InvalidValueError, match="pos=0"):
        RandPatchByPosNegLabeld(KEYS, "label", 8, pos=0, neg=0)


def test_types_of_the_patches(item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, dtype=(torch.float16, np.uint8))
    patch = patches(item)[0]
    assert (patch["image"].dtype, patch["label"].dtype) == (torch.float16, torch.uint8)
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, dtype=None)
    patch = patches(item)[0]
    assert (patch["image"].dtype, patch["label"].dtype) == (torch.int16, torch.uint8)
    set_track_meta(False)
    try:
        patch = patches(item)[0]
        assert type(patch["image"]) is torch.Tensor
    finally:
        set_track_meta(True)


def test_a_file_that_is_replaced(item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", -1)
    before = patches(item)[0]["image"]
    image, labels = voxels_of()
    MLArray(image + 1, affine=TURNED).save(item["image"])
    after = patches(item)[0]["image"]
    assert torch.equal(after.as_tensor(), before.as_tensor() + 1)
    labels[:] = 0
    labels[20, 20, 20] = 7
    MLArray(labels, affine=TURNED).save(item["label"])
    patches = RandPatchByPosNegLabeld(KEYS, "label", 1, 1, 0)
    patches(item)
    assert patches.centers == ((20, 20, 20),)


def test_indexes_in_a_folder(tmp_path: Path, item: dict[str, Any]) -> None:
    folder = tmp_path / "indexes"
    folder.mkdir()
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, index_cache=folder)
    patches(item)
    assert len(list(folder.iterdir())) == 1
    again = pickle.loads(pickle.dumps(patches))
    again(item)
    assert len(list(folder.iterdir())) == 1


def test_copies(item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=3)
    patches(item)
    assert len(pickle.dumps(patches)) < 5000  # no open file, no index
    copies = (patches, pickle.loads(pickle.dumps(patches)), copy.deepcopy(patches))
    centers = []
    for one in copies:
        one.set_random_state(9)
        one(item)
        centers.append(one.centers)
    assert centers[0] == centers[1] == centers[2]


@pytest.mark.parametrize("how", ["fork", "spawn", None])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_a_data_loader(item: dict[str, Any], how: str | None) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=2)
    patches(item)  # something is open when the workers begin
    dataset = Dataset([item] * 6, Compose([patches, Spacingd(KEYS, (2, 1, 1))]))
    loader = DataLoader(
        dataset,
        batch_size=3,
        num_workers=0 if how is None else 2,
        multiprocessing_context=how,
    )
    batches = list(loader)
    assert len(batches) == 2
    seen = set()
    for batch in batches:
        assert batch["image"].shape[:2] == batch["label"].shape[:2] == (6, 1)
        assert batch["image"].affine.shape == (6, 4, 4)
        centers = zip(*(axis.tolist() for axis in batch["image"].meta["crop_center"]))
        seen |= {tuple(center) for center in centers}
    assert len(seen) > 4  # workers draw differently


def test_from_many_threads(item: dict[str, Any]) -> None:
    patches = RandPatchByPosNegLabeld(KEYS, "label", 8, num_samples=2)
    image = whole(item)["image"].as_tensor()

    def check(_: int) -> bool:
        mine = copy.copy(patches)  # shares the files, not the centres
        for patch in mine(item):
            start = [c - 4 for c in patch["image"].meta["crop_center"]]
            box = tuple(slice(a, a + 8) for a in start)
            if not torch.equal(patch["image"].as_tensor()[0], image[0][box]):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(200)))


# The writer.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(9, 8), (7, 9, 8), (7, 9, 1)])
def test_saved_and_read_again(tmp_path: Path, channels: int, shape: tuple[int, ...]) -> None:
    voxels = torch.arange(channels * np.prod(shape)).reshape(channels, *shape).float()
    affine = torch.eye(len(shape) + 1, dtype=torch.float64)
    affine[0, -1], affine[1, 0] = 5, 0.5
    image = MetaTensor(voxels, affine=affine)
    save = SaveImage(tmp_path, output_ext=".mla", output_dtype=None, print_log=False)
    save.set_options(write_kwargs={"patch_size": 4})
    save(image, filename=tmp_path / "a")
    with MLArray.open(tmp_path / "a.mla") as stored:
        assert stored.shape == (shape if channels == 1 else (channels, *shape))
        assert stored.meta.spatial.coord_system == "RAS"
        assert stored.spatial_ndim == len(shape)
    read = LoadImage(ensure_channel_first=True)(tmp_path / "a.mla")
    assert torch.equal(read.as_tensor(), voxels)
    assert torch.equal(read.affine, affine)


def test_saved_by_keys(tmp_path: Path, item: dict[str, Any]) -> None:
    loaded = whole(item)
    save = SaveImaged(
        KEYS,
        output_dir=tmp_path / "out",
        output_ext=".mla",
        output_postfix="copy",
        output_dtype=np.int16,
        separate_folder=False,
        print_log=False,
    )
    save(loaded)
    for key in KEYS:
        with MLArray.open(tmp_path / "out" / f"{key}_copy.mla") as stored:
            assert stored.dtype == np.int16
        again = LoadImage(ensure_channel_first=True)(tmp_path / "out" / f"{key}_copy.mla")
        assert torch.equal(again.as_tensor(), loaded[key].as_tensor())
        assert torch.equal(again.affine, loaded[key].affine)


def test_resampled_to_the_original_grid(tmp_path: Path, item: dict[str, Any]) -> None:
    """As MONAI's writer of NIfTI does it."""
    moved = Spacingd(KEYS, (2, 2, 2), mode=("bilinear", "nearest"))(whole(item))
    for resample in (False, True):
        for suffix in (".mla", ".nii"):
            save = SaveImage(output_ext=suffix, resample=resample, print_log=False)
            save(moved["image"], filename=tmp_path / "a")
        ours, theirs = (LoadImage()(tmp_path / f"a{suffix}") for suffix in (".mla", ".nii"))
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-3)
        np.testing.assert_allclose(ours.affine, theirs.affine, atol=1e-5)


def test_other_ways_of_saving(tmp_path: Path) -> None:
    writer = MlaWriter(output_dtype=np.uint8, scale=255)
    writer.set_data_array(np.linspace(0, 1, 24).reshape(2, 3, 4), channel_dim=None)
    writer.set_metadata(None)
    writer.write(tmp_path / "a.mla")
    with MLArray.open(tmp_path / "a.mla") as stored:
        assert stored.shape == (2, 3, 4)
        assert (stored[...].min(), stored[...].max()) == (0, 255)
    writer = MlaWriter(output_dtype=None)
    writer.set_data_array(torch.ones(4, 5, 1, dtype=torch.bfloat16), -1, squeeze_end_dims=False)
    writer.set_metadata({"affine": np.eye(4), "original_affine": None, "spatial_shape": None})
    writer.write(tmp_path / "b.mla")
    with MLArray.open(tmp_path / "b.mla") as stored:
        assert stored.shape == (1, 4, 5)
        assert stored.dtype == np.float32
        assert stored.spatial_ndim == 2
    with pytest.raises(RuntimeError, match=r"nowhere"):
        SaveImage(output_ext=".mla", print_log=False)(
            torch.zeros(1, 2, 2), filename=tmp_path / "nowhere" / "a"
        )


def test_monais_own_writers_are_still_there(tmp_path: Path) -> None:
    """It registers them when it has none, so ours must not be the first."""
    code = (
        "import mlarray.monai, torch\n"
        "from monai.transforms import SaveImage\n"
        "SaveImage(output_ext='.nii', print_log=False)(torch.zeros(1, 2, 2, 2), filename='a')"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "a.nii").exists()
