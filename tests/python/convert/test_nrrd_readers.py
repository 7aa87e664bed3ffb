"""Headers of NRRD files that readers take differently, or refuse: a note says how we do."""

from __future__ import annotations

from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert

SHAPE = (3, 4, 5)
VOXELS = np.arange(60, dtype=np.uint8).reshape(SHAPE)
HEAD = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 4 5\nencoding: raw\n"
DIRECTIONS = "space directions: (2,0,0) (0,1,0) (0,0,3)\nspace origin: (1,2,3)\n"


def imported(folder: Path, fields: str) -> tuple[MLArray, tuple[str, ...]]:
    content = f"{HEAD}{fields}\n".encode() + VOXELS.tobytes(order="F")
    (folder / "in.nrrd").write_bytes(content)
    notes = convert(folder / "in.nrrd", folder / "image.mla").notes
    return MLArray(folder / "image.mla"), notes


def first_of_nifti(folder: Path) -> list[float]:
    """Where the first voxel is, in RAS."""
    convert(folder / "image.mla", folder / "out.nii")
    return list(nibabel.load(folder / "out.nii").affine[:3, 3])


def refused_by_itk(folder: Path) -> bool:
    try:
        SimpleITK.ReadImage(str(folder / "in.nrrd"))
    except RuntimeError:
        return True
    return False


# --- spaces -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "frame", "first"),
    [
        ('"LPS"', "LPS+", [-1, -2, 3]),
        ("'lps'", "LPS+", [-1, -2, 3]),
        ('"left-posterior-superior"', "LPS+", [-1, -2, 3]),
        ('" RAS "', "RAS+", [1, 2, 3]),
        ("'Left Anterior Superior'", "LAS+", [-1, 2, 3]),
        ('"scanner-xyz"', "scanner-xyz", [1, 2, 3]),
    ],
)
def test_quotes_are_no_part_of_a_space(
    space: str, frame: str, first: list[float], tmp_path: Path
) -> None:
    image, notes = imported(tmp_path, f"space: {space}\n{DIRECTIONS}")
    assert refused_by_itk(tmp_path)
    assert image.meta.spatial.coord_system == frame
    assert notes == ()
    assert first_of_nifti(tmp_path) == first
    # Without them, others can read it.
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    assert not set(nrrd.read_header(str(tmp_path / "out.nrrd"))["space"]) & set("'\"")
    assert SimpleITK.ReadImage(str(tmp_path / "out.nrrd")).GetSpacing() == (2, 1, 3)


@pytest.mark.parametrize(
    ("space", "frame", "first"),
    [
        ("RPS", "RPS+", [1, -2, 3]),
        ("lpi", "LPI+", [-1, -2, -3]),
        ("LPS+", "LPS+", [-1, -2, 3]),
        ("right-posterior-superior", "RPS+", [1, -2, 3]),
        ("foo", "foo", [1, 2, 3]),
        ("L-P-S", "L-P-S", [1, 2, 3]),
        ("L P S", "L P S", [1, 2, 3]),
        ("S-A-R", "S-A-R", [1, 2, 3]),
        ('"foo"', '"foo"', [1, 2, 3]),
    ],
)
def test_spaces_that_nrrd_does_not_have_are_said(
    space: str, frame: str, first: list[float], tmp_path: Path
) -> None:
    image, notes = imported(tmp_path, f"space: {space}\n{DIRECTIONS}")
    assert refused_by_itk(tmp_path)
    assert image.meta.spatial.coord_system == frame
    (note,) = notes
    assert f"'space' is '{space}'" in note
    unnamed = frame == space and space != "LPS+"
    assert ("names no frame" in note) == unnamed
    assert first_of_nifti(tmp_path) == first
    # What we write, others can read, and it is there.
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    expected = first if unnamed else [-first[0], -first[1], first[2]]
    np.testing.assert_array_equal(itk.GetOrigin(), expected)


@pytest.mark.parametrize("space", ["RAST", "left-anterior-superior-time"])
def test_mirrored_positions_of_itk_are_said(space: str, tmp_path: Path) -> None:
    fields = (
        f"space: {space}\nspace directions: (2,0,0,0) (0,1,0,0) (0,0,3,0)\n"
        "space origin: (1,2,3,0)\n"
    )
    _, notes = imported(tmp_path, fields)
    assert any("SimpleITK" in note and f"'{space}'" in note for note in notes)
    _, notes = imported(tmp_path, fields.replace(space, "LPST"))
    assert not any("SimpleITK" in note for note in notes)


# --- ends of axes -------------------------------------------------------------------------

ENDS = "axis mins: 5 6 7\naxis maxs: 11 10 22\n"


@pytest.mark.parametrize(
    ("fields", "spacing", "origin", "words"),
    [
        (ENDS, [2, 1, 3], [6, 6.5, 8.5], "axes 0, 1, 2: 'axis mins' and 'axis maxs' without"),
        (f"{ENDS}centers: cell cell cell\n", [2, 1, 3], [6, 6.5, 8.5], "SimpleITK takes 1"),
        (f"{ENDS}centers: node node node\n", [3, 4 / 3, 15 / 4], [5, 6, 7], "without"),
        (
            "axis mins: 11 6 7\naxis maxs: 5 10 22\n",
            [-2, 1, 3],
            [10, 6.5, 8.5],
            "SimpleITK takes 1",
        ),
        (
            "spacings: 2 1 nan\naxis mins: 5 6 7\naxis maxs: nan nan 22\n",
            [2, 1, 3],
            [6, 6.5, 8.5],
            "axis 2: 'axis mins' and",
        ),
        ("axis mins: 5 6 7\n", None, None, "are not used"),
        ("axis mins: 5 6 7\ncenters: node node node\n", None, None, "are not used"),
        (
            "spacings: 2 1 nan\nkinds: domain domain domain\naxis mins: 5 6 7\n",
            [2, 1, 1],
            [6, 6.5, 0],
            "axis 2: 'axis mins' without",
        ),
        ("axis maxs: 11 10 22\n", None, None, "no reader uses"),
        ("spacings: 2 1 3\naxis maxs: 11 10 22\n", [2, 1, 3], None, "no reader uses"),
        ("spacings: 2 1 3\naxis mins: 5 6 nan\n", [2, 1, 3], [6, 6.5, 0], "axis 2: they have"),
        (
            "spacings: 2 1 3\naxis mins: 5 6 7\naxis maxs: 9 9 19\n",
            [2, 1, 3],
            [6, 6.5, 8.5],
            "centerings: node",
        ),
        ("spacings: 2 1 3\naxis mins: 5 6 7\n", [2, 1, 3], [6, 6.5, 8.5], ""),
        (f"spacings: 2 1 3\n{ENDS}", [2, 1, 3], [6, 6.5, 8.5], ""),
        (
            "spacings: 2 1 3\naxis mins: 5 6 7\naxis maxs: 9 9 19\ncenters: node node node\n",
            [2, 1, 3],
            [5, 6, 7],
            "",
        ),
    ],
)
def test_ends_of_axes(
    fields: str,
    spacing: list[float] | None,
    origin: list[float] | None,
    words: str,
    tmp_path: Path,
) -> None:
    image, notes = imported(tmp_path, fields)
    spatial = image.meta.spatial
    assert spatial.spacing == spacing
    assert spatial.origin == origin
    assert (len(notes) == 1 and words in notes[0]) if words else notes == ()
    # Where nothing is said, SimpleITK sees the same.
    itk = SimpleITK.ReadImage(str(tmp_path / "in.nrrd"))
    same = np.allclose(itk.GetSpacing(), np.abs(spacing or [1, 1, 1])) and np.allclose(
        itk.GetOrigin(), origin or [0, 0, 0]
    )
    assert same or words
    # And what we write of it, everybody reads so.
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as edited:
        edited.meta.spatial.coord_system = "LPS"
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    np.testing.assert_allclose(itk.GetOrigin(), origin or [0, 0, 0])
    np.testing.assert_allclose(itk.GetSpacing(), np.abs(spacing or [1, 1, 1]))


def test_ends_of_an_axis_of_no_space(tmp_path: Path) -> None:
    fields = "space: LPS\nspace directions: (2,0,0) none (0,1,0)\naxis mins: nan 3 nan\n"
    _, notes = imported(tmp_path, f"{fields}kinds: space time space\naxis maxs: nan 7 nan\n")
    assert any("axis 1: 'axis mins' and 'axis maxs'" in note for note in notes)


def test_planes_get_axes_in_plural(tmp_path: Path) -> None:
    fields = "space: LPS\nspace directions: (2,0,0) none none\nkinds: space list list\n"
    _, notes = imported(tmp_path, fields)
    assert "2 axes of length 1 added: the file is a plane in space" in notes
    image = MLArray(np.zeros((2, 3)), affine=np.eye(2).tolist(), axis_labels=["spatial_x", "x"])
    image.save(tmp_path / "image.mla")
    notes = convert(tmp_path / "image.mla", tmp_path / "out.nii").notes
    assert any(note.startswith("2 axes of length 1 added: NIfTI") for note in notes)
