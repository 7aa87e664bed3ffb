"""NIfTI to .mla: every voxel keeps its value and its place, and no header field is lost."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine

from mlarray import MLArray
from mlarray.convert import MissingPackageError, convert
from mlarray.errors import CorruptionError, InvalidUseError, NotFoundError, UnsupportedError

NIBABEL_DATA = Path(nibabel.__file__).parent / "tests" / "data"
SAMPLES = [
    "anatomical.nii",  # big-endian int16, oblique by sform
    "example4d.nii.gz",
    "example_nifti2.nii.gz",
    "functional.nii",  # scaled
    "reoriented_anat_moved.nii",  # big-endian float32
    "standard.nii.gz",
]
OBLIQUE = np.array(
    [
        [-0.68, 0.31, 0.22, 91.5],
        [0.12, 0.93, -0.71, -126.25],
        [0.41, 0.27, 2.91, -72.0],
        [0, 0, 0, 1],
    ]
)


def stored(path: Path) -> nibabel.Nifti1Image:
    return nibabel.load(path)


def positions(affine: object, shape: tuple[int, ...]) -> np.ndarray:
    """Where each voxel of the first three axes lies."""
    indices = np.indices(shape[:3]).reshape(3, -1).T
    return apply_affine(np.asarray(affine), indices)


def converted(source: Path, tmp_path: Path, **options: object) -> MLArray:
    target = tmp_path / "converted.mla"
    convert(source, target, **options)
    return MLArray(target)


def write(
    tmp_path: Path, voxels: np.ndarray, name: str = "in.nii.gz", **header: object
) -> Path:
    image = nibabel.Nifti1Image(voxels, OBLIQUE)
    image.header.set_xyzt_units("mm", "msec")
    for field, value in header.items():
        image.header[field] = value
    nibabel.save(image, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize("name", SAMPLES)
def test_voxels_and_their_positions_are_what_nibabel_says(name: str, tmp_path: Path) -> None:
    source = NIBABEL_DATA / name
    truth = stored(source)
    image = converted(source, tmp_path)
    voxels = np.asanyarray(truth.dataobj)
    assert image.dtype == voxels.dtype
    np.testing.assert_array_equal(image[...], voxels)
    np.testing.assert_array_equal(
        positions(image.affine, image.shape), positions(truth.affine, voxels.shape)
    )
    assert image.meta.spatial.coord_system == "RAS+"
    assert image.meta._image_meta_format.image_meta_format == "nifti"


@pytest.mark.parametrize(
    ("shape", "labels", "units"),
    [
        ((5, 6, 7), ["spatial_x", "spatial_y", "spatial_z"], ["mm"] * 3),
        (
            (5, 6, 7, 3),
            ["spatial_x", "spatial_y", "spatial_z", "temporal"],
            ["mm", "mm", "mm", "msec"],
        ),
        (
            (5, 6, 7, 1, 3),
            ["spatial_x", "spatial_y", "spatial_z", "temporal", "channel"],
            ["mm", "mm", "mm", "msec", "unknown"],
        ),
        (
            (2, 3, 4, 2, 1, 2),
            ["spatial_x", "spatial_y", "spatial_z", "temporal", "channel", "non_spatial"],
            ["mm", "mm", "mm", "msec", "unknown", "unknown"],
        ),
    ],
)
def test_oblique_images_of_every_ndim(
    shape: tuple[int, ...], labels: list[str], units: list[str], tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    voxels = rng.integers(-1000, 1000, shape).astype(np.int16)
    source = write(tmp_path, voxels)
    image = converted(source, tmp_path)
    np.testing.assert_array_equal(image[...], voxels)
    assert image.dtype == np.int16
    np.testing.assert_array_equal(
        positions(image.affine, shape), positions(stored(source).affine, shape)
    )
    assert list(image.meta.spatial.axis_labels) == labels
    assert list(image.meta.spatial.axis_units) == units


def test_a_flat_image_keeps_its_place_in_space(tmp_path: Path) -> None:
    voxels = np.arange(30, dtype=np.uint8).reshape(5, 6)
    source = write(tmp_path, voxels)
    assert stored(source).shape == (5, 6)
    image = converted(source, tmp_path)
    assert image.shape == (5, 6, 1)
    np.testing.assert_array_equal(image[..., 0], voxels)
    np.testing.assert_array_equal(image.affine, stored(source).affine)


def test_a_position_given_by_qform_only(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), None)
    turned = np.array([[0, -2, 0, 10], [1.5, 0, 0, -20], [0, 0, 3, 30], [0, 0, 0, 1.0]])
    image.set_qform(turned, code=1)
    image.set_sform(None, code=0)
    nibabel.save(image, tmp_path / "q.nii")
    result = converted(tmp_path / "q.nii", tmp_path)
    np.testing.assert_array_equal(result.affine, stored(tmp_path / "q.nii").affine)
    np.testing.assert_allclose(result.affine, turned, atol=1e-5)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "int16", "uint16", "int32", "float32", "float64", "complex64"]
)
def test_the_stored_dtype_is_kept(dtype: str, tmp_path: Path) -> None:
    voxels = np.arange(24).reshape(2, 3, 4).astype(dtype)
    image = converted(write(tmp_path, voxels), tmp_path)
    assert image.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(image[...], voxels)


def test_colours_are_kept(tmp_path: Path) -> None:
    colour = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    voxels = np.zeros((2, 3, 4), colour)
    voxels["G"] = np.arange(24).reshape(2, 3, 4)
    image = converted(write(tmp_path, voxels), tmp_path)
    assert image.dtype == colour
    np.testing.assert_array_equal(image[...], voxels)


def test_scaled_voxels_become_the_scaled_values(tmp_path: Path) -> None:
    raw = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    source = write(tmp_path, raw, "scaled.nii")
    content = bytearray(source.read_bytes())
    struct.pack_into("<ff", content, 112, 0.5, -3.0)  # scl_slope, scl_inter
    source.write_bytes(content)
    image = converted(source, tmp_path)
    assert image.dtype == np.float64
    np.testing.assert_array_equal(image[...], raw * 0.5 - 3.0)
    np.testing.assert_array_equal(image[...], np.asanyarray(stored(source).dataobj))
    # How they were stored stays known.
    assert image.meta.source["scl_slope"] == 0.5
    assert image.meta.source["scl_inter"] == -3.0


@pytest.mark.parametrize("slope", [0.0, 1.0, float("nan")])
def test_a_slope_that_does_not_scale_keeps_the_dtype(slope: float, tmp_path: Path) -> None:
    raw = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    source = write(tmp_path, raw, "plain.nii")
    content = bytearray(source.read_bytes())
    struct.pack_into("<ff", content, 112, slope, 0.0)
    source.write_bytes(content)
    image = converted(source, tmp_path)
    assert image.dtype == np.int16
    np.testing.assert_array_equal(image[...], raw)


def test_the_whole_header_is_kept(tmp_path: Path) -> None:
    voxels = np.zeros((3, 4, 5), np.int16)
    image = nibabel.Nifti1Image(voxels, OBLIQUE)
    image.header["descrip"] = b"scanner \xb5 7"
    image.header["cal_max"] = 400.0
    image.header["intent_name"] = b"liver"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"spoken"))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, b"\xff\x00\x81"))
    nibabel.save(image, tmp_path / "in.nii")
    source = converted(tmp_path / "in.nii", tmp_path).meta.source
    assert source["descrip"] == "scanner \u00b5 7"
    assert source["cal_max"] == 400.0
    assert source["intent_name"] == "liver"
    assert source["dim"] == [3, 3, 4, 5, 1, 1, 1, 1]
    np.testing.assert_allclose(source["srow_x"], OBLIQUE[0], rtol=1e-6)
    assert source["extensions"] == [
        {"code": 6, "text": "spoken"},
        {"code": 0, "base64": "/wCB"},
    ]
    fields = set(nibabel.Nifti1Header().keys())
    assert fields <= set(source)


def test_options_of_save_are_passed_on(tmp_path: Path) -> None:
    source = write(tmp_path, np.zeros((40, 40, 40), np.int16))
    image = converted(source, tmp_path, chunk_size=(20, 20, 20), block_size=(10, 10, 10))
    assert image.chunks == (20, 20, 20)
    assert image.blocks == (10, 10, 10)


@pytest.mark.parametrize("name", ["in.nii", "in.nii.gz"])
def test_a_file_cut_short_is_an_error_and_leaves_the_old_output(
    name: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(2)
    source = write(tmp_path, rng.integers(0, 1000, (20, 20, 20)).astype(np.int16), name)
    target = tmp_path / "out.mla"
    convert(source, target)
    before = target.read_bytes()
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptionError, match=r"in\.nii"):
        convert(source, target)
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out.mla"])


def test_what_is_no_nifti_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.nii").write_text("not an image " * 100)
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"not an image " * 100))
    for name in ("text.nii", "text.nii.gz"):
        with pytest.raises(UnsupportedError, match="not a NIfTI file"):
            convert(tmp_path / name, tmp_path / "out.mla")
    with pytest.raises(NotFoundError, match=r"missing\.nii"):
        convert(tmp_path / "missing.nii", tmp_path / "out.mla")
    assert not (tmp_path / "out.mla").exists()


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    for source, target in [
        ("scan.png", "scan.mla"),
        ("scan.nii", "scan.npy"),
        ("scan.nii", "scan.nrrd"),
        ("scan.mla", "copy.mla"),
        ("scan.mla", "scan.nhdr"),
    ]:
        with pytest.raises(InvalidUseError, match=r"\.nhdr files can be converted to \.mla"):
            convert(source, target)


def test_without_nibabel_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mlarray\[convert\]'"):
        convert(tmp_path / "scan.nii", tmp_path / "scan.mla")
