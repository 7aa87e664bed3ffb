"""`mlarray tune` and `mlarray.tune`: it tries, changes nothing unasked, and then rewrites."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import numpy as np
import pytest

import mlarray
from mlarray import MLArray
from mlarray.cli._tradeoff import Point, draw, on_the_edge
from mlarray.cli.main import main
from mlarray.errors import CorruptionError, InvalidUseError, NotFoundError
from mlarray.tools.tune import _best

VOXELS = (
    np.arange(60 * 61 * 62).reshape(60, 61, 62) // 50
    + np.random.default_rng(0).integers(0, 9, (60, 61, 62))
).astype("i2")


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.mla"
    image = MLArray(VOXELS, spacing=(2, 1, 1), meta={"a": 1})
    image.save(path, chunk_size=(30, 30, 30), block_size=(10, 10, 30))
    return path


def test_choices_are_measured_and_nothing_is_changed(scan: Path) -> None:
    before = scan.read_bytes()
    shares: list[float] = []
    found = mlarray.tune(scan, 24, seconds=0.2, num_threads=1, progress=shares.append)
    assert scan.read_bytes() == before
    assert list(scan.parent.iterdir()) == [scan]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert found.files == (str(scan),)
    assert {choice.preset for choice in found.choices} == {"fast", "balanced", "small"}
    layouts = {choice.layout: choice for choice in found.choices}
    assert {"for 24", "blocks of 16"} <= set(layouts)
    assert layouts["blocks of 16"].blocks == (16, 16, 16)
    # A file is 1 in its own packing, and what the library would save for a patch is tried.
    (same,) = [c for c in found.choices if c.preset == "fast" and c.layout == "as it is"]
    assert same.size == pytest.approx(1, abs=0.05)
    rates = [choice.patches_per_second for choice in found.choices]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) > 0
    assert len({(c.preset, c.chunks, c.blocks) for c in found.choices}) == len(found.choices)


@pytest.mark.parametrize("choice_number", [0, -1])
def test_what_a_choice_says_is_what_repack_makes(scan: Path, choice_number: int) -> None:
    found = mlarray.tune(scan, 24, seconds=0)
    for layout in {choice.layout for choice in found.choices}:
        choice = [c for c in found.choices if c.layout == layout][choice_number]
        report = mlarray.repack(scan, **choice.options)
        if layout != "as it is":  # of which there may be another one by now
            assert (report.chunks, report.blocks) == (choice.chunks, choice.blocks)


def test_the_best_by_goal(scan: Path) -> None:
    choice = mlarray.tune(scan, 24, seconds=0).choices[0]
    fast, near, balanced, small = (
        choice._replace(patches_per_second=speed, size=size)
        for speed, size in ((1000, 1.0), (980, 0.9), (900, 0.5), (100, 0.49))
    )
    choices = [fast, near, balanced, small]
    assert _best(choices, "fast") == near  # as fast, and smaller
    assert _best(choices, "balanced") == balanced
    assert _best(choices, "small") == balanced  # as small, and faster
    assert _best([fast, small], "small") == small


def test_a_folder_is_tried_in_part_and_rewritten_in_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(5):
        MLArray(VOXELS + i, meta={"number": i}).save(tmp_path / f"{i}.mla")
    svg = tmp_path / "tradeoff.svg"
    command = ["tune", "--patch", "24", "--seconds", "0.1", "--goal", "small", "-q"]
    assert main([*command, "--apply", "--json", "--svg", str(svg), str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["files"]) == 3
    assert [Path(item["path"]).name for item in report["applied"]] == [
        f"{i}.mla" for i in range(5)
    ]
    least = min(choice["size"] for choice in report["choices"])
    assert least <= report["best"]["size"] <= 1.03 * least
    for i, item in enumerate(report["applied"]):
        assert item["chunks"] == report["best"]["chunks"]
        assert np.array_equal(MLArray(item["path"]).to_numpy(), VOXELS + i)
        assert MLArray(item["path"]).meta.source["number"] == i
    assert ET.parse(svg).getroot().tag.endswith("svg")


def test_the_table_and_the_plot(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--patch", "24", "--seconds", "0", str(scan)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "patches of 24, from parts of 1 file"
    rows = lines[3 : lines.index("", 3)]
    assert rows[0].startswith("A* ")  # the fastest is beaten by none
    assert lines[-1].startswith("best (fast): ")


def test_labels_and_other_axes(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    image = MLArray(np.zeros((2, 40, 41), "u1"), axis_labels=["channel", "spatial", "spatial"])
    image.save(path)
    found = mlarray.tune(path, 16, seconds=0)
    assert all(choice.blocks[0] == 1 for choice in found.choices if "blocks" in choice.layout)
    for choice in found.choices:
        mlarray.repack(path, **choice.options)


def test_a_plot_shows_every_point_and_who_is_beaten(tmp_path: Path) -> None:
    points = [Point(1.0, 10.0, "a"), Point(0.5, 5.0, "<b>"), Point(1.0, 5.0, "c")]
    assert on_the_edge(points) == [True, True, False]
    draw(points, "t", "<x>", "y", tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    assert ET.fromstring(text).tag.endswith("svg")
    assert all(f"{name}  {point.label}" in unescape(text) for name, point in zip("ABC", points))


def test_a_plot_without_matplotlib(
    scan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is refused before anything is measured."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("mlarray.tools.tune.tune", lambda *_, **__: pytest.fail("measured"))
    assert main(["tune", "--patch", "24", "--svg", "plot.svg", str(scan)]) == 1
    assert "needs matplotlib" in (text := capsys.readouterr().err)
    assert "pip install 'mlarray[plot]'" in text


def test_errors(scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        InvalidUseError, match="goal='best' is not one of fast, balanced, small"
    ):
        mlarray.tune(scan, 24, goal="best")
    with pytest.raises(InvalidUseError, match="patch_size=0 is below 1"):
        mlarray.tune(scan, 0)
    with pytest.raises(InvalidUseError, match="at least one file"):
        mlarray.tune([], 24)
    with pytest.raises(NotFoundError):
        mlarray.tune(tmp_path / "missing.mla", 24)
    MLArray(np.zeros((0, 4))).save(tmp_path / "empty.mla")
    with pytest.raises(InvalidUseError, match=r"empty\.mla.* has the shape \(0, 4\)"):
        mlarray.tune(tmp_path / "empty.mla", 24)
    data = bytearray(scan.read_bytes())
    data[len(data) // 2] ^= 1
    scan.write_bytes(data)
    with pytest.raises(CorruptionError, match=r"scan\.mla"):
        mlarray.tune(scan, 24)
    assert main(["tune", "--patch", "24", str(tmp_path / "none.mla")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        main(["tune", "--patch", "none", str(scan)])
    assert stop.value.code == 2
