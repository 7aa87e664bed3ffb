"""The position in a written NIfTI file: the image's own, to the last digit that it holds."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert

NIBABEL_DATA = Path(nibabel.__file__).parent / "tests" / "data"
SAMPLES = [
    "anatomical.nii",
    "example4d.nii.gz",
    "example_nifti2.nii.gz",
    "functional.nii",
    "reoriented_anat_moved.nii",
    "resampled_anat_moved.nii",
    "standard.nii.gz",
]
SHAPE = (5, 6, 7)
VOXELS = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
OBLIQUE = np.array(
    [[-0.68, 0.31, 0.22, 91.5], [0.12, 0.93, -0.71, -126.25], [0.41, 0.27, 2.91, -72.0]]
)


def content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def nifti(folder: Path, sform: object, qform: object, kind: type = nibabel.Nifti1Image) -> Path:
    """A file whose two positions are set, or have the code 0."""
    image = kind(VOXELS, None)
    image.header["pixdim"][1:4] = (2, 3, 4)
    for name, affine, code in (("qform", qform, 1), ("sform", sform, 4)):
        if affine is not None:
            getattr(image.header, f"set_{name}")(np.vstack([affine, [0, 0, 0, 1]]), code)
    nibabel.save(image, folder / "in.nii")
    return folder / "in.nii"


def codes(image: nibabel.Nifti1Image) -> tuple[int, int]:
    return int(image.header["sform_code"]), int(image.header["qform_code"])


def edited(source: Path, **geometry: object) -> tuple[nibabel.Nifti1Image, tuple[str, ...]]:
    """Converted, changed, and converted back."""
    path, target = source.with_name("image.mla"), source.with_name("back.nii")
    convert(source, path)
    with MLArray.open(path, mmap="r+") as image:
        for name, value in geometry.items():
            setattr(image, name, value)
    notes = convert(path, target).notes
    return nibabel.load(target), notes


def exported(
    folder: Path, affine: object, name: str = "out.nii"
) -> tuple[nibabel.Nifti1Image, tuple[str, ...]]:
    labels = ["spatial_x", "spatial_y", "spatial_z"]
    image = MLArray(VOXELS, affine=np.asarray(affine).tolist(), axis_labels=labels)
    image.meta.spatial.coord_system = "RAS"
    image.save(folder / "image.mla")
    notes = convert(folder / "image.mla", folder / name).notes
    return nibabel.load(folder / name), notes


@pytest.mark.parametrize("name", SAMPLES)
def test_a_round_trip_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    convert(NIBABEL_DATA / name, tmp_path / "image.mla")
    convert(tmp_path / "image.mla", tmp_path / "back.nii")
    assert (tmp_path / "back.nii").read_bytes() == content(NIBABEL_DATA / name)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize(
    ("sform", "qform"),
    [
        (None, None),
        (OBLIQUE, None),
        (None, OBLIQUE),
        (OBLIQUE, OBLIQUE * 2),
        (np.full((3, 4), np.nan), None),
        (OBLIQUE * [1, 0, 1, 1], None),
    ],
    ids=["none", "sform", "qform", "both", "nan", "no length"],
)
def test_so_it_does_whatever_the_codes(
    sform: object, qform: object, kind: type, tmp_path: Path
) -> None:
    source = nifti(tmp_path, sform, qform, kind)
    convert(source, tmp_path / "image.mla")
    report = convert(tmp_path / "image.mla", tmp_path / "back.nii")
    assert (tmp_path / "back.nii").read_bytes() == source.read_bytes()
    assert report.notes == ()


@pytest.mark.parametrize(("before", "after"), [(100000, 100001), (3000, 3000.01)])
def test_a_small_move_is_written(before: float, after: float, tmp_path: Path) -> None:
    affine = np.hstack([np.diag([0.25] * 3), [[before], [0], [0]]])
    moved = np.vstack([affine, [0, 0, 0, 1]])
    moved[0, 3] = after
    back, notes = edited(nifti(tmp_path, affine, None), affine=moved.tolist())
    np.testing.assert_array_equal(back.affine.astype("f4"), moved.astype("f4"))
    assert notes == ()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("given", ["sform", "qform"])
def test_the_least_move_that_the_file_can_hold_is_written(
    given: str, kind: type, tmp_path: Path
) -> None:
    single = kind is nibabel.Nifti1Image
    number = np.float32 if single else np.float64
    source = nifti(tmp_path, **{"sform": None, "qform": None, given: OBLIQUE}, kind=kind)
    affine = nibabel.load(source).affine
    affine[1, 3] = np.nextafter(number(affine[1, 3]), number(0))
    back, _ = edited(source, affine=affine.tolist())
    np.testing.assert_array_equal(back.affine, affine.astype(number))
    assert codes(back) == (2, 0)


def test_what_the_file_cannot_hold_is_no_move(tmp_path: Path) -> None:
    source = nifti(tmp_path, OBLIQUE, OBLIQUE * 2)
    affine = nibabel.load(source).affine
    affine[1, 3] = np.nextafter(affine[1, 3], 0)
    edited(source, affine=affine.tolist())
    assert (tmp_path / "back.nii").read_bytes() == source.read_bytes()


def test_the_default_position_gets_a_code(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_shape(SHAPE)
    affine = header.get_best_affine()
    back, _ = exported(tmp_path, affine)
    np.testing.assert_array_equal(back.affine, affine)
    assert codes(back) == (2, 0)
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nii"))
    for index in ((0, 0, 0), (4, 5, 6)):
        there = np.array(itk.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        np.testing.assert_array_equal(there, (affine @ [*index, 1])[:3])


def test_a_source_without_codes_gets_them_once_it_is_moved(tmp_path: Path) -> None:
    source = nifti(tmp_path, None, None)
    affine = nibabel.load(source).affine
    convert(source, tmp_path / "image.mla")
    whole = MLArray(tmp_path / "image.mla")
    # A crop: the default position of its shape is another one.
    crop = MLArray(whole[:3], copy=whole)
    crop.save(tmp_path / "crop.mla")
    convert(tmp_path / "crop.mla", tmp_path / "crop.nii")
    back = nibabel.load(tmp_path / "crop.nii")
    np.testing.assert_array_equal(back.affine, affine)
    assert codes(back) == (2, 0)
    affine[0, 3] += 1e-5
    back, _ = edited(source, affine=affine.tolist())
    np.testing.assert_array_equal(back.affine, affine.astype("f4"))
    assert codes(back) == (2, 0)


def test_a_position_that_was_taken_away_is_not_the_sources(tmp_path: Path) -> None:
    back, notes = edited(nifti(tmp_path, OBLIQUE, OBLIQUE), affine=None)
    assert codes(back) == (0, 0)
    np.testing.assert_array_equal(back.header.get_zooms(), (1, 1, 1))
    assert any("no spacing, origin or affine" in note for note in notes)


@pytest.mark.parametrize("origin", [1e8 + 3, 1e39, -1e300])
def test_positions_beyond_single_precision_need_nifti_2(origin: float, tmp_path: Path) -> None:
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    affine[2, 3] = origin
    back, notes = exported(tmp_path, affine)
    assert isinstance(back, nibabel.Nifti2Image)
    np.testing.assert_array_equal(back.affine, affine)
    assert any("NIfTI-2" in note for note in notes)


def test_positions_of_usual_size_do_not(tmp_path: Path) -> None:
    affine = np.vstack([OBLIQUE + np.pi / 1000, [0, 0, 0, 1]])
    back, notes = exported(tmp_path, affine)
    assert not isinstance(back, nibabel.Nifti2Image)
    np.testing.assert_array_equal(back.affine, affine.astype("f4"))
    assert notes == ()


def test_an_axis_of_no_length_keeps_the_rest(tmp_path: Path) -> None:
    affine = np.array([[1.0, 0, 0, 5], [0, 0, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1]])
    back, _ = exported(tmp_path, affine)
    np.testing.assert_array_equal(back.affine, affine)
    np.testing.assert_array_equal(back.header["pixdim"][1:4], (1, 1, 2))


@pytest.mark.parametrize("scale", [1e-30, 1e-200, 1e30])
def test_very_small_and_large_voxels(scale: float, tmp_path: Path) -> None:
    affine = np.diag([scale, 2 * scale, 3 * scale, 1.0])
    back, _ = exported(tmp_path, affine)
    held = np.float64 if scale == 1e-200 else np.float32
    np.testing.assert_allclose(back.affine, affine, rtol=np.finfo(held).eps)
    np.testing.assert_allclose(back.header["pixdim"][1:4], np.diag(affine)[:3], rtol=1e-7)
