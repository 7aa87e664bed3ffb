"""Older and unusual spellings of NRRD: read as SimpleITK reads them, by the code of teem."""

from __future__ import annotations

import gzip
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import convert
from mlarray.errors import CorruptionError, UnsupportedError
from mlarray.orientation import frame_signs

SHAPE = (3, 4, 5)
VOXELS = np.arange(60, dtype="<i2").reshape(SHAPE, order="F")
STORAGE = {"type": "short", "dimension": "3", "sizes": "3 4 5", "endian": "little"}
STORAGE["encoding"] = "raw"
DIRECTIONS = "space directions: (0,2,0) (-1,0,0) (0,0.5,3)\n"
ORIGIN = "space origin: (1,2,3)\n"
LPS = "space: left-posterior-superior\n"
SPACINGS = "spacings: 2 1 3\n"


def write(
    path: Path,
    fields: str,
    magic: str = "NRRD0004",
    data: bytes | None = None,
    **storage: str,
) -> Path:
    said = {**STORAGE, **storage}
    head = "".join(f"{name}: {text}\n" for name, text in said.items())
    content = VOXELS.tobytes(order="F") if data is None else data
    path.write_bytes(f"{magic}\n{head}{fields}\n".encode() + content)
    return path


def same_as_itk(source: Path) -> MLArray:
    """Converted; every corner is where SimpleITK says, and so it is after the way back."""
    target = source.with_name("image.mla")
    convert(source, target)
    image = MLArray(target)
    itk = SimpleITK.ReadImage(str(source))
    np.testing.assert_array_equal(image[...], SimpleITK.GetArrayViewFromImage(itk).T)
    frame = (image.meta.spatial.coord_system or "LPS").removesuffix("+")
    # ITK takes positions without a frame of letters as they are.
    signs = np.array(frame_signs(frame, "LPS") if frame in ("RAS", "LAS") else [1, 1, 1])
    back = source.with_name("back.nrrd")
    convert(target, back)
    again = SimpleITK.ReadImage(str(back))
    for corner in np.ndindex(2, 2, 2):
        index = [int(c * (n - 1)) for c, n in zip(corner, SHAPE)]
        expected = itk.TransformIndexToPhysicalPoint(index)
        ours = (np.array(image.affine) @ [*index, 1])[:3] * signs
        np.testing.assert_allclose(ours, expected, atol=1e-9)
        np.testing.assert_allclose(
            again.TransformIndexToPhysicalPoint(index), expected, atol=1e-9
        )
    return image


@pytest.mark.parametrize(
    ("space", "frame"),
    [
        ("lps", "LPS+"),
        ("ras", "RAS+"),
        ("Las", "LAS+"),
        ("Left-Posterior-Superior", "LPS+"),
        ("RIGHT-ANTERIOR-SUPERIOR", "RAS+"),
        ("left anterior superior", "LAS+"),
        ("rightanteriorsuperior", "RAS+"),
        ("3d-right-handed", "3D-right-handed"),
        ("3D right handed", "3D-right-handed"),
        ("SCANNER-XYZ", "scanner-xyz"),
    ],
)
def test_names_of_spaces(space: str, frame: str, tmp_path: Path) -> None:
    fields = f"space: {space}\n{DIRECTIONS}{ORIGIN}"
    image = same_as_itk(write(tmp_path / "in.nrrd", fields))
    assert image.meta.spatial.coord_system == frame


@pytest.mark.parametrize(
    "fields",
    [
        f"{SPACINGS}axismins: 5 6 7\ncenters: node node node\n",
        f"{SPACINGS}axis mins: 5 6 7\ncenterings: node node node\n",
        f"{SPACINGS}axis mins: 5 6 7\ncenters: node cell ???\n",
        f"{SPACINGS}axis mins: 5 6 7\ncenters: none node cell\n",
        f"{SPACINGS}AXIS MINS: 5 6 7\nCenters: Node NODE node\n",
        f"{SPACINGS}Axis Mins: 5 6 7\n",
        f"{SPACINGS}axis mins: 5 6 7\naxis maxs: 11 10 22\ncenters: cell cell cell\n",
        f"{SPACINGS}axis mins: 5 6 7\nAxisMaxs: 9 9 19\ncenters: node node node\n",
        f"{SPACINGS}axis mins: 5 6 7\naxis maxs: 11 9 19\n",
        "spacings: 2, 1, 3\n",
        "Spacings:  2\t1   3\n",
        "spacings: -2 1 3\naxis mins: 5 6 7\ncenters: cell cell cell\n",
        f"{LPS}spacedirections: (0,2,0) (-1,0,0) (0,0,3)\nspaceorigin: (1,2,3)\n",
        "SPACE: lps\nSpace Directions: (0,2,0) (-1,0,0) (0,0,3)\nSPACE ORIGIN: (1,2,3)\n",
        f"{LPS}space directions: (0, 2, 0) (-1, 0, 0) (0, 0, 3)\nspace origin: ( 1 , 2 , 3 )\n",
        f"{LPS}space directions: (0,2,0)(-1,0,0)(0,0,3)\nspace origin: (1,2,3)\n",
        f"spacedimension: 3\n{DIRECTIONS}{ORIGIN}",
        f"{LPS}{DIRECTIONS}",
        f"{LPS}{DIRECTIONS}space origin: none\n",
        f"{LPS}{DIRECTIONS}space origin: (nan,nan,nan)\n",
        f"{LPS}{ORIGIN}",
        f"{LPS}{DIRECTIONS}{ORIGIN}space origin:=(9,9,9)\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}Spacings:=9 9 9\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}spacings: nan nan nan\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}kinds: Domain SPACE domain\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}kinds: none none none\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}number: 60\nOldMin: 0\nold max: 5\nsampleunits: HU\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}lineskip: 0\nByteSkip: 0\n",
        f'{LPS}{DIRECTIONS}{ORIGIN}spaceunits: "mm" "mm" "mm"\nthicknesses: 1 1 1\n',
        f"{LPS}{DIRECTIONS}{ORIGIN}measurementframe: (1,0,0) (0,1,0) (0,0,1)\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}a key:=and a: value:=of it\n",
        f"{LPS}{DIRECTIONS}{ORIGIN}".replace("\n", "\r\n"),
    ],
)
def test_names_of_fields(fields: str, tmp_path: Path) -> None:
    same_as_itk(write(tmp_path / "in.nrrd", fields))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("type", "SHORT"),
        ("type", "signed short int"),
        ("type", "INT16_t"),
        ("encoding", "RAW"),
        ("endian", "Little"),
    ],
)
def test_words_in_any_case(name: str, text: str, tmp_path: Path) -> None:
    same_as_itk(write(tmp_path / "in.nrrd", LPS + DIRECTIONS + ORIGIN, **{name: text}))


def test_encodings_in_any_case(tmp_path: Path) -> None:
    data = gzip.compress(VOXELS.tobytes(order="F"))
    fields = LPS + DIRECTIONS + ORIGIN
    same_as_itk(write(tmp_path / "in.nrrd", fields, data=data, encoding="GZip"))


@pytest.mark.parametrize("change", [str.upper, str.title])
def test_names_of_storage_in_any_case(change: object, tmp_path: Path) -> None:
    head = "".join(f"{change(name)}: {text}\n" for name, text in STORAGE.items())
    path = tmp_path / "in.nrrd"
    content = f"NRRD0004\n{head}{LPS}{DIRECTIONS}{ORIGIN}\n".encode()
    path.write_bytes(content + VOXELS.tobytes(order="F"))
    same_as_itk(path)


@pytest.mark.parametrize("magic", ["NRRD00.01", "NRRD0001", "NRRD0003", "NRRD0005"])
def test_versions(magic: str, tmp_path: Path) -> None:
    image = same_as_itk(write(tmp_path / "in.nrrd", LPS + DIRECTIONS + ORIGIN, magic))
    assert image.meta.source["#magic"] == magic


@pytest.mark.parametrize("magic", ["NRRD0006", "NRRD1.0", "NRRD"])
def test_other_versions_are_errors(magic: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.nrrd", LPS + DIRECTIONS + ORIGIN, magic)
    with pytest.raises(UnsupportedError, match=rf"in\.nrrd.*'{magic}'.*NRRD0005"):
        convert(source, tmp_path / "image.mla")


def test_other_spellings_of_the_data_file(tmp_path: Path) -> None:
    (tmp_path / "voxels.bin").write_bytes(VOXELS.tobytes(order="F"))
    fields = LPS + DIRECTIONS + ORIGIN + "DataFile: voxels.bin\n"
    same_as_itk(write(tmp_path / "in.nhdr", fields, data=b""))


def test_the_source_is_kept_under_the_usual_names(tmp_path: Path) -> None:
    fields = "SPACE: lps\nspacedirections: (0,2,0) (-1,0,0) (0,0,3)\nSpaceOrigin: (1,2,3)\n"
    fields += "Centers: Node node NODE\noldmin: 3\nModality:=CT\nspaceorigin:=(9,9,9)\n"
    report = convert(write(tmp_path / "in.nrrd", fields), tmp_path / "image.mla")
    assert report.notes == ("keys with names of fields are not kept: spaceorigin",)
    source = MLArray(tmp_path / "image.mla").meta.source
    assert source["space origin"] == [1, 2, 3]
    assert source["old min"] == 3
    assert source["Modality"] == "CT"
    convert(tmp_path / "image.mla", tmp_path / "back.nrrd")
    header = nrrd.read_header(str(tmp_path / "back.nrrd"))
    assert header["space"] == "lps"
    assert header["centerings"] == ["Node", "node", "NODE"]
    assert header["Modality"] == "CT"
    assert header["old min"] == 3


def test_a_space_that_no_axis_has_a_direction_in_is_said(tmp_path: Path) -> None:
    # SimpleITK refuses this file.
    report = convert(write(tmp_path / "in.nrrd", LPS + SPACINGS), tmp_path / "image.mla")
    assert any("coord_system is not set" in note for note in report.notes)
    assert MLArray(tmp_path / "image.mla").spacing == [2, 1, 3]


GOOD = LPS + DIRECTIONS + ORIGIN
CONTRADICTIONS = {
    "space origin": [
        f"{GOOD}Space Origin: (1,2,3)\n",
        f"{LPS}{DIRECTIONS}space origin: (1,2)\n",
        f"{LPS}{DIRECTIONS}space origin: (1,nan,3)\n",
        f"{LPS}{DIRECTIONS}space origin: 1 2 3\n",
        f"{LPS}{SPACINGS}{ORIGIN}",
        f"{LPS}axis mins: 1 2 3\n{ORIGIN}",
    ],
    "space directions": [
        f"{LPS}space directions: (0,2,0) (-1,0,0)\n{ORIGIN}",
        f"{LPS}space directions: (0,2) (-1,0) (0,0)\n{ORIGIN}",
        f"{LPS}space directions: (0,2,0) (-1,0,0) (0,0,nan)\n{ORIGIN}",
        f"{LPS}space directions: (0,2,0) (-1,0,0) (0,0,3\n{ORIGIN}",
    ],
    "space dimension": [f"space dimension: 2\n{GOOD}"],
    "spacings": [
        f"{GOOD}spacings: 20 1 3\n",
        f"{SPACINGS}{SPACINGS}",
        "spacings: 2 1\n",
        f"{SPACINGS}axis mins: 0 0 0\naxis maxs: 60 40 150\n",
        f"{SPACINGS}axis mins: 0 0 0\naxis maxs: 4 3 12\ncenters: cell cell cell\n",
    ],
    "axis mins": [
        f"{GOOD}axis mins: 0 0 0\n",
        f"{SPACINGS}axis mins: 5 6\n",
        f"{SPACINGS}axis mins: 5 6 7 8\n",
        f"{SPACINGS}axis mins: 5 6 7\naxismins: 5 6 7\n",
    ],
    "axis maxs": [f"{GOOD}axismaxs: 0 0 0\n"],
    "centerings": [f"{SPACINGS}axis mins: 5 6 7\ncenters: node node\n"],
    "kinds": [f"{GOOD}kinds: domain domain\n"],
    "units": [f'{GOOD}units: "mm" "mm" "mm"\nspace units: "cm" "cm" "cm"\n'],
    "key": [f"{GOOD}key:=one\nkey:=two\n"],
}


@pytest.mark.parametrize(
    ("name", "fields"),
    [(name, fields) for name, several in CONTRADICTIONS.items() for fields in several],
)
def test_contradictions_are_errors_that_name_the_field(
    name: str, fields: str, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.nrrd", fields)
    with pytest.raises(CorruptionError, match=rf"in\.nrrd'.*'{name}'"):
        convert(source, tmp_path / "image.mla")
    assert not (tmp_path / "image.mla").exists()


@pytest.mark.parametrize(
    "fields",
    [f"{GOOD}spacings: 2 1 3.0414\n", f"space dimension: 3\n{GOOD}"],
)
def test_the_same_said_twice_is_read(fields: str, tmp_path: Path) -> None:
    # teem refuses these, but there is only one way to read them.
    convert(write(tmp_path / "in.nrrd", fields), tmp_path / "image.mla")
    assert MLArray(tmp_path / "image.mla").translation == [1, 2, 3]


@pytest.mark.parametrize(
    ("space", "frame", "origin"),
    [
        ("lpst", "LPS+", "(1,2,3,0)"),
        ("Right-Anterior-Superior-Time", "RAS+", "(1,2,3,0)"),
        ("left anterior superior time", "LAS+", "(1,2,3,0)"),
        ("scanner-xyz-time", "scanner-xyz", "(1,2,3,0)"),
    ],
)
def test_spaces_with_time(space: str, frame: str, origin: str, tmp_path: Path) -> None:
    fields = (
        f"space: {space}\nspace origin: {origin}\n"
        "space directions: (2,0,0,0) (0,1,0,0) (0,0,3,0) (0,0,0,1.5)\n"
    )
    source = write(tmp_path / "in.nrrd", fields, dimension="4", sizes="3 4 5 1")
    convert(source, tmp_path / "image.mla")
    image = MLArray(tmp_path / "image.mla")
    assert image.meta.spatial.coord_system == frame
    assert image.meta.spatial.axis_labels[3] == "temporal"
    assert image.translation == [1, 2, 3]


@pytest.mark.parametrize("kind", ["RGB-Color", "rgb", "3-COLOR"])
def test_kinds_in_any_case(kind: str, tmp_path: Path) -> None:
    fields = (
        f"{LPS}space directions: none (2,0,0) (0,1,0)\nkinds: {kind} domain Domain\n"
        "space origin: (1,2,3)\n"
    )
    source = write(tmp_path / "in.nrrd", fields)
    convert(source, tmp_path / "image.mla")
    labels = MLArray(tmp_path / "image.mla").meta.spatial.axis_labels
    assert labels == ["channel", "spatial_x", "spatial_y", "spatial_z"]
