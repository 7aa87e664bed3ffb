"""The way back to NIfTI: the source's own header, and everything that NIfTI cannot hold."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import nibabel
import numpy as np
import pytest

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.errors import InvalidUseError, NotFoundError, UnsupportedError

NIBABEL_DATA = Path(nibabel.__file__).parent / "tests" / "data"
SAMPLES = [
    "anatomical.nii",
    "example4d.nii.gz",
    "example_nifti2.nii.gz",
    "functional.nii",
    "reoriented_anat_moved.nii",
    "standard.nii.gz",
]


def export(
    image: MLArray, folder: Path, name: str = "out.nii"
) -> tuple[object, tuple[str, ...]]:
    image.save(folder / "image.mla")
    report = convert(folder / "image.mla", folder / name)
    return nibabel.load(folder / name), report.notes


@pytest.mark.parametrize("name", SAMPLES)
def test_a_round_trip_restores_voxels_and_header(name: str, tmp_path: Path) -> None:
    source = NIBABEL_DATA / name
    convert(source, tmp_path / "image.mla")
    report = convert(tmp_path / "image.mla", tmp_path / "back.nii")
    before, after = nibabel.load(source), nibabel.load(tmp_path / "back.nii")
    assert report.notes == ()
    np.testing.assert_array_equal(np.asanyarray(after.dataobj), np.asanyarray(before.dataobj))
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.get_data_dtype() == before.get_data_dtype()
    assert after.dataobj.slope == before.dataobj.slope
    assert after.dataobj.inter == before.dataobj.inter
    moved = {"vox_offset", "magic"}
    for field in set(before.header) - moved:
        np.testing.assert_array_equal(after.header[field], before.header[field], field)
    assert after.header.extensions == before.header.extensions


def test_extensions_of_bytes_come_back(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"spoken"))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, b"\xff\x00\x81"))
    nibabel.save(image, tmp_path / "in.nii")
    convert(tmp_path / "in.nii", tmp_path / "image.mla")
    convert(tmp_path / "image.mla", tmp_path / "back.nii")
    kept = nibabel.load(tmp_path / "back.nii").header.extensions
    contents = [entry.get_content() for entry in kept]
    assert contents[0] in (b"spoken", "spoken")
    assert bytes(contents[1]).rstrip(b"\0") == b"\xff\x00\x81"


def test_edited_voxels_that_no_longer_fit_the_scale_are_stored_as_they_are(
    tmp_path: Path,
) -> None:
    convert(NIBABEL_DATA / "functional.nii", tmp_path / "image.mla")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image[0, 0, 0] = np.pi
        truth = image[...]
    convert(tmp_path / "image.mla", tmp_path / "back.nii")
    back = nibabel.load(tmp_path / "back.nii")
    assert back.get_data_dtype() == np.float64
    np.testing.assert_array_equal(np.asanyarray(back.dataobj), truth)


def test_an_edited_affine_wins_over_the_old_header(tmp_path: Path) -> None:
    convert(NIBABEL_DATA / "standard.nii.gz", tmp_path / "image.mla")
    affine = np.diag([3.0, 4.0, 5.0, 1.0])
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.affine = affine.tolist()
    convert(tmp_path / "image.mla", tmp_path / "back.nii")
    back = nibabel.load(tmp_path / "back.nii")
    np.testing.assert_array_equal(back.affine, affine)
    np.testing.assert_array_equal(back.header.get_zooms()[:3], (3, 4, 5))


@pytest.mark.parametrize(("dtype", "stored"), [("bool", "u1"), ("float16", "f4")])
def test_types_with_a_twin_are_said(dtype: str, stored: str, tmp_path: Path) -> None:
    voxels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    nifti, notes = export(MLArray(voxels), tmp_path)
    assert nifti.get_data_dtype() == np.dtype(stored)
    np.testing.assert_array_equal(np.asanyarray(nifti.dataobj), voxels)
    assert any(dtype in note for note in notes)


@pytest.mark.parametrize(
    "dtype", ["u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "c8", "c16"]
)
def test_types_of_nifti_stay(dtype: str, tmp_path: Path) -> None:
    voxels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    nifti, _ = export(MLArray(voxels), tmp_path)
    assert nifti.get_data_dtype() == np.dtype(dtype)
    np.testing.assert_array_equal(np.asanyarray(nifti.dataobj), voxels)


def test_other_types_and_too_many_axes_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no voxels of type"):
        export(MLArray(np.zeros((2, 2), "U3")), tmp_path)
    with pytest.raises(UnsupportedError, match="4 axes of space"):
        export(MLArray(np.zeros((2, 2, 2, 2))), tmp_path)
    assert not (tmp_path / "out.nii").exists()


def test_channels_first_are_moved_behind(tmp_path: Path) -> None:
    voxels = np.arange(48).reshape(2, 2, 3, 4)
    image = MLArray(voxels, spacing=(1, 2, 3), channel_axis=0)
    nifti, notes = export(image, tmp_path)
    np.testing.assert_array_equal(np.asanyarray(nifti.dataobj), voxels.transpose(1, 2, 3, 0))
    np.testing.assert_array_equal(nifti.header.get_zooms()[:3], (1, 2, 3))
    for text in ("reordered", "'channel'", "names no frame", "order of the array's axes"):
        assert any(text in note for note in notes), text


def test_a_plane_and_what_is_left_out(tmp_path: Path) -> None:
    image = MLArray(np.zeros((3, 4), np.uint8), spacing=(0.5, 0.25), meta={"id": 1})
    image.meta.extra["x"] = 1
    image.meta.bbox.bboxes = [[[0, 1], [0, 2]]]
    nifti, notes = export(image, tmp_path)
    assert nifti.shape == (3, 4, 1)
    np.testing.assert_array_equal(nifti.header.get_zooms(), (0.5, 0.25, 1))
    assert any("source, extra, bbox" in note for note in notes)


def test_long_axes_need_nifti_2(tmp_path: Path) -> None:
    nifti, notes = export(MLArray(np.zeros((40000, 2, 1), np.uint8)), tmp_path)
    assert any("NIfTI-2" in note and "SimpleITK" in note for note in notes)
    assert isinstance(nifti, nibabel.Nifti2Image)
    assert nifti.shape == (40000, 2, 1)


def test_the_target_is_replaced_as_a_whole(tmp_path: Path) -> None:
    MLArray(np.zeros((2, 3, 4), np.uint8)).save(tmp_path / "image.mla")
    target, link = tmp_path / "real.nii", tmp_path / "link.nii"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    convert(tmp_path / "image.mla", link)
    assert link.is_symlink()
    assert nibabel.load(target).shape == (2, 3, 4)
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    with pytest.raises(NotFoundError, match="does not exist; make it first"):
        convert(tmp_path / "image.mla", tmp_path / "no" / "out.nii")
    with pytest.raises(InvalidUseError, match=r"only for \.mla"):
        convert(tmp_path / "image.mla", target, patch_size=3)
    assert sorted(os.listdir(tmp_path)) == ["image.mla", "link.nii", "real.nii"]
