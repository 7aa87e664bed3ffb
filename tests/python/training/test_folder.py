"""Cases of folders."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import AccessDeniedError, InvalidValueError, MLArrayError, NotFoundError
from mlarray.training import Balanced, Case, PatchLoader, cases_from_folder


def save(path: Path, value: int = 1, shape: tuple[int, ...] = (12, 12, 12)) -> str:
    path.parent.mkdir(exist_ok=True)
    MLArray(np.full(shape, value, np.uint8)).save(path, patch_size=4)
    return str(path)


def test_images_and_labels(tmp_path: Path) -> None:
    images, labels = tmp_path / "imagesTr", tmp_path / "labelsTr"
    two = [save(images / f"b_000{number}.mla") for number in range(2)]
    one = save(images / "a.mla")
    seg = [save(labels / f"{name}.mla") for name in "ab"]
    (images / "notes.txt").write_text("no image")
    assert cases_from_folder(images, labels) == [
        Case(image=[one], label=seg[0], name="a"),
        Case(image=two, label=seg[1], name="b"),
    ]
    assert [case.label for case in cases_from_folder(images)] == [None, None]
    # The patch is that of the files.
    with PatchLoader.from_folder(images, labels, samples_per_epoch=2) as loader:
        assert loader.patch_size == (4, 4, 4)
        assert next(iter(loader))["label"].shape == (2, 1, 4, 4, 4)


def test_a_lone_number_is_a_name(tmp_path: Path) -> None:
    for number in (1001, 1002):
        save(tmp_path / f"scan_{number}.mla")
    assert [case.name for case in cases_from_folder(tmp_path)] == ["scan_1001", "scan_1002"]


def test_what_does_not_fit(tmp_path: Path) -> None:
    images, labels = tmp_path / "images", tmp_path / "labels"
    with pytest.raises(NotFoundError, match="images"):
        cases_from_folder(images)
    images.mkdir()
    with pytest.raises(InvalidValueError, match="no files"):
        cases_from_folder(images)
    save(images / "a.mla")
    save(labels / "b.mla")
    with pytest.raises(InvalidValueError, match=r"'b'.*image"):
        cases_from_folder(images, labels)
    save(images / "b.mla")
    with pytest.raises(InvalidValueError, match=r"'a'.*label map"):
        cases_from_folder(images, labels)
    save(images / "a.b2nd")
    with pytest.raises(InvalidValueError, match="keep one"):
        cases_from_folder(images)


def test_label_maps_beside_images(tmp_path: Path) -> None:
    channels = [save(tmp_path / f"a_000{number}.mla") for number in range(2)]
    seg = save(tmp_path / "a_seg.mla")
    assert cases_from_folder(tmp_path) == [Case(image=channels, label=seg, name="a")]
    save(tmp_path / "b.mla")
    with pytest.raises(InvalidValueError, match="'b': no such label map"):
        cases_from_folder(tmp_path)
    save(tmp_path / "b_seg.mla")
    save(tmp_path / "c_seg.mla")
    with pytest.raises(InvalidValueError, match="'c': no such image"):
        cases_from_folder(tmp_path)
    alone = tmp_path / "labels"
    save(alone / "a_seg.mla")
    assert [case.name for case in cases_from_folder(alone)] == ["a_seg"]


def test_a_link_to_nothing_is_a_case(tmp_path: Path) -> None:
    save(tmp_path / "a.mla")
    (tmp_path / "b.mla").symlink_to(tmp_path / "gone.mla")
    assert [case.name for case in cases_from_folder(tmp_path)] == ["a", "b"]


def test_a_folder_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").touch()
    with pytest.raises(InvalidValueError, match=r"'a\.nii\.gz' can be converted"):
        cases_from_folder(tmp_path)


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(AccessDeniedError, match="Permission denied"):
        cases_from_folder(tmp_path)


def test_files_that_name_no_patch(tmp_path: Path) -> None:
    MLArray(np.ones((4, 4, 4), np.uint8)).save(tmp_path / "a.mla", patch_size=None)
    with pytest.raises(InvalidValueError, match="patch_size"):
        PatchLoader.from_folder(tmp_path)


def test_grids_that_differ(tmp_path: Path) -> None:
    case = Case(
        image=save(tmp_path / "image.mla"),
        label=save(tmp_path / "labels.mla", shape=(12, 12, 11)),
    )
    with pytest.raises(InvalidValueError, match=r"image\.mla.*labels\.mla|labels\.mla.*image"):
        PatchLoader([case], 4, samples_per_epoch=2)


def test_a_preprocessed_folder(tmp_path: Path) -> None:
    """Channels first, without metadata, as nnU-Net writes them."""
    blosc2 = pytest.importorskip("blosc2", reason="blosc2 is not installed")
    random = np.random.default_rng(2)
    voxels, segs, listed = [], [], []
    for number in range(2):
        data = random.random((2, 20, 22, 24), np.float32)
        seg = np.zeros((1, 20, 22, 24), np.int16)
        seg[0, 5 : 8 + number, 6, 7] = 1
        seg[0, 0] = -1
        for array, name in ((data, f"case{number}"), (seg, f"case{number}_seg")):
            path = str(tmp_path / f"{name}.b2nd")
            blosc2.asarray(array, urlpath=path, mode="w", chunks=(1, 8, 8, 8))
        voxels.append(data)
        segs.append(seg)
        place = np.array([[0, 6, 6, 7]])  # one of the voxels of class 1
        listed.append({"class_locations": {1: place}, "shape": seg.shape})
    with PatchLoader.from_folder(
        tmp_path, patch_size=8, sampler=Balanced(1.0), samples_per_epoch=10
    ) as loader:
        assert loader.patch_size == (8, 8, 8)
        for batch in loader:
            assert (batch["class"] == 1).all()
            for i, case in enumerate(batch["case"]):
                key = tuple(slice(a, b) for a, b in batch["box"][i].T)
                np.testing.assert_array_equal(batch["image"][i], voxels[case][(..., *key)])
                np.testing.assert_array_equal(batch["label"][i], segs[case][(..., *key)])

    def centers() -> set[tuple[int, ...]]:
        with PatchLoader.from_folder(
            tmp_path, patch_size=8, sampler=Balanced(1.0), samples_per_epoch=40
        ) as loader:
            return {tuple(center) for batch in loader for center in batch["center"].tolist()}

    assert centers() == {(z, 6, 7) for z in range(5, 9)}
    for number, properties in enumerate(listed):
        (tmp_path / f"case{number}.pkl").write_bytes(pickle.dumps(properties))
    assert centers() == {(6, 6, 7)}  # by the list
    (tmp_path / "case1.pkl").write_bytes(b"junk")
    with pytest.raises(MLArrayError, match=r"case 'case1'.*case1\.pkl"):
        centers()
