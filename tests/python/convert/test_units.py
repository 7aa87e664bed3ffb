"""Units of lengths and times: a file says in its unit what the image said in its own."""

from __future__ import annotations

from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.convert._units import length, time
from mlarray.errors import UnsupportedError

VOXELS = np.zeros((3, 4, 5), np.uint8)
# In metres, by the SI and the definition of the inch.
METRES = {
    "m": 1,
    "meter": 1,
    "metres": 1,
    "cm": 1e-2,
    "mm": 1e-3,
    "MM": 1e-3,
    "Millimeter": 1e-3,
    "um": 1e-6,
    "\u00b5m": 1e-6,  # the sign
    "\u03bcm": 1e-6,  # the letter
    "micron": 1e-6,
    "microns": 1e-6,
    "nm": 1e-9,
    "inch": 25.4e-3,
}
NIFTI_METRES = {"meter": 1, "mm": 1e-3, "micron": 1e-6}
AFFINE = np.array([[0, 0.5, 0, 7], [2, 0, 0, -3], [0, 0, 3, 11], [0, 0, 0, 1]])


def made(folder: Path, units: list[str] | None, **geometry: object) -> Path:
    geometry = geometry or {"affine": AFFINE.tolist()}
    labels = ["spatial_x", "spatial_y", "spatial_z"]
    image = MLArray(VOXELS, axis_labels=labels, **geometry)
    image.meta.spatial.coord_system = "RAS"
    image.meta.spatial.axis_units = units
    image.save(folder / "image.mla")
    return folder / "image.mla"


def written(path: Path) -> tuple[nibabel.Nifti1Image, tuple[str, ...]]:
    notes = convert(path, path.with_name("out.nii")).notes
    return nibabel.load(path.with_name("out.nii")), notes


def in_metres(nifti: nibabel.Nifti1Image) -> np.ndarray:
    return nifti.affine[:3] * NIFTI_METRES[nifti.header.get_xyzt_units()[0]]


@pytest.mark.parametrize("unit", METRES)
def test_lengths_in_nifti(unit: str, tmp_path: Path) -> None:
    nifti, notes = written(made(tmp_path, [unit] * 3))
    np.testing.assert_allclose(in_metres(nifti), AFFINE[:3] * METRES[unit], rtol=1e-6)
    kept = METRES[unit] in NIFTI_METRES.values()
    assert np.array_equal(nifti.affine, AFFINE) == kept
    assert any(repr(unit) in note for note in notes) != kept


@pytest.mark.parametrize("unit", METRES)
def test_a_unit_that_was_changed(unit: str, tmp_path: Path) -> None:
    source = nibabel.Nifti1Image(VOXELS, AFFINE)
    source.header.set_xyzt_units("mm", "sec")
    nibabel.save(source, tmp_path / "in.nii")
    convert(tmp_path / "in.nii", tmp_path / "image.mla")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.meta.spatial.axis_units = [unit] * 3
    nifti, _ = written(tmp_path / "image.mla")
    np.testing.assert_allclose(in_metres(nifti), AFFINE[:3] * METRES[unit], rtol=1e-6)
    assert nifti.header.get_xyzt_units()[1] == "sec"
    if METRES[unit] == 1e-3:
        assert (tmp_path / "out.nii").read_bytes() == (tmp_path / "in.nii").read_bytes()


@pytest.mark.parametrize(
    "units",
    [
        ["furlong"] * 3,
        ["mm", "mm", "unknown"],
        ["mm", "pixel", "mm"],
    ],
)
def test_units_that_nifti_does_not_have_are_said(units: list[str], tmp_path: Path) -> None:
    nifti, notes = written(made(tmp_path, units))
    np.testing.assert_array_equal(nifti.affine, AFFINE)
    assert nifti.header.get_xyzt_units()[0] == "unknown"
    assert any(repr(units) in note and "as they are" in note for note in notes)


@pytest.mark.parametrize("units", [None, ["unknown"] * 3])
def test_no_units_are_none(units: list[str] | None, tmp_path: Path) -> None:
    nifti, notes = written(made(tmp_path, units))
    assert nifti.header.get_xyzt_units() == ("unknown", "unknown")
    assert notes == ()


def test_units_taken_away_are_not_the_sources(tmp_path: Path) -> None:
    source = nibabel.Nifti1Image(VOXELS, AFFINE)
    source.header.set_xyzt_units("mm", None)
    nibabel.save(source, tmp_path / "in.nii")
    convert(tmp_path / "in.nii", tmp_path / "image.mla")
    with MLArray.open(tmp_path / "image.mla", mmap="r+") as image:
        image.meta.spatial.axis_units = None
    nifti, _ = written(tmp_path / "image.mla")
    assert nifti.header.get_xyzt_units()[0] == "unknown"


MIXED = ["mm", "um", "cm"]
MIXED_MM = np.array([1, 1e-3, 10])


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
def test_units_that_differ(suffix: str, tmp_path: Path) -> None:
    spacing, origin = np.array([2.0, 500, 0.3]), np.array([7.0, -300, 1.1])
    path = made(tmp_path, MIXED, spacing=spacing, origin=origin)
    notes = convert(path, tmp_path / f"out{suffix}").notes
    itk = SimpleITK.ReadImage(str(tmp_path / f"out{suffix}"))  # which takes all for mm
    np.testing.assert_allclose(itk.GetSpacing(), spacing * MIXED_MM, rtol=1e-6)
    expected = origin * MIXED_MM * [-1, -1, 1]
    np.testing.assert_allclose(itk.GetOrigin(), expected, rtol=1e-6)
    assert any("mm" in note and repr(MIXED) in note for note in notes)


def test_units_that_differ_between_turned_axes(tmp_path: Path) -> None:
    # The spacing is in the unit of its axis, so a column of the affine is.
    c, s = np.cos(0.4), np.sin(0.4)
    direction = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    spacing, origin = np.array([2.0, 500, 0.3]), np.array([7.0, -300, 1.1])
    path = made(tmp_path, MIXED, spacing=spacing, origin=origin, direction=direction)
    nifti, _ = written(path)
    expected = direction * (spacing * MIXED_MM)
    np.testing.assert_allclose(nifti.affine[:3, :3], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(nifti.affine[:3, 3], origin * MIXED_MM, rtol=1e-6)
    # An affine gives each coordinate in the unit of its axis, so a row of it is.
    affine = np.vstack([np.hstack([direction * spacing, origin[:, None]]), [0, 0, 0, 1]])
    nifti, _ = written(made(tmp_path, MIXED, affine=affine.tolist()))
    expected = affine[:3] * MIXED_MM[:, None]
    np.testing.assert_allclose(nifti.affine[:3], expected, rtol=1e-6, atol=1e-9)


def test_units_belong_to_axes_of_any_order(tmp_path: Path) -> None:
    image = MLArray(
        np.zeros((2, 3, 4, 5), np.uint8),
        axis_labels=["channel", "spatial_z", "spatial_y", "spatial_x"],
        spacing=(2, 500, 0.3),
        origin=(7, -300, 1.1),
    )
    image.meta.spatial.coord_system = "RAS"
    image.meta.spatial.axis_units = ["unknown", *MIXED]
    image.save(tmp_path / "image.mla")
    nifti, _ = written(tmp_path / "image.mla")
    np.testing.assert_allclose(nifti.affine[:3, 3], (11, -0.3, 7), rtol=1e-6)
    np.testing.assert_allclose(nifti.header.get_zooms()[:3], (2, 0.5, 3), rtol=1e-6)
    image.meta.spatial.axis_units = ["unknown", "pixel", "mm", "inches"]
    image.save(tmp_path / "image.mla")
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["space units"] == ["inches", "mm", "pixel"]  # of x, y, z


def test_names_of_one_unit(tmp_path: Path) -> None:
    labels = ["spatial_z", "spatial_y"]
    image = MLArray(VOXELS[0], spacing=(2, 3), origin=(4, 5), axis_labels=labels)
    image.meta.spatial.coord_system = "RAS"
    image.meta.spatial.axis_units = ["um", "microns"]
    image.save(tmp_path / "image.mla")
    convert(tmp_path / "image.mla", tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["space units"] == ["um"] * 3
    np.testing.assert_array_equal(header["space origin"], [0, 5, 4])
    assert written(tmp_path / "image.mla")[0].header.get_xyzt_units()[0] == "micron"


def test_labels_that_repeat(tmp_path: Path) -> None:
    image = MLArray(VOXELS, spacing=(1, 2, 3), axis_labels=["spatial"] * 3)
    image.meta.spatial.axis_units = ["micron"] * 3
    image.save(tmp_path / "image.mla")
    assert written(tmp_path / "image.mla")[0].header.get_xyzt_units()[0] == "micron"


@pytest.mark.parametrize("unit", ["mm", "micron", "cm", "\u00b5m", "in"])
def test_from_nrrd_to_nifti_and_back(unit: str, tmp_path: Path) -> None:
    given = " ".join([f'"{unit}"'] * 3)
    head = (
        "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 4 5\nencoding: raw\n"
        "space: left-posterior-superior\nspace directions: (0,2,0) (0.5,0,0) (0,0,3)\n"
        f"space origin: (7,-3,11)\nspace units: {given}\n\n"
    )
    (tmp_path / "in.nrrd").write_bytes(head.encode() + VOXELS.tobytes())
    convert(tmp_path / "in.nrrd", tmp_path / "image.mla")
    nifti, _ = written(tmp_path / "image.mla")
    metres = {**METRES, "in": 25.4e-3}[unit]
    expected = np.diag([-1, -1, 1]) @ AFFINE[:3] * metres
    np.testing.assert_allclose(in_metres(nifti), expected, rtol=1e-6)

    convert(tmp_path / "out.nii", tmp_path / "again.mla")
    convert(tmp_path / "again.mla", tmp_path / "again.nrrd")
    header = nrrd.read_header(str(tmp_path / "again.nrrd"))
    (unit,) = set(header["space units"])
    factor = NIFTI_METRES[unit] * np.array([-1, -1, 1])
    assert header["space"] == "right-anterior-superior"
    np.testing.assert_allclose(
        header["space origin"] * factor, [7 * metres, -3 * metres, 11 * metres]
    )


@pytest.mark.parametrize("unit", ["\u00b5m", "\u03bcm", "m\u00e8tre", 'a "b"', "a\nb", "a\\b"])
def test_units_that_nrrd_cannot_spell(unit: str, tmp_path: Path) -> None:
    path = made(tmp_path, [unit] * 3)
    notes = convert(path, tmp_path / "out.nrrd").notes
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    np.testing.assert_array_equal(header["space origin"], AFFINE[:3, 3])
    if unit in METRES:
        assert header["space units"] == ["um"] * 3
    else:
        assert "space units" not in header
        assert any("units" in note for note in notes)


def timed(folder: Path, unit: str | None) -> Path:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2, 3), np.uint8), AFFINE)
    image.header["pixdim"][4] = 1.5
    image.header["toffset"] = 0.25
    image.header["slice_duration"] = 0.125
    image.header.set_xyzt_units("mm", unit)
    nibabel.save(image, folder / "in.nii")
    convert(folder / "in.nii", folder / "image.mla")
    return folder / "image.mla"


def times(nifti: nibabel.Nifti1Image) -> tuple[str, list[float]]:
    header = nifti.header
    fields = (header["pixdim"][4], header["toffset"], header["slice_duration"])
    return header.get_xyzt_units()[1], [float(field) for field in fields]


@pytest.mark.parametrize(
    ("unit", "code", "factor"),
    [
        ("sec", "sec", 1),
        ("s", "sec", 1),
        ("seconds", "sec", 1),
        ("ms", "msec", 1e3),
        ("msec", "msec", 1e3),
        ("us", "usec", 1e6),
        ("\u00b5s", "usec", 1e6),
    ],
)
def test_a_unit_of_time_that_was_changed(
    unit: str, code: str, factor: float, tmp_path: Path
) -> None:
    path = timed(tmp_path, "sec")
    with MLArray.open(path, mmap="r+") as image:
        image.meta.spatial.axis_units = [*["mm"] * 3, unit]
    nifti, notes = written(path)
    assert times(nifti) == (code, [1.5 * factor, 0.25 * factor, 0.125 * factor])
    assert any("pixdim[4]" in note for note in notes) == (factor != 1)


@pytest.mark.parametrize(
    ("unit", "code"), [("min", "sec"), ("unknown", "unknown"), ("hz", "hz")]
)
def test_times_that_are_not_converted_are_said(unit: str, code: str, tmp_path: Path) -> None:
    path = timed(tmp_path, "sec")
    with MLArray.open(path, mmap="r+") as image:
        image.meta.spatial.axis_units = [*["mm"] * 3, unit]
    nifti, notes = written(path)
    assert times(nifti) == (code, [1.5, 0.25, 0.125])
    assert any("pixdim[4]" in note for note in notes)


def test_a_unit_of_time_that_the_source_did_not_say(tmp_path: Path) -> None:
    path = timed(tmp_path, None)
    with MLArray.open(path, mmap="r+") as image:
        image.meta.spatial.axis_units = [*["mm"] * 3, "ms"]
    nifti, notes = written(path)
    assert times(nifti) == ("msec", [1.5, 0.25, 0.125])
    assert notes == ()


def test_a_time_step_that_nobody_knows_is_said(tmp_path: Path) -> None:
    labels = ["temporal", "spatial_x", "spatial_y", "spatial_z"]
    image = MLArray(np.zeros((2, 3, 4, 5), np.uint8), axis_labels=labels, spacing=(1, 2, 3))
    image.meta.spatial.axis_units = ["ms", "mm", "mm", "mm"]
    image.save(tmp_path / "image.mla")
    nifti, notes = written(tmp_path / "image.mla")
    # 1 ms would be made up; 1 of an unknown unit is what NIfTI has where nothing is known.
    assert nifti.header.get_xyzt_units() == ("mm", "unknown")
    assert nifti.header["pixdim"][4] == 1
    assert any("pixdim[4]" in note and "'ms'" in note for note in notes)


@pytest.mark.parametrize("code", [0, 5, 7, 64 + 2 + 8, 56])
def test_codes_of_the_source_stay(code: int, tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2, 3), np.uint8), AFFINE)
    image.header["xyzt_units"] = code
    nibabel.save(image, tmp_path / "in.nii")
    convert(tmp_path / "in.nii", tmp_path / "image.mla")
    _, notes = written(tmp_path / "image.mla")
    assert (tmp_path / "out.nii").read_bytes() == (tmp_path / "in.nii").read_bytes()
    assert notes == ()


def test_the_unit_of_time_as_the_last_coordinate_of_nrrd(tmp_path: Path) -> None:
    head = (
        "NRRD0004\ntype: uchar\ndimension: 4\nsizes: 2 3 4 5\nencoding: raw\n"
        "space: left-posterior-superior-time\nspace origin: (1,2,3,0)\n"
        "space directions: (0,0,0,1.5) (2,0,0,0) (0,1,0,0) (0,0,3,0)\n"
        'space units: "mm" "mm" "mm" "ms"\n\n'
    )
    (tmp_path / "in.nrrd").write_bytes(head.encode() + bytes(120))
    convert(tmp_path / "in.nrrd", tmp_path / "image.mla")
    image = MLArray(tmp_path / "image.mla")
    assert image.meta.spatial.axis_units == ["ms", "mm", "mm", "mm"]


def test_units_and_labels_of_the_source_that_pynrrd_cannot_write(tmp_path: Path) -> None:
    head = (
        "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 4 5\nencoding: raw\n"
        "space: left-posterior-superior\nspace directions: (0,2,0) (0.5,0,0) (0,0,3)\n"
        'space units: "\u00b5m" "\u00b5m" "\u00b5m"\nlabels: "a" "b" "c"\n\n'
    )
    (tmp_path / "in.nrrd").write_bytes(head.encode() + VOXELS.tobytes())
    convert(tmp_path / "in.nrrd", tmp_path / "image.mla")
    notes = convert(tmp_path / "image.mla", tmp_path / "out.nrrd").notes
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    assert header["space units"] == ["um"] * 3
    np.testing.assert_array_equal(
        header["space directions"], [[0, 2, 0], [0.5, 0, 0], [0, 0, 3]]
    )
    assert any("labels" in note for note in notes)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd"])
@pytest.mark.parametrize("units", [["km", "mm", "mm"], ["km", "cm", "cm"]])
@pytest.mark.parametrize("place", ["spacing", "origin", "affine"])
def test_positions_that_are_infinite_in_another_unit_are_errors(
    place: str, units: list[str], suffix: str, tmp_path: Path
) -> None:
    geometry: dict[str, object] = {place: (1e306, 1, 1)}
    if place == "affine":
        geometry = {"affine": np.diag([1e306, 1, 1, 1]).tolist()}
    path = made(tmp_path, units, **geometry)
    with pytest.raises(UnsupportedError, match=rf"out\{suffix}'.*inf.*finite in mm"):
        convert(path, tmp_path / f"out{suffix}")
    assert not (tmp_path / f"out{suffix}").exists()


@pytest.mark.parametrize(("unit", "number"), [("inch", 5e306), ("angstrom", 1e300)])
def test_large_positions_of_another_unit(unit: str, number: float, tmp_path: Path) -> None:
    # Nothing on the way is larger than the numbers.
    path = made(tmp_path, [unit, "mm", "mm"], spacing=(number, 1, 1))
    convert(path, tmp_path / "out.nrrd")
    header = nrrd.read_header(str(tmp_path / "out.nrrd"))
    size = {"inch": 25.4, "angstrom": 1e-7}[unit]
    np.testing.assert_allclose(header["space directions"][0, 0], number * size, rtol=1e-15)


def test_lengths_of_axes_that_are_infinite_are_errors(tmp_path: Path) -> None:
    affine = np.diag([1.5e308, 1, 1, 1])
    affine[1, 0] = 1.5e308
    path = made(tmp_path, ["mm"] * 3, affine=affine.tolist())
    with pytest.raises(UnsupportedError, match=r"out\.nii'.*long"):
        convert(path, tmp_path / "out.nii")


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        ("Sec", 1),
        ("SEC", 1),
        ("Secs", 1),
        ("Second", 1),
        ("Min", 60),
        ("mins", 60),
        ("Hr", 3600),
        ("Hour", 3600),
        ("H", None),
        ("Ms", None),  # megaseconds, by the SI
        ("Msec", None),
        ("Ps", None),
        ("mS", None),  # millisiemens
    ],
)
def test_capitals_of_times(unit: str, seconds: int | None) -> None:
    assert time(unit) == seconds


@pytest.mark.parametrize(
    ("unit", "size"), [("Cm", 1e-2), ("Um", 1e-6), ("In", 0.0254), ("Mm", None), ("mM", None)]
)
def test_capitals_of_lengths(unit: str, size: float | None) -> None:
    found = length(unit)
    assert (found is None and size is None) or float(found) == size
