"""`mlarray bench-loader`: figures of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.cli.main import main


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            voxels = np.zeros((20, 20, 20), np.uint8)
            voxels[4:6] = 1
            MLArray(voxels).save(tmp_path / folder / f"{number}.mla", patch_size=8)
    return str(tmp_path / "images"), str(tmp_path / "labels")


def test_the_table(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = folders
    command = ["bench-loader", images, "--labels", labels, "--samples", "20", "-j", "2"]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 cases, patches of 8 x 8 x 8, batches of 2, 2 threads\n")
    assert {line.split(" ")[0] for line in out.splitlines()} >= {"draw", "read", "convert"}
    assert err == ""


def test_json_and_options(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--patch", "4,6,8", "--batch", "3", "--samples", "10", "--json", "-q"]
    assert main(["bench-loader", folders[0], *options]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["patch_size"] == [4, 6, 8]
    assert figures["samples"] == 9
    assert figures["samples_per_second"] > 0
    assert figures["thread_seconds"]["read"] > 0
    assert 0 < figures["seconds_to_first_batch"] <= figures["seconds"]


def test_a_picture(folders: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    svg = tmp_path / "times.svg"
    command = ["bench-loader", folders[0], "--patch", "8", "--samples", "4", "--svg", str(svg)]
    assert main(command) == 0
    text = svg.read_text("utf-8")
    assert "Patches of 8 x 8 x 8" in text
    assert "decoding" in text


def test_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench-loader", str(tmp_path / "none"), "--patch", "8"]) == 1
    assert "there is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["bench-loader", str(tmp_path), "--patch", "0"])
    assert "patch size" in capsys.readouterr().err
