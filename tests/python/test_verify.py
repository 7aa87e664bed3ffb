"""Damage is found wherever voxels are decoded, and reported; docs/integrity.md."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mlarray
from mlarray import MLArray
from mlarray.cli.main import main
from mlarray.errors import CorruptionError, InvalidUseError

ROOT = Path(__file__).resolve().parents[2]
VOXELS = (np.arange(17 * 19 * 23) % 251).astype("i2").reshape(17, 19, 23)
LAYOUT = {"chunk_size": (8, 8, 8), "block_size": (4, 4, 8)}


def make(path: Path) -> Path:
    """Write a file that is stored without compression: a changed byte is a changed voxel."""
    MLArray(VOXELS, meta={"a": 1}).save(path, cparams={"clevel": 0}, **LAYOUT)
    return path


def flip(path: Path, at: int) -> None:
    """Change one bit."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def damage_voxel(path: Path) -> None:
    """Change the last voxel of the first block of the file."""
    header_len = int.from_bytes(path.read_bytes()[11:15], "big")
    flip(path, header_len + 32 + 4 * 4 * 8 * 2 - 1)


def run(code: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code on a file, with more environment."""
    return subprocess.run(
        [sys.executable, "-c", f"import mlarray, sys; path = sys.argv[1]; {code}", str(path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    path = make(tmp_path / "a.mla")
    damage_voxel(path)
    return path


def test_damage_is_an_error_that_says_what_and_where(damaged: Path) -> None:
    with MLArray.open(damaged) as image:
        with pytest.raises(CorruptionError) as caught:
            image[0:2]
        np.testing.assert_array_equal(image[8:], VOXELS[8:])
    text = str(caught.value)
    for part in (str(damaged), "chunk 0, block 0", "(0, 0, 0) to (4, 4, 8)", "verify=False"):
        assert part in text


def test_every_way_to_the_voxels_verifies(damaged: Path, tmp_path: Path) -> None:
    with pytest.raises(CorruptionError):
        MLArray.load(damaged)[...]
    with pytest.raises(CorruptionError):
        MLArray(damaged, compressed=False)
    with MLArray.open(damaged) as image, pytest.raises(CorruptionError):
        image.save(tmp_path / "copy.mla")
    with MLArray.open(damaged, mmap="r+") as image, pytest.raises(CorruptionError):
        image[1, 1, 1] = 5
    assert not (tmp_path / "copy.mla").exists()


def test_it_is_switched_off_per_call(damaged: Path) -> None:
    expected = VOXELS.copy()
    expected[3, 3, 7] ^= 1 << 8
    with MLArray.open(damaged, verify=False) as image:
        np.testing.assert_array_equal(image[...], expected)
        again = pickle.loads(pickle.dumps(image))
    np.testing.assert_array_equal(again[...], expected)
    np.testing.assert_array_equal(MLArray.load(damaged, verify=False)[...], expected)
    np.testing.assert_array_equal(MLArray(damaged, verify=False)[...], expected)


def test_it_is_switched_off_per_process(damaged: Path) -> None:
    assert mlarray.verification()
    mlarray.set_verification(False)
    try:
        MLArray.open(damaged)[...]
        with pytest.raises(CorruptionError):
            MLArray.open(damaged, verify=True)[...]
    finally:
        mlarray.set_verification(True)
    with pytest.raises(CorruptionError):
        MLArray.open(damaged)[...]


def test_it_is_switched_off_by_the_environment(damaged: Path) -> None:
    read = "mlarray.MLArray.open(path)[...]"
    assert run(read, damaged, MLARRAY_VERIFY="0").returncode == 0
    assert "CorruptionError" in run(read, damaged, MLARRAY_VERIFY="1").stderr
    assert "CorruptionError" in run(read, damaged).stderr
    later = f"mlarray.set_verification(True); {read}"
    assert "CorruptionError" in run(later, damaged, MLARRAY_VERIFY="0").stderr
    wrong = run(read, damaged, MLARRAY_VERIFY="maybe").stderr
    assert "MLARRAY_VERIFY is 'maybe', but must be 0 or 1" in wrong


def test_verify_is_not_for_creating(tmp_path: Path) -> None:
    with pytest.raises(InvalidUseError, match="existing file"):
        MLArray.open(tmp_path / "n.mla", mode="w+", shape=(3,), dtype="u1", verify=True)


def test_damaged_metadata_is_never_returned(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mla")
    data = path.read_bytes()
    flip(path, data.index(b"\x1f\x8b") + 12)  # in the gzip stream
    with pytest.raises(CorruptionError, match="seal"):
        MLArray.open(path)
    with MLArray.open(path, verify=False) as image:
        np.testing.assert_array_equal(image[...], VOXELS)
        with pytest.raises(CorruptionError):
            _ = image.meta


def test_the_report_of_a_good_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mla")
    with MLArray.open(path) as image:
        report = image.verify()
    assert report == mlarray.verify_file(path, num_threads=2)
    assert (report.status, report.seal, report.path) == ("verified", "valid", str(path))
    assert (report.chunks, report.blocks, report.verified_blocks) == (27, 108, 108)
    assert report.damage == ()


def test_the_report_lists_every_damaged_box(damaged: Path) -> None:
    report = mlarray.verify_file(damaged, decode=False)
    assert report.status == "damaged"
    assert (report.damaged_blocks, report.verified_blocks) == (1, 107)
    (damage,) = report.damage
    assert (damage.chunk, damage.block) == (0, 0)
    assert damage.box == (slice(0, 4), slice(0, 4), slice(0, 8))
    flip(damaged, damaged.stat().st_size - 1)
    with_seal = mlarray.verify_file(damaged)
    assert with_seal.seal == "broken"
    assert [item.chunk for item in with_seal.damage] == [None, 0]


def test_a_numpy_array_has_nothing_to_verify() -> None:
    with pytest.raises(InvalidUseError, match="nothing to verify"):
        MLArray(VOXELS).verify()


# --- the command --------------------------------------------------------------------------


def test_command_says_what_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "a.mla")
    (tmp_path / "deep").mkdir()
    make(tmp_path / "deep" / "b.mla")
    assert main(["verify", str(tmp_path), "-j", "2"]) == 0
    out = capsys.readouterr().out
    assert "a.mla" in out
    assert "b.mla" not in out
    assert "1 verified" in out
    assert main(["verify", "-r", "--fast", str(tmp_path)]) == 0
    assert "2 verified" in capsys.readouterr().out


def test_command_lists_damage(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = make(damaged.with_name("good.mla"))
    assert main(["verify", str(good), str(damaged)]) == 1
    out = capsys.readouterr().out
    assert "voxels (0, 0, 0) to (4, 4, 8)" in out
    assert "1 verified, 1 damaged" in out
    assert main(["verify", str(good.with_name("none.mla"))]) == 1
    assert "no such file" in capsys.readouterr().err


def test_command_speaks_json(damaged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--json", str(damaged)]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["status"] == "damaged"
    assert report["damage"][0]["start"] == [0, 0, 0]
    assert report["damage"][0]["stop"] == [4, 4, 8]


def test_command_tells_files_of_other_writers(capsys: pytest.CaptureFixture[str]) -> None:
    golden = ROOT / "tests" / "data" / "golden" / "0.0.54" / "2d.mla"
    assert main(["verify", str(golden)]) == 3
    assert "another writer's file" in capsys.readouterr().out
    assert main(["verify", "--accept-unverified", str(golden)]) == 0


def test_command_without_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 1
    assert "-r" in capsys.readouterr().err


# --- the damage campaign ------------------------------------------------------------------


def campaign(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a slice of what `make damage` runs."""
    return subprocess.run(
        [sys.executable, str(ROOT / "tests" / "damage" / "campaign.py"), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.timeout(300)
def test_damaged_copies_are_never_silently_wrong() -> None:
    result = campaign("--ours", "400", "--others", "400", "--jobs", "2", "--seed", "7")
    assert result.returncode == 0, result.stdout + result.stderr
    for kind in ("ours", "others"):
        assert f"{kind}: 400 damaged copies" in result.stdout


@pytest.mark.timeout(300)
def test_the_campaign_finds_wrong_voxels() -> None:
    """Without verification there are some: the test above can fail."""
    result = campaign("--ours", "150", "--others", "0", "--jobs", "2", MLARRAY_VERIFY="0")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "wrong ours:" in result.stdout
