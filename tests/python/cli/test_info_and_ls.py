"""`mlarray info` and `mlarray ls`: what they say is what the file holds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlarray import Meta, MLArray
from mlarray.cli.main import main
from mlarray.orientation import orient


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """An oblique image in LPS with some of every kind of metadata."""
    c, s = math.cos(math.radians(10)), math.sin(math.radians(10))
    image = MLArray(
        np.zeros((6, 5, 4), np.int16),
        affine=[[-2 * c, -s, 0, 9], [2 * -s, c, 0, 8], [0, 0, 3, 7], [0, 0, 0, 1]],
        axis_labels=["spatial_x", "spatial_y", "spatial_z"],
        meta=Meta(source={"a": 1, "b": 2}, is_seg=False),
    )
    image.meta.spatial.coord_system = "LPS"
    image.meta.spatial.axis_units = ["mm"] * 3
    image.meta.extra["site"] = "A"
    image.meta.stats.mean = 1.5
    image.meta.bbox.bboxes = [[[0, 1], [0, 2], [0, 3]]]
    image.save(tmp_path / "scan.mla", chunk_size=(6, 5, 4), block_size=(3, 5, 4))
    return tmp_path / "scan.mla"


def rows(text: str) -> dict[str, str]:
    lines = text.splitlines()[1:]
    return dict(line.strip().split("  ", 1) for line in lines if line.strip())


def output(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


def test_info_says_it_all(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "info", scan)
    assert text.splitlines()[0] == str(scan)
    said = {name: value.strip() for name, value in rows(text).items()}
    size = scan.stat().st_size
    assert said["shape"] == "6 x 5 x 4"
    assert said["dtype"] == "int16"
    spacing = [float(text) for text in said["spacing"].removesuffix(" mm").split(",")]
    assert spacing == MLArray(scan).scale == pytest.approx([2, 1, 3])
    assert said["origin"] == "9, 8, 7 mm"
    assert said["orientation"] == "RPS oblique by 10 degrees, positions in LPS"
    assert said["chunks"] == "6 x 5 x 4, in blocks of 3 x 5 x 4"
    assert said["codec"].startswith("lz4")
    assert said["codec"].endswith("filter: shuffle")
    assert said["size"] == f"{size} B for 240 B, ratio {240 / size:.2f}"
    assert said["seal"].startswith("valid")
    assert said["source"] == "2 fields"
    assert said["extra"] == "1 field"
    assert said["stats"] == "mean 1.5"
    assert said["boxes"] == "1 box"
    assert said["segmentation"] == "no"


def test_info_names_the_index_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1, 1, :3] = 2
    path = tmp_path / "seg.mla"
    MLArray(labels).save(path)
    assert "class index" not in output(capsys, "info", path)
    assert json.loads(output(capsys, "info", "--json", path))["class_index"] is None
    MLArray(labels).save(path, label_index=True)
    assert "class index  2 classes, 3 positions\n" in output(capsys, "info", path)
    assert json.loads(output(capsys, "info", "--json", path))["class_index"] == [
        {"labels": [0], "voxels": 61, "positions": 0},
        {"labels": [2], "voxels": 3, "positions": 3},
    ]


def test_numbers_are_not_rounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spacing, origin = (0.1 + 0.2, 1 / 3, 2.0), (1234567.891, -1e22, 5e-324)
    image = MLArray(np.zeros((3, 4, 5)), spacing=spacing, origin=origin)
    image.meta.stats.mean = 12345678.9
    image.meta.stats.max = 2**70 + 1
    image.save(tmp_path / "a.mla")
    said = rows(output(capsys, "info", tmp_path / "a.mla"))
    for name, numbers in (("spacing", spacing), ("origin", origin)):
        assert [float(text) for text in said[name].split(",")] == list(numbers)
    assert said["spacing"].split(", ")[2] == "2"
    stats = dict(item.split() for item in said["stats"].split(","))
    assert float(stats["mean"]) == 12345678.9
    assert int(stats["max"]) == 2**70 + 1
    c, s = math.cos(0.3), math.sin(0.3)
    turned = MLArray(image, spacing=(2, 0.7, 3), direction=[[c, -s, 0], [s, c, 0], [0, 0, 1]])
    assert turned.scale != [2, 0.7, 3]  # but for rounding
    turned.save(tmp_path / "b.mla")
    said = rows(output(capsys, "info", tmp_path / "b.mla"))
    assert said["spacing"].split() == ["2,", "0.7,", "3"]
    listed = output(capsys, "ls", tmp_path).splitlines()[1]
    assert "0.30000000000000004, 0.3333333333333333, 2 " in listed


def test_info_as_json(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = json.loads(output(capsys, "info", "--json", scan))
    assert info["path"] == str(scan)
    assert info["shape"] == [6, 5, 4]
    assert info["voxel_bytes"] == 240
    assert info["orientation"] == "RPS"
    assert info["oblique_degrees"] == pytest.approx(10)
    np.testing.assert_allclose(info["spacing"], (2, 1, 3))
    assert len(json.loads(output(capsys, "info", "--json", scan, scan))) == 2


def test_an_image_that_says_nothing_of_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MLArray(np.zeros((3, 4), ">f4")).save(tmp_path / "a.mla")
    said = rows(output(capsys, "info", tmp_path / "a.mla"))
    assert "spacing" not in said
    assert "orientation" not in said
    assert said["dtype"].strip() == "float32 (big-endian)"
    MLArray(np.zeros((3, 4)), spacing=(1, 2)).save(tmp_path / "b.mla")
    said = rows(output(capsys, "info", tmp_path / "b.mla"))
    assert said["orientation"].strip() == "not known (coord_system is not set)"


def test_an_unsealed_file_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    golden = Path(__file__).resolve().parents[2] / "data" / "golden"
    path = next((golden / "0.0.54").glob("*.mla"))
    assert rows(output(capsys, "info", path))["seal"].strip().startswith("none: written or")


@pytest.mark.parametrize(
    ("affine", "labels", "frame", "codes"),
    [
        (np.eye(4), None, "RAS", "RAS"),
        (np.diag([-1, -1, 1, 1]), None, "RAS+", "LPS"),
        (np.eye(4), None, "LPS+", "LPS"),
        ([[0, 0, 2, 0], [-1, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 1]], None, "RAS", "PSR"),
        (np.eye(4), ["spatial_z", "spatial_y", "spatial_x"], "RAS", "SAR"),
        (np.eye(3), None, "RAS", "RA"),
        (np.eye(3), ["spatial_z", "spatial_x"], "LPS", "SL"),
        (np.diag([-1, 1, 1]), ["spatial_y", "spatial_z"], "RAS", "PS"),
        ([[0, -2, 5], [3, 0, 5], [0, 0, 1]], ["spatial_z", "spatial_y"], "LPS", "PI"),
        (np.diag([-2, 1]), ["spatial_z"], "RAS", "I"),
        (np.eye(4), None, "lps", "LPS"),
        (np.eye(4), None, "Left-Posterior-Superior", "LPS"),
    ],
)
def test_orientation(affine: object, labels: object, frame: str, codes: str) -> None:
    found = orient(np.asarray(affine, float).tolist(), labels, frame)
    assert found is not None
    assert found.codes == codes
    assert found.degrees == 0


def test_orientation_is_nibabels() -> None:
    import nibabel

    rng = np.random.default_rng(5)
    for _ in range(200):
        matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        affine = np.eye(4)
        affine[:3, :3] = matrix * rng.uniform(0.5, 3, 3)
        found = orient(affine.tolist(), None, "RAS")
        assert found is not None
        assert tuple(found.codes) == nibabel.aff2axcodes(affine)


def test_orientation_of_sheared_axes_is_nibabels() -> None:
    import nibabel

    # The second axis leans so far that its largest cosine is along x.
    leaning = [[1, 0.8, 0, 0], [0, 0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    rng = np.random.default_rng(6)
    affines = [np.array(leaning)]
    for _ in range(500):
        affine = np.eye(4)
        affine[:3] = rng.normal(size=(3, 4)) * 10.0 ** rng.integers(-3, 4, 4)
        affines.append(affine)
    for affine in affines:
        found = orient(affine.tolist(), None, "RAS")
        assert found is not None
        assert tuple(found.codes) == nibabel.aff2axcodes(affine), affine


def test_orientation_of_axes_that_share_a_direction() -> None:
    import nibabel

    for matrix in ([[1, 1], [0, 0]], [[1, 1], [2, 2]], [[1, -1], [1, -1]]):
        affine = np.eye(4)
        affine[:2, :2] = matrix
        theirs = nibabel.aff2axcodes(affine)
        ours = orient(affine.tolist(), None, "RAS")
        assert (None if None in theirs else "".join(theirs)) == (ours and ours.codes)


def test_orientation_unknown() -> None:
    assert orient(np.eye(4).tolist(), None, None) is None
    assert orient(np.eye(4).tolist(), None, "scanner-xyz") is None
    assert orient(np.zeros((4, 4)).tolist(), None, "RAS") is None
    assert orient(np.eye(5).tolist(), None, "RAS") is None


def test_ls_is_a_line_per_image(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = scan.parent
    MLArray(np.zeros((300, 200), np.uint8)).save(folder / "a_longer_name.mla")
    (folder / "below").mkdir()
    MLArray(np.zeros((2, 2))).save(folder / "below" / "deep.mla")
    (folder / "notes.txt").write_text("no image")
    lines = output(capsys, "ls", folder).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == [
        *("name", "shape", "dtype", "spacing", "orientation", "size", "ratio"),
    ]
    assert "a_longer_name.mla" in lines[1]
    assert "scan.mla" in lines[2]
    assert "RPS oblique" in lines[2]
    column = lines[0].index("shape")
    assert lines[1][column:].startswith("300 x 200 ")
    assert lines[2][column:].startswith("6 x 5 x 4 ")
    assert len({len(line) for line in lines}) == 1
    assert "deep.mla" in output(capsys, "ls", "-r", folder)


def test_ls_says_which_files_are_damaged(
    scan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scan.parent
    (folder / "damaged.mla").write_bytes(scan.read_bytes()[:-100])
    lines = output(capsys, "ls", folder, code=1).splitlines()
    assert len(lines) == 3
    assert "damaged.mla  error: " in lines[1]
    assert "scan.mla" in lines[2]
    assert "int16" in lines[2]
    items = json.loads(output(capsys, "ls", "--json", folder, code=1))
    assert [Path(item["path"]).name for item in items] == ["damaged.mla", "scan.mla"]
    assert "error" in items[0]
    assert items[1]["dtype"] == "<i2"


def test_ls_of_an_empty_and_of_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert output(capsys, "ls", tmp_path) == ""
    assert main(["ls", str(tmp_path / "missing")]) == 1
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["info"], ["ls"], ["convert", "--help"]])
def test_nothing_heavy_is_imported(arguments: list[str], scan: Path) -> None:
    paths = [str(scan)] if arguments[0] in ("info", "ls") else []
    code = (
        "import sys\nfrom mlarray.cli.main import main\ntry:\n"
        f"    main({[*arguments, *paths]!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'nibabel', 'nrrd', 'multiprocessing.pool'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stderr == "[]\n"
