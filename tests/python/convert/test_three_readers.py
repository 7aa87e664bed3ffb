"""NIfTI, NRRD and .mla hold the same image: asked are nibabel, SimpleITK and pynrrd.

SimpleITK answers in LPS and nibabel in RAS, so two signs differ.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.orientation import frame_signs


def rotation(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return about_z @ about_x


DIRECTIONS = {
    "straight": np.eye(3),
    "flipped": np.diag([-1.0, 1.0, -1.0]),
    "permuted": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "permuted and flipped": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "oblique": rotation(23.0),
    "oblique and flipped": rotation(-41.0) @ np.diag([1.0, -1.0, 1.0]),
}
SPACING = (0.7, 1.3, 2.9)
ORIGIN = (-91.5, 126.25, 72.0)
SHAPE = (5, 4, 3)
INDICES = [(0, 0, 0), (4, 0, 0), (0, 3, 0), (0, 0, 2), (4, 3, 2), (2, 1, 1)]


def itk_image(direction: np.ndarray, frames: int = 0) -> SimpleITK.Image:
    """An image made by SimpleITK, whose arrays are z, y, x."""
    count = np.prod(SHAPE) * max(frames, 1)
    shape = ((frames,) if frames else ()) + SHAPE[::-1]
    voxels = np.arange(count, dtype=np.int16).reshape(shape)
    image = SimpleITK.GetImageFromArray(voxels, isVector=False)
    if frames:
        whole = np.eye(4)
        whole[:3, :3] = direction
        image.SetSpacing([*SPACING, 2.0])
        image.SetOrigin([*ORIGIN, 0.0])
        image.SetDirection(whole.ravel().tolist())
    else:
        image.SetSpacing(SPACING)
        image.SetOrigin(ORIGIN)
        image.SetDirection(direction.ravel().tolist())
    return image


def position(image: MLArray, index: tuple[int, ...], frame: str) -> np.ndarray:
    """Where our image says that a voxel is, in a frame of the caller's."""
    stored = (image.meta.spatial.coord_system or "").removesuffix("+")
    where = (np.array(image.affine) @ [*index, 1])[:-1]
    return where * frame_signs(stored, frame)[: len(where)]


def assert_same(image: MLArray, itk: SimpleITK.Image) -> None:
    np.testing.assert_array_equal(image[...], SimpleITK.GetArrayViewFromImage(itk).T)
    for index in INDICES:
        theirs = itk.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(position(image, index, "LPS"), theirs, atol=2e-5)


def assert_same_nibabel(image: MLArray, path: Path) -> None:
    nifti = nibabel.load(path)
    np.testing.assert_array_equal(image[...], np.asanyarray(nifti.dataobj))
    for index in INDICES:
        theirs = (nifti.affine @ [*index, 1])[:3]
        np.testing.assert_allclose(position(image, index, "RAS"), theirs, atol=2e-5)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".nhdr"])
@pytest.mark.parametrize("name", DIRECTIONS)
def test_a_voxel_is_at_one_place_for_all(name: str, suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    SimpleITK.WriteImage(itk_image(DIRECTIONS[name]), str(source))
    itk = SimpleITK.ReadImage(str(source))
    convert(source, tmp_path / "image.mla")
    image = MLArray(tmp_path / "image.mla")
    assert_same(image, itk)
    expected = "RAS+" if suffix.startswith(".nii") else "LPS+"
    assert image.meta.spatial.coord_system == expected

    # And back, also into the other format.
    convert(tmp_path / "image.mla", tmp_path / "back.nii")
    convert(tmp_path / "image.mla", tmp_path / "back.nrrd")
    assert_same_nibabel(image, tmp_path / "back.nii")
    assert_same(image, SimpleITK.ReadImage(str(tmp_path / "back.nii")))
    assert_same(image, SimpleITK.ReadImage(str(tmp_path / "back.nrrd")))


@pytest.mark.parametrize("labels", [("z", "y", "x"), ("y", "x", "z"), ("x", "z", "y")])
@pytest.mark.parametrize("frame", ["RAS", "LPS+", "LAS", "RPI"])
def test_axes_and_frames_of_our_own(
    labels: tuple[str, ...], frame: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    voxels = rng.integers(-1000, 1000, SHAPE, dtype=np.int16)
    image = MLArray(
        voxels,
        spacing=SPACING,
        origin=ORIGIN,
        direction=rotation(17.0).tolist(),
        axis_labels=[f"spatial_{label}" for label in labels],
    )
    image.meta.spatial.coord_system = frame
    image.save(tmp_path / "image.mla")
    rows = [labels.index(label) for label in "xyz"]
    signs_ras = np.array(frame_signs(frame.removesuffix("+"), "RAS"))
    convert(tmp_path / "image.mla", tmp_path / "out.nii.gz")
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    nifti = nibabel.load(tmp_path / "out.nii.gz")
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    np.testing.assert_array_equal(np.asanyarray(nifti.dataobj), voxels)
    np.testing.assert_array_equal(SimpleITK.GetArrayViewFromImage(itk).T, voxels)
    for index in INDICES:
        ras = (np.array(image.affine) @ [*index, 1])[rows] * signs_ras
        np.testing.assert_allclose((nifti.affine @ [*index, 1])[:3], ras, atol=2e-5)
        there = np.array(itk.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        np.testing.assert_allclose(there, ras, atol=2e-5)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_four_axes(suffix: str, tmp_path: Path) -> None:
    source = tmp_path / f"in{suffix}"
    SimpleITK.WriteImage(itk_image(DIRECTIONS["oblique"], frames=6), str(source))
    itk = SimpleITK.ReadImage(str(source))
    convert(source, tmp_path / "image.mla")
    image = MLArray(tmp_path / "image.mla")
    np.testing.assert_array_equal(image[...], SimpleITK.GetArrayViewFromImage(itk).T)
    for index in INDICES:
        theirs = np.array(itk.TransformIndexToPhysicalPoint((*index, 0)))[:3]
        ours = (np.array(image.affine) @ [*index, *[0] * (len(image.affine) - 4), 1])[:3]
        if suffix == ".nii.gz":
            ours = ours * [-1, -1, 1]
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
    convert(tmp_path / "image.mla", tmp_path / f"back{suffix}")
    back = SimpleITK.ReadImage(str(tmp_path / f"back{suffix}"))
    np.testing.assert_array_equal(
        SimpleITK.GetArrayViewFromImage(back), SimpleITK.GetArrayViewFromImage(itk)
    )
    np.testing.assert_allclose(back.GetDirection(), itk.GetDirection(), atol=1e-6)
    np.testing.assert_allclose(back.GetOrigin(), itk.GetOrigin(), atol=1e-5)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_an_image_of_the_plane(suffix: str, tmp_path: Path) -> None:
    voxels = np.arange(20, dtype=np.uint8).reshape(4, 5)
    itk = SimpleITK.GetImageFromArray(voxels)
    itk.SetSpacing((0.5, 0.25))
    itk.SetOrigin((3.0, -7.0))
    source = tmp_path / f"in{suffix}"
    SimpleITK.WriteImage(itk, str(source))
    convert(source, tmp_path / "image.mla")
    image = MLArray(tmp_path / "image.mla")
    np.testing.assert_array_equal(image[...].reshape(5, 4), voxels.T)
    np.testing.assert_allclose(image.scale[:2], (0.5, 0.25))
    convert(tmp_path / "image.mla", tmp_path / f"back{suffix}")
    back = SimpleITK.ReadImage(str(tmp_path / f"back{suffix}"))
    assert back.GetDimension() == 2
    np.testing.assert_array_equal(SimpleITK.GetArrayViewFromImage(back), voxels)
    np.testing.assert_allclose(back.GetSpacing(), itk.GetSpacing())
    np.testing.assert_allclose(back.GetOrigin(), itk.GetOrigin())
