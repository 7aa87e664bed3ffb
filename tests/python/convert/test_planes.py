"""Images of one and two axes: their labels say where in the world the plane or line lies."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.errors import UnsupportedError
from mlarray.orientation import frame_signs

LABELS = [labels for count in (1, 2) for labels in itertools.permutations("xyz", count)]
SHAPE = (5, 4)


def saved(folder: Path, labels: tuple[str, ...], frame: str | None, **geometry: object) -> Path:
    shape = SHAPE[: len(labels)]
    image = MLArray(
        np.arange(np.prod(shape), dtype=np.int16).reshape(shape),
        axis_labels=[f"spatial_{label}" for label in labels],
        **geometry,
    )
    image.meta.spatial.coord_system = frame
    image.save(folder / "image.mla")
    return folder / "image.mla"


def world(affine: np.ndarray, labels: tuple[str, ...], index: tuple[int, ...]) -> np.ndarray:
    """The position by its definition: row i of the affine is the coordinate of label i."""
    position = dict.fromkeys("xyz", 0.0)
    position.update(zip(labels, affine @ [*index, 1]))
    return np.array([position[name] for name in "xyz"])


def geometry(labels: tuple[str, ...], turned: bool) -> np.ndarray:
    """An affine of the plane, turned in it or not."""
    count = len(labels)
    affine = np.eye(count + 1)
    if turned and count == 2:
        c, s = np.cos(0.3), np.sin(0.3)
        affine[:2, :2] = [[c, -s], [s, c]]
    affine[:count, :count] *= [2.0, 0.5][:count]
    affine[:count, count] = [101.0, 202.0][:count]
    return affine


def test_a_plane_of_z_and_x_is_exported_to_its_place(tmp_path: Path) -> None:
    path = saved(tmp_path, ("z", "x"), "LPS", origin=(101, 202), spacing=(1, 1))
    convert(path, tmp_path / "out.nii")
    nifti = nibabel.load(tmp_path / "out.nii")
    assert (nifti.affine @ [0, 0, 0, 1])[:3].tolist() == [-202, 0, 101]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("frame", ["RAS", "LPS+", "RPI"])
@pytest.mark.parametrize("labels", LABELS, ids="".join)
def test_every_plane_and_line(
    labels: tuple[str, ...], frame: str, turned: bool, tmp_path: Path
) -> None:
    affine = geometry(labels, turned)
    path = saved(tmp_path, labels, frame, affine=affine.tolist())
    reports = [convert(path, tmp_path / name) for name in ("out.nii", "out.nrrd")]
    for report in reports:
        assert not any("order of the array's axes" in note for note in report.notes)
        assert any("of length 1 added" in note for note in report.notes)
    nifti = nibabel.load(tmp_path / "out.nii")
    itk = [SimpleITK.ReadImage(str(tmp_path / name)) for name in ("out.nii", "out.nrrd")]
    voxels, header = nrrd.read(str(tmp_path / "out.nrrd"))
    assert voxels.shape == nifti.shape == (*SHAPE[: len(labels)], *[1] * (3 - len(labels)))
    assert (
        header["space"]
        == {
            "RAS": "right-anterior-superior",
            "LPS+": "left-posterior-superior",
            "RPI": "left-posterior-superior",
        }[frame]
    )
    signs = np.array(frame_signs(frame.removesuffix("+"), "RAS"))
    for index in itertools.product(*((0, size - 1) for size in SHAPE[: len(labels)])):
        ras = world(affine, labels, index) * signs
        whole = (*index, *[0] * (3 - len(labels)))
        np.testing.assert_allclose((nifti.affine @ [*whole, 1])[:3], ras, atol=2e-5)
        for image in itk:
            there = np.array(image.TransformIndexToPhysicalPoint(whole)) * [-1, -1, 1]
            np.testing.assert_allclose(there, ras, atol=2e-5)
    for suffix in (".nii", ".nrrd"):  # and read again by ourselves
        convert(tmp_path / f"out{suffix}", tmp_path / "again.mla")
        again = MLArray(tmp_path / "again.mla")
        stored = str(again.meta.spatial.coord_system).removesuffix("+")
        there = np.array(again.translation) * frame_signs(stored, "RAS")
        np.testing.assert_allclose(there, world(affine, labels, (0, 0)[: len(labels)]) * signs)


def test_a_plane_of_no_frame_stays_a_plane_in_nrrd(tmp_path: Path) -> None:
    affine = geometry(("y", "x"), True)
    path = saved(tmp_path, ("y", "x"), None, affine=affine.tolist())
    convert(path, tmp_path / "out.nrrd")
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    assert itk.GetDimension() == 2
    for index in ((0, 0), (4, 3)):
        expected = world(affine, ("y", "x"), index)[:2]
        np.testing.assert_allclose(itk.TransformIndexToPhysicalPoint(index), expected)


def test_a_plane_of_no_frame_that_is_named_lies_in_three_dimensions(tmp_path: Path) -> None:
    affine = geometry(("z", "y"), True)
    path = saved(tmp_path, ("z", "y"), None, affine=affine.tolist())
    convert(path, tmp_path / "out.nrrd")
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    for index in ((0, 0), (4, 3)):
        expected = world(affine, ("z", "y"), index)
        np.testing.assert_allclose(itk.TransformIndexToPhysicalPoint((*index, 0)), expected)


def test_channels_before_a_plane(tmp_path: Path) -> None:
    voxels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    image = MLArray(
        voxels,
        axis_labels=["channel", "spatial_z", "spatial_x"],
        spacing=(2, 3),
        origin=(101, 202),
    )
    image.meta.spatial.coord_system = "LPS"
    image.save(tmp_path / "image.mla")
    for suffix in (".nii", ".nrrd"):
        convert(tmp_path / "image.mla", tmp_path / f"out{suffix}")
    nifti = nibabel.load(tmp_path / "out.nii")
    assert nifti.shape == (3, 4, 1, 2)
    np.testing.assert_array_equal(
        nifti.affine, [[0, -3, 0, -202], [0, 0, -1, 0], [2, 0, 0, 101], [0, 0, 0, 1]]
    )
    back, header = nrrd.read(str(tmp_path / "out.nrrd"))
    np.testing.assert_array_equal(back[..., 0], voxels)
    assert header["kinds"] == ["list", "space", "space", "space"]
    np.testing.assert_array_equal(
        header["space directions"][1:], [[0, 0, 2], [3, 0, 0], [0, 1, 0]]
    )
    np.testing.assert_array_equal(header["space origin"], [202, 0, 101])


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
@pytest.mark.parametrize(
    ("affine", "match"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 2]], r"last row \[0\.0, .*0\.0, 2\.0\]"),
        ([[1, 0, 0], [0, float("nan"), 0], [0, 0, 1]], "nan"),
        ([[1, 0, float("inf")], [0, 1, 0], [0, 0, 1]], "inf"),
    ],
)
def test_affines_that_give_no_positions_are_errors(
    affine: list[list[float]], match: str, suffix: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, ("x", "y"), "RAS", affine=affine)
    with pytest.raises(UnsupportedError, match=match):
        convert(path, tmp_path / f"out{suffix}")
    assert not (tmp_path / f"out{suffix}").exists()
