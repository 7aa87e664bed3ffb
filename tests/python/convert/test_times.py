"""The time from one volume to the next, between NIfTI and NRRD: carried, or said to be lost."""

from __future__ import annotations

from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert

SHAPE = (2, 3, 4, 5)
VOXELS = np.arange(120, dtype=np.uint8).reshape(SHAPE)
HEAD = "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 3 4 5\nencoding: raw\n"
DIRECTIONS = "space directions: (2,0,0) (0,1,0) (0,0,3) none\nspace origin: (1,2,3)\n"
IN_SPACE = f"space: left-posterior-superior\n{DIRECTIONS}kinds: space space space time\n"
TIMED = (
    "space: left-posterior-superior-time\nspace origin: (1,2,3,{start})\n"
    "space directions: (2,0,0,0) (0,1,0,0) (0,0,3,0) (0,0,0,{step})\n"
    'space units: "mm" "mm" "mm" "{unit}"\n'
)
# Ways of NRRD to say the same.
SPELLINGS = {
    "a coordinate": TIMED,
    "cells": IN_SPACE + "spacings: nan nan nan {step}\naxis mins: nan nan nan {cell}\n"
    'units: "" "" "" "{unit}"\n',
    "nodes": IN_SPACE + "spacings: nan nan nan {step}\naxis mins: nan nan nan {start}\n"
    'centers: ??? ??? ??? node\nunits: "" "" "" "{unit}"\n',
    "ends": IN_SPACE + "axis mins: nan nan nan {cell}\naxis maxs: nan nan nan {end}\n"
    'centers: ??? ??? ??? cell\nunits: "" "" "" "{unit}"\n',
    "no space": "kinds: domain domain domain TIME\nspacings: 2 1 3 {step}\n"
    'axis mins: 0 0 0 {cell}\nunits: "mm" "mm" "mm" "{unit}"\n',
}


def from_nrrd(folder: Path, fields: str) -> tuple[str, ...]:
    content = f"{HEAD}{fields}\n".encode() + VOXELS.tobytes(order="F")
    (folder / "in.nrrd").write_bytes(content)
    return convert(folder / "in.nrrd", folder / "image.mla").notes


def from_nifti(folder: Path, step: float, start: float, unit: str | None) -> None:
    image = nibabel.Nifti1Image(VOXELS, np.diag([2, 1, 3, 1]))
    image.header["pixdim"][4], image.header["toffset"] = step, start
    image.header.set_xyzt_units("mm", unit)
    nibabel.save(image, folder / "in.nii")
    convert(folder / "in.nii", folder / "image.mla")


def to_nifti(folder: Path) -> tuple[tuple[float, float, str], tuple[str, ...]]:
    notes = convert(folder / "image.mla", folder / "out.nii").notes
    header = nibabel.load(folder / "out.nii").header
    times = (float(header["pixdim"][4]), float(header["toffset"]))
    return (*times, header.get_xyzt_units()[1]), notes


def set_unit(folder: Path, unit: str) -> None:
    with MLArray.open(folder / "image.mla", mmap="r+") as image:
        units = image.meta.spatial.axis_units
        axis = image.meta.spatial.axis_labels.index("temporal")
        image.meta.spatial.axis_units = [*units[:axis], unit, *units[axis + 1 :]]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("sec", (1.5, 0.25, "sec")),
        ("s", (1.5, 0.25, "sec")),
        ("Sec", (1.5, 0.25, "sec")),
        ("ms", (1.5, 0.25, "msec")),
        ("us", (1.5, 0.25, "usec")),
        ("ns", (0.0015, 0.00025, "usec")),
        ("min", (90, 15, "sec")),
        ("Min", (90, 15, "sec")),
        ("h", (5400, 900, "sec")),
        ("", (1.5, 0.25, "unknown")),
        ("frames", (1.5, 0.25, "unknown")),
    ],
)
def test_from_nrrd_to_nifti(
    spelling: str, unit: str, expected: tuple[float, float, str], tmp_path: Path
) -> None:
    fields = SPELLINGS[spelling].format(step=1.5, start=0.25, cell=-0.5, end=7, unit=unit)
    from_nrrd(tmp_path, fields)
    found, notes = to_nifti(tmp_path)
    assert found[2] == expected[2]
    np.testing.assert_allclose(found[:2], expected[:2], rtol=1e-7)
    converted = unit in ("ns", "min", "Min", "h", "frames")
    assert any(f"'{unit}'" in note and "pixdim[4]" in note for note in notes) == converted


def test_the_axis_of_time_may_be_any(tmp_path: Path) -> None:
    fields = (
        "space: lpst\nspace origin: (1,2,3,0.25)\nspace directions: (0,0,0,1.5) (2,0,0,0) "
        '(0,1,0,0) (0,0,3,0)\nspace units: "mm" "mm" "mm" "ms"\n'
    )
    from_nrrd(tmp_path, fields)
    assert to_nifti(tmp_path)[0] == (1.5, 0.25, "msec")


@pytest.mark.parametrize(
    "fields",
    [
        IN_SPACE,
        IN_SPACE + 'units: "" "" "" "sec"\n',
        IN_SPACE + "spacings: nan nan nan nan\n",
        IN_SPACE + "spacings: nan nan nan inf\n",
        IN_SPACE + "spacings: nan nan nan -1.5\n",
        IN_SPACE + "spacings: nan nan nan 1e300\n",
        IN_SPACE + "spacings: nan nan nan 1e-300\n",
        TIMED.format(step=-1.5, start=0, unit="sec"),
    ],
)
def test_steps_that_are_not_known_or_not_held_are_said(fields: str, tmp_path: Path) -> None:
    from_nrrd(tmp_path, fields)
    found, notes = to_nifti(tmp_path)
    assert found == (1, 0, "unknown")
    assert any("pixdim[4] is" in note and "default, 1" in note for note in notes)


@pytest.mark.parametrize("unit", ["sec", "msec", "usec", "hz", None])
def test_from_nifti_to_nrrd_and_back(unit: str | None, tmp_path: Path) -> None:
    from_nifti(tmp_path, 1.5, 0.25, unit)
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["space"] == "left-posterior-superior-time"
    assert header["space units"] == ["mm", "mm", "mm", unit or ""]
    itk = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    assert itk.GetSpacing() == (2, 1, 3, 1.5)
    assert itk.GetOrigin() == (0, 0, 0, 0.25)
    expected = np.diag([-2, -1, 3]) / [2, 1, 3]  # of ITK, which has LPS
    np.testing.assert_array_equal(np.reshape(itk.GetDirection(), (4, 4))[:3, :3], expected)
    np.testing.assert_array_equal(SimpleITK.GetArrayViewFromImage(itk).T, VOXELS)
    convert(tmp_path / "out.nrrd", tmp_path / "image.mla")
    assert to_nifti(tmp_path)[0] == (1.5, 0.25, unit or "unknown")
    np.testing.assert_array_equal(
        nibabel.load(tmp_path / "out.nii").affine, np.diag([2, 1, 3, 1])
    )


@pytest.mark.parametrize("frame", ["template", None])
@pytest.mark.parametrize("start", [0, 0.25])
def test_from_nifti_to_nrrd_without_a_frame(
    frame: str | None, start: float, tmp_path: Path
) -> None:
    from_nifti(tmp_path, 1.5, start, "msec")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.meta.spatial.coord_system = frame
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["spacings"][3] == 1.5
    assert header["units"][3] == "msec"
    convert(tmp_path / "out.nrrd", tmp_path / "image.mla")
    assert to_nifti(tmp_path)[0] == (1.5, start, "msec")


@pytest.mark.parametrize("fields", [TIMED, SPELLINGS["nodes"], SPELLINGS["no space"]])
def test_a_nrrd_whose_geometry_was_edited(fields: str, tmp_path: Path) -> None:
    from_nrrd(tmp_path, fields.format(step=1.5, start=0.25, cell=-0.5, unit="sec"))
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        affine = np.array(image.affine)
        affine[0, 3] += 1
        image.meta.spatial.spacing = image.meta.spatial.origin = None
        image.meta.spatial.affine = affine.tolist()
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    convert(tmp_path / "out.nrrd", tmp_path / "image.mla")
    assert to_nifti(tmp_path)[0] == (1.5, 0.25, "sec")


def test_an_image_without_positions_keeps_step_and_units(tmp_path: Path) -> None:
    from_nifti(tmp_path, 1.5, 0.25, "sec")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.meta.spatial.affine = None
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    convert(tmp_path / "out.nrrd", tmp_path / "image.mla")
    assert MLArray(tmp_path / "image.mla").meta.spatial.axis_units == [*["mm"] * 3, "sec"]
    assert to_nifti(tmp_path)[0] == (1.5, 0.25, "sec")


@pytest.mark.parametrize(
    ("unit", "step", "start"), [("ms", 1500, 250), ("min", 0.025, 0.25 / 60), ("hz", 1.5, 0.25)]
)
def test_a_unit_that_was_edited(unit: str, step: float, start: float, tmp_path: Path) -> None:
    from_nifti(tmp_path, 1.5, 0.25, "sec")
    set_unit(tmp_path, unit)
    notes = convert(tmp_path / "image.mla", tmp_path / "out.nrrd").notes
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["space directions"][3].tolist() == [0, 0, 0, step]
    assert header["space origin"].tolist() == [0, 0, 0, start]
    assert header["space units"][3] == unit
    assert any("instead of 'sec'" in note for note in notes) == (unit == "hz")


@pytest.mark.parametrize(
    ("said", "now", "expected"),
    [
        ("min", "sec", (90, 15, "sec")),
        ("sec", "min", (1.5, 0.25, "sec")),
        ("min", "ms", (90000, 15000, "msec")),
        ("", "min", (90, 15, "sec")),
        ("Sec", "SEC", (1.5, 0.25, "sec")),
    ],
)
def test_a_unit_that_was_edited_between_nrrd_and_nifti(
    said: str, now: str, expected: tuple[float, float, str], tmp_path: Path
) -> None:
    from_nrrd(tmp_path, TIMED.format(step=1.5, start=0.25, unit=said))
    set_unit(tmp_path, now)
    assert to_nifti(tmp_path)[0] == expected


def test_no_step_of_nifti_is_none_of_nrrd(tmp_path: Path) -> None:
    from_nifti(tmp_path, 0, 0, "sec")
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["kinds"][3] == "time"
    assert header["units"][3] == "sec"
    assert np.isnan(header["space directions"][3]).all()


def test_a_space_with_time_that_no_axis_runs_along(tmp_path: Path) -> None:
    fields = (
        "space: LPST\nspace directions: (2,0,0,0) (0,1,0,0) (0,0,3,0) none\nspacings: nan nan "
        'nan 1.5\nkinds: space space space time\nunits: "" "" "" "ms"\n'
    )
    from_nrrd(tmp_path, fields)
    assert to_nifti(tmp_path)[0] == (1.5, 0, "msec")


def test_steps_of_other_axes_are_said(tmp_path: Path) -> None:
    fields = f"space: LPS\n{DIRECTIONS}kinds: space space space list\n"
    from_nrrd(tmp_path, fields + "spacings: nan nan nan 2.5\n")
    assert any("2.5" in note for note in to_nifti(tmp_path)[1])
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4, 1, 2), np.uint8), np.eye(4))
    image.header["pixdim"][5] = 0.75
    nibabel.save(image, tmp_path / "in.nii")
    convert(tmp_path / "in.nii", tmp_path / "image.mla")
    notes = convert(tmp_path / "image.mla", tmp_path / "out.nrrd").notes
    assert any("0.75" in note for note in notes)


def test_a_header_that_somebody_has_edited_is_no_source(tmp_path: Path) -> None:
    from_nifti(tmp_path, 1.5, 0, "sec")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.meta.source["pixdim"] = "none"
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    assert nrrd.read_header(str(tmp_path / "out.nrrd"))["kinds"][3] == "time"
