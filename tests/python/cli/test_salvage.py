"""`mlarray salvage BAD GOOD`: what it prints, writes, and its exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.cli.main import main

PROGRAM = [sys.executable, "-m", "mlarray.cli.main", "salvage"]


@pytest.fixture
def damaged(saved: Path) -> Path:
    data = bytearray(saved.read_bytes())
    data[5000:5300] = bytes(300)
    saved.write_bytes(data)
    return saved


def test_a_whole_file(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.mla"
    assert main(["salvage", str(saved), str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{saved} -> {good}"
    assert lines[1:] == [
        "  state     0 of 1 (0 is the newest), sealed",
        f"  voxels    {37 * 53 * 41} verified",
        "  metadata  verified",
    ]
    assert good.exists()


def test_a_damaged_file(
    damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.mla"
    assert main(["salvage", "--fill", "-5", str(damaged), str(good)]) == 4
    text = capsys.readouterr().out
    assert " lost (" in text
    assert "its checksum is wrong: voxels (" in text
    with MLArray.open(good) as image:
        assert (image[...] == -5).any()


def test_a_dry_run(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(damaged.parent.iterdir())
    assert main(["salvage", "--dry-run", str(damaged)]) == 4
    assert capsys.readouterr().out.startswith(f"{damaged}, nothing written\n")
    assert main(["salvage", "--dry-run", str(damaged), "ignored.mla"]) == 4
    assert sorted(damaged.parent.iterdir()) == names


def test_json(damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.mla"
    assert main(["salvage", "--json", str(damaged), str(good)]) == 4
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "lost"
    assert report["good"] == str(good)
    assert report["lost"][0]["start"]
    assert 0 < report["lost_share"] < 1


def test_a_file_without_a_seal(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    MLArray(np.arange(1000, dtype="i4").reshape(10, 100)).save(path)
    data = bytearray(path.read_bytes())
    end = int.from_bytes(data[16:24], "big")
    data[end - 17 : end] = bytes(17)  # as other writers leave it
    path.write_bytes(data)
    # The sums still fit, but nothing covers shape and metadata.
    assert main(["salvage", "--dry-run", str(path)]) == 3


def test_errors(damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        ([str(damaged)], "--dry-run"),
        ([str(damaged), str(damaged)], "the damaged file"),
        ([str(damaged), str(tmp_path / "x.txt")], ".mla or .b2nd"),
        ([str(tmp_path / "missing.mla"), str(tmp_path / "x.mla")], "check the path"),
        (["--fill", "1e9", str(damaged), str(tmp_path / "x.mla")], "from -32768 to 32767"),
        (["--state", "7", str(damaged), str(tmp_path / "x.mla")], "no state 7"),
    ):
        assert main(["salvage", *arguments]) == 1
        error = capsys.readouterr().err
        assert error.startswith("mlarray: error: ")
        assert error.count("\n") == 1
        assert said in error
    assert not (tmp_path / "x.mla").exists()


@pytest.mark.parametrize("arguments", [["--fill", "red"], ["--state", "-1"], ["-j", "0"]])
def test_wrong_usage(arguments: list[str], damaged: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["salvage", *arguments, str(damaged)])
    assert caught.value.code == 2


def test_order_like_and_state(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.mla"
    cut.write_bytes(saved.read_bytes()[:20000])
    assert main(["salvage", "--dry-run", str(cut)]) == 1
    assert "--assume-order" in capsys.readouterr().err
    assert main(["salvage", "--assume-order", str(cut), str(tmp_path / "a.mla")]) == 4
    assert "none: chunks in the order of the file" in capsys.readouterr().out
    headless = tmp_path / "headless.mla"
    headless.write_bytes(bytes(300) + saved.read_bytes()[300:])
    assert main(["salvage", "--dry-run", str(headless)]) == 1
    assert "--like" in capsys.readouterr().err
    code = main(["salvage", "--like", str(saved), str(headless), str(tmp_path / "b.mla")])
    assert code in (0, 4)  # 300 bytes may reach into the first chunk
    assert main(["salvage", "--state", "0", str(saved), str(tmp_path / "c.mla")]) == 0


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    path, good = tmp_path / "large.mla", tmp_path / "good.mla"
    noise = np.random.default_rng(0).integers(0, 2**15, (220, 220, 220), "i2")
    MLArray(noise).save(path, chunk_size=(4, 220, 220), block_size=(4, 55, 220))
    process = subprocess.Popen(
        [*PROGRAM, str(path), str(good)], stderr=subprocess.PIPE, text=True
    )
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    if process.returncode != 0:
        assert process.returncode in (130, -signal.SIGINT)
        if good.exists():  # the signal came after the last step
            with MLArray.open(good, verify=True) as image:
                assert (image[...] == noise).all()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []
    assert "Traceback" not in error or process.returncode == -signal.SIGINT
