"""NRRD to .mla: axes, frames, encodings, and every field of the header."""

from __future__ import annotations

import bz2
import gzip
import sys
from pathlib import Path

import nrrd
import numpy as np
import pytest
import SimpleITK

from mlarray import MLArray
from mlarray.convert import MissingPackageError, convert
from mlarray.errors import CorruptionError, NotFoundError, UnsupportedError

VOXELS = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
SPACE = "space: left-posterior-superior\nspace directions: (2,0,0) (0,1,0) (0,0,3)\n"


def write(
    path: Path, fields: str, voxels: np.ndarray = VOXELS, data: bytes | None = None
) -> Path:
    """A NRRD file by hand, so that the test does not depend on what pynrrd writes."""
    types = {"i2": "short", "u1": "uchar", "f4": "float"}
    sizes = " ".join(map(str, voxels.shape))
    head = (
        f"NRRD0004\ntype: {types[voxels.dtype.str[1:]]}\ndimension: {voxels.ndim}\n"
        f"sizes: {sizes}\nendian: little\n{fields}"
    )
    if "encoding" not in fields:
        head += "encoding: raw\n"
    content = voxels.tobytes(order="F") if data is None else data
    path.write_bytes(head.encode() + b"\n" + (b"" if "data file" in fields else content))
    return path


def converted(source: Path) -> MLArray:
    target = source.with_suffix(".mla")
    convert(source, target)
    return MLArray(target)


def test_the_whole_header_is_kept(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in.nrrd",
        "# first remark\n" + SPACE + "space origin: (1,2,3)\nkinds: domain domain domain\n"
        'content: a scan\nspace units: "mm" "mm" "mm"\nmeasurement frame: (1,0,0) (0,0,1) '
        "(0,1,0)\nold max: 7\nDWMRI_b-value:=1000\nName:=M\u00fcller\n",
    )
    image = converted(source)
    kept = image.meta.source
    assert kept["#magic"] == "NRRD0004"
    assert kept["#comments"] == ["first remark"]
    assert kept["type"] == "short"
    assert kept["sizes"] == [3, 4, 5]
    assert kept["content"] == "a scan"
    assert kept["old max"] == 7.0
    assert kept["measurement frame"] == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    assert kept["DWMRI_b-value"] == "1000"
    assert kept["Name"] == "M\u00fcller"
    assert set(nrrd.read_header(str(source))) <= set(kept.data)
    assert image.meta._image_meta_format.image_meta_format == "nrrd"
    assert image.meta.spatial.axis_units == ["mm", "mm", "mm"]


@pytest.mark.parametrize(
    ("space", "frame"),
    [
        ("right-anterior-superior", "RAS+"),
        ("RAS", "RAS+"),
        ("left-posterior-superior", "LPS+"),
        ("LPS", "LPS+"),
        ("left-anterior-superior", "LAS+"),
        ("scanner-xyz", "scanner-xyz"),
    ],
)
def test_the_frame_is_the_files(space: str, frame: str, tmp_path: Path) -> None:
    fields = (
        f"space: {space}\nspace directions: (0,2,0) (0,0,-3) (0.5,0,0)\n"
        "space origin: (10,20,30)\n"
    )
    image = converted(write(tmp_path / "in.nrrd", fields))
    assert image.meta.spatial.coord_system == frame
    np.testing.assert_array_equal(image[...], VOXELS)
    assert image.affine == [[0, 0, 0.5, 10], [2, 0, 0, 20], [0, -3, 0, 30], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("raw", bytes),
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("ascii", lambda data: " ".join(map(str, np.frombuffer(data, "<i2"))).encode()),
    ],
)
@pytest.mark.parametrize("detached", [False, True])
def test_encodings(encoding: str, encode: object, detached: bool, tmp_path: Path) -> None:
    data = encode(VOXELS.tobytes(order="F"))
    fields = f"{SPACE}encoding: {encoding}\n"
    if detached:
        (tmp_path / "voxels.bin").write_bytes(data)
        source = write(tmp_path / "in.nhdr", f"{fields}data file: voxels.bin\n")
    else:
        source = write(tmp_path / "in.nrrd", fields, data=data)
    image = converted(source)
    np.testing.assert_array_equal(image[...], VOXELS)
    assert image.dtype == np.int16


@pytest.mark.parametrize(
    ("kind", "label"),
    [("list", "non_spatial"), ("vector", "components"), ("RGB-color", "channel")],
)
def test_axes_without_a_direction_are_no_axes_of_space(
    kind: str, label: str, tmp_path: Path
) -> None:
    voxels = np.arange(2 * 60, dtype=np.int16).reshape(2, 3, 4, 5)
    fields = (
        "space: left-posterior-superior\nspace origin: (1,2,3)\n"
        "space directions: none (2,0,0) (0,1,0) (0,0,3)\n"
        f"kinds: {kind} domain domain domain\n"
    )
    image = converted(write(tmp_path / "in.nrrd", fields, voxels))
    assert image.meta.spatial.axis_labels == [label, "spatial_x", "spatial_y", "spatial_z"]
    assert image.affine == [[2, 0, 0, 1], [0, 1, 0, 2], [0, 0, 3, 3], [0, 0, 0, 1]]
    np.testing.assert_array_equal(image[...], voxels)
    assert image.meta.source["space directions"][0] is None
    convert(tmp_path / "in.mla", tmp_path / "back.nrrd")
    back, header = nrrd.read(str(tmp_path / "back.nrrd"))
    np.testing.assert_array_equal(back, voxels)
    assert header["kinds"] == [kind, "domain", "domain", "domain"]
    assert np.isnan(header["space directions"][0]).all()


def test_time_as_the_last_coordinate(tmp_path: Path) -> None:
    voxels = np.arange(120, dtype=np.int16).reshape(3, 4, 5, 2)
    fields = (
        "space: left-posterior-superior-time\nspace origin: (1,2,3,0)\n"
        "space directions: (2,0,0,0) (0,1,0,0) (0,0,3,0) (0,0,0,1.5)\n"
    )
    image = converted(write(tmp_path / "in.nrrd", fields, voxels))
    assert image.meta.spatial.axis_labels[3] == "temporal"
    assert image.meta.spatial.coord_system == "LPS+"
    assert image.scale == [2.0, 1.0, 3.0]
    convert(tmp_path / "in.mla", tmp_path / "back.nrrd")
    header = nrrd.read_header(str(tmp_path / "back.nrrd"))
    assert header["space"] == "left-posterior-superior-time"
    assert header["space directions"][3][3] == 1.5


@pytest.mark.parametrize(
    "fields",
    [
        "spacings: 2 1 3\n",
        "spacings: 2 1 3\naxis mins: 5 6 7\ncenterings: cell cell cell\n",
        "spacings: 2 1 3\naxis mins: 5 6 7\ncenterings: node node node\n",
    ],
)
def test_without_a_space_it_is_what_itk_says(fields: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.nrrd", fields)
    image, itk = converted(source), SimpleITK.ReadImage(str(source))
    assert image.meta.spatial.coord_system is None
    np.testing.assert_allclose(image.spacing, itk.GetSpacing())
    np.testing.assert_allclose(image.origin or [0, 0, 0], itk.GetOrigin())


@pytest.mark.parametrize(("center", "ends"), [("cell", "6 4 15"), ("node", "4 3 12")])
def test_spacing_from_the_ends_of_axes(center: str, ends: str, tmp_path: Path) -> None:
    # ITK leaves a spacing of 1 here; NRRD's definition of "axis mins" gives these.
    fields = f"axis mins: 0 0 0\naxis maxs: {ends}\ncenterings: {center} {center} {center}\n"
    image = converted(write(tmp_path / "in.nrrd", fields))
    assert image.spacing == [2.0, 1.0, 3.0]
    assert image.origin == ([1.0, 0.5, 1.5] if center == "cell" else [0.0, 0.0, 0.0])


def test_a_plane_in_space_gets_a_third_axis(tmp_path: Path) -> None:
    fields = (
        "space: left-posterior-superior\nspace origin: (1,2,3)\n"
        "space directions: (0,2,0) (0,0,-3)\n"
    )
    report = convert(
        write(tmp_path / "in.nrrd", fields, VOXELS[:, :, 0]), tmp_path / "image.mla"
    )
    assert report.notes == ("1 axis of length 1 added: the file is a plane in space",)
    image = MLArray(tmp_path / "image.mla")
    assert image.shape == (3, 4, 1)
    matrix = np.array(image.affine)[:3, :3]
    np.testing.assert_allclose(matrix[:, :2], [[0, 0], [2, 0], [0, -3]])
    np.testing.assert_allclose(matrix[:, 2], np.cross(matrix[:, 0], matrix[:, 1]) / 6)
    convert(tmp_path / "image.mla", tmp_path / "back.nrrd")
    back, header = nrrd.read(str(tmp_path / "back.nrrd"))
    np.testing.assert_array_equal(back, VOXELS[:, :, 0])
    np.testing.assert_array_equal(header["space directions"], [[0, 2, 0], [0, 0, -3]])


def test_the_way_back_restores_the_header(tmp_path: Path) -> None:
    fields = (
        SPACE + "space origin: (1,2,3)\nkinds: domain domain domain\nmeasurement frame: "
        "(1,0,0) (0,0,1) (0,1,0)\ncontent: a scan\nDWMRI_b-value:=1000\nencoding: bzip2\n"
    )
    data = bz2.compress(VOXELS.tobytes(order="F"))
    source = write(tmp_path / "in.nrrd", fields, data=data)
    converted(source)
    report = convert(tmp_path / "in.mla", tmp_path / "back.nrrd")
    assert report.notes == ()
    before, after = (nrrd.read_header(str(path)) for path in (source, tmp_path / "back.nrrd"))
    assert before.pop("type") == "short"
    assert after.pop("type") == "int16"  # the same by pynrrd's name
    assert set(before) == set(after)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


def test_edited_geometry_is_not_overwritten_by_the_old_header(tmp_path: Path) -> None:
    converted(write(tmp_path / "in.nrrd", SPACE + "content: a scan\n"))
    with MLArray.open(tmp_path / "in.mla", mmap="r+") as image:
        image.affine = np.diag([9.0, 8.0, 7.0, 1.0]).tolist()
    convert(tmp_path / "in.mla", tmp_path / "back.nrrd")
    header = nrrd.read_header(str(tmp_path / "back.nrrd"))
    np.testing.assert_array_equal(header["space directions"], np.diag([9.0, 8.0, 7.0]))
    assert header["content"] == "a scan"


def test_what_nrrd_cannot_hold_is_said(tmp_path: Path) -> None:
    image = MLArray(np.ones((2, 3), bool), spacing=(1, 2))
    image.meta.is_seg = True
    image.save(tmp_path / "mask.mla")
    report = convert(tmp_path / "mask.mla", tmp_path / "mask.nrrd")
    assert any("bool" in note for note in report.notes)
    assert any("is_seg" in note for note in report.notes)
    np.testing.assert_array_equal(nrrd.read(str(tmp_path / "mask.nrrd"))[0], np.ones((2, 3)))
    MLArray(np.ones((2, 3), np.complex64)).save(tmp_path / "complex.mla")
    with pytest.raises(UnsupportedError, match="complex64"):
        convert(tmp_path / "complex.mla", tmp_path / "complex.nrrd")
    assert not (tmp_path / "complex.nrrd").exists()


def test_bad_files(tmp_path: Path) -> None:
    target = tmp_path / "out.mla"
    short = write(tmp_path / "short.nrrd", SPACE, data=b"123")
    with pytest.raises(CorruptionError, match=r"short\.nrrd"):
        convert(short, target)
    (tmp_path / "text.nrrd").write_text("not an image")
    with pytest.raises(UnsupportedError, match="not a NRRD file"):
        convert(tmp_path / "text.nrrd", target)
    (tmp_path / "broken.nrrd").write_text("NRRD0004\nno colon here\n\n")
    with pytest.raises(CorruptionError, match=r"broken\.nrrd"):
        convert(tmp_path / "broken.nrrd", target)
    with pytest.raises(NotFoundError, match=r"missing\.nrrd"):
        convert(tmp_path / "missing.nrrd", target)
    lost = write(tmp_path / "lost.nhdr", SPACE + "data file: gone.raw\n")
    with pytest.raises(NotFoundError, match=r"gone\.raw.*data file of.*lost\.nhdr"):
        convert(lost, target)
    hexed = write(tmp_path / "hex.nrrd", SPACE + "encoding: hex\n")
    with pytest.raises(UnsupportedError, match="encoding 'hex'"):
        convert(hexed, target)
    many = write(tmp_path / "many.nhdr", SPACE + "data file: I.%03d 1 9 1\n")
    with pytest.raises(UnsupportedError, match="several files"):
        convert(many, target)
    assert not target.exists()


def test_without_pynrrd_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "scan.nrrd", SPACE)
    monkeypatch.setitem(sys.modules, "nrrd", None)
    with pytest.raises(MissingPackageError, match=r"pynrrd.*pip install 'mlarray\[convert\]'"):
        convert(source, tmp_path / "scan.mla")
