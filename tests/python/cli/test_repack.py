"""`mlarray repack` and `mlarray.repack`: another packing, nothing else, never half of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import mlarray
from mlarray import MLArray
from mlarray.cli.main import main
from mlarray.errors import CorruptionError, InvalidUseError

PROGRAM = [sys.executable, "-m", "mlarray.cli.main", "repack"]
VOXELS = (
    np.arange(40 * 41 * 42).reshape(40, 41, 42) // 50
    + np.random.default_rng(0).integers(0, 9, (40, 41, 42))
).astype("i2")


def make(path: Path, **options: object) -> Path:
    image = MLArray(VOXELS, spacing=(2.5, 0.7, 0.7), meta={"patient": "7", "list": [1, 2.0]})
    image.meta.extra["site"] = {"name": "A", "nan": float("nan")}
    image.meta.stats.mean = 3.5
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    return make(tmp_path / "scan.mla", chunk_size=(16, 20, 24), block_size=(8, 10, 12))


def facts(path: Path) -> tuple[object, ...]:
    with MLArray.open(path) as image:
        core = image._store.opened()
        tree = image.meta.to_mapping()
        tree.pop("blosc2", None)
        return core.codec.codec, core.chunks, core.blocks, repr(tree)


def test_the_same_image_in_fewer_bytes(scan: Path) -> None:
    before = facts(scan)
    mode = scan.stat().st_mode
    report = mlarray.repack(scan, preset="small")
    assert report.path == str(scan)
    assert report.bytes_after == scan.stat().st_size < report.bytes_before
    after = facts(scan)
    assert np.array_equal(MLArray(scan).to_numpy(), VOXELS)
    assert after[3] == before[3]
    assert before[0] == 2
    assert after[0] == 5
    # No patch is known of a file with sizes of its own: they are kept.
    assert after[1:3] == before[1:3] == (report.chunks, report.blocks)
    assert scan.stat().st_mode == mode
    assert [path.name for path in scan.parent.iterdir()] == ["scan.mla"]
    assert mlarray.verify_file(scan).status == "verified"


def test_the_patch_that_a_file_was_made_for_is_kept(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mla", patch_size=16)
    before = facts(path)
    mlarray.repack(path, preset="balanced")
    with MLArray.open(path) as image:
        assert image.meta.blosc2.patch_size == [16, 16, 16]
    assert facts(path)[1:] == before[1:]
    mlarray.repack(path, patch_size=32)
    with MLArray.open(path) as image:
        assert image.meta.blosc2.patch_size == [32, 32, 32]
    assert facts(path)[0] == 2  # fast, where nothing is said


def test_a_damaged_file_is_left_as_it_is(scan: Path) -> None:
    data = bytearray(scan.read_bytes())
    data[len(data) // 2] ^= 1
    scan.write_bytes(data)
    with pytest.raises(CorruptionError, match=r"scan\.mla"):
        mlarray.repack(scan, preset="small")
    assert scan.read_bytes() == data
    assert len(list(scan.parent.iterdir())) == 1


def test_a_file_that_another_process_edits_is_busy(scan: Path) -> None:
    code = """import mlarray, sys
image = mlarray.MLArray.open(sys.argv[1], mmap="r+")
print("open", flush=True)
input()"""
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(scan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    before = scan.read_bytes()
    assert main(["repack", str(scan)]) == 1
    writer.communicate("\n")
    assert scan.read_bytes() == before
    assert main(["repack", str(scan)]) == 0


def test_a_killed_repack_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    big = np.tile(VOXELS, (4, 3, 3))
    MLArray(big).save(path)
    for delay in (0.0, 0.02, 0.05, 0.1, 0.3):
        code = """import mlarray, sys
print("begun", flush=True)
mlarray.repack(sys.argv[1], preset="small")"""
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert mlarray.verify_file(path).status == "verified"
        assert np.array_equal(MLArray(path).to_numpy(), big)


def test_what_changes_while_it_is_saved_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    voxels = np.zeros((64, 64, 64), "i2")
    MLArray(voxels).save(path, verify=True)
    before = path.read_bytes()
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            np.add(voxels, 1, out=voxels)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with pytest.raises(CorruptionError, match="did not read back"):  # noqa: PT012
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                path.write_bytes(before)
                MLArray(voxels).save(path, verify=True)
    finally:
        stop.set()
        thread.join()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "voxels",
    [
        np.zeros((0, 3)),
        np.array(5, "u1"),
        np.full((9, 9), np.nan, "f4"),
        np.zeros((30, 30, 30), "f8"),
        np.zeros(5, [("a", "i2"), ("b", "f4")]),
        np.array(["a", "bcd"]),
    ],
)
def test_all_kinds_of_arrays(tmp_path: Path, voxels: np.ndarray) -> None:
    path = tmp_path / "a.mla"
    MLArray(voxels).save(path, verify=True)
    mlarray.repack(path, preset="small")
    again = MLArray(path).to_numpy()
    assert again.dtype == voxels.dtype
    assert again.tobytes() == voxels.tobytes()


def test_a_folder(tmp_path: Path) -> None:
    for name in ("a.mla", "b.mla", "below/c.mla"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        make(tmp_path / name)
    MLArray(VOXELS).save(tmp_path / "d.b2nd")
    (tmp_path / "b.mla").write_bytes(b"junk")
    command = [*PROGRAM, "-r", "-j", "2", "--json", "--preset", "small", "--patch", "16"]
    done = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    reports = {Path(item["path"]).name: item for item in json.loads(done.stdout)}
    assert sorted(reports) == ["a.mla", "b.mla", "c.mla"]
    assert "error" in reports["b.mla"]
    assert reports["c.mla"]["bytes_after"] < reports["c.mla"]["bytes_before"]
    assert "mlarray: 1 of 3 files failed" in done.stderr
    assert done.stderr.count("/3] ") == 3
    with MLArray.open(tmp_path / "below" / "c.mla") as image:
        assert image.meta.blosc2.patch_size == [16, 16, 16]


def test_the_line_of_a_file(scan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["repack", "--codec", "zstd", "--level", "9", str(scan)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{scan}: ")
    assert "%), chunks 16 x 20 x 24, blocks 8 x 10 x 12\n" in out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["a.b2nd"], "only .mla files are repacked"),
        (["missing.mla"], "missing.mla"),
        (["--preset", "small", "--level", "3", "a.mla"], "leave one out"),
        (["--chunk-size", "8,8,8", "a.mla"], "block"),
        (["empty"], "no .mla or .b2nd files"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("empty")
    make(Path("a.mla"))
    MLArray(VOXELS).save("a.b2nd")
    before = Path("a.mla").read_bytes()
    assert main(["repack", *arguments]) == 1
    captured = capsys.readouterr()
    assert text in captured.err
    assert captured.err.count("\n") == 1
    assert Path("a.mla").read_bytes() == before


def test_in_python_only_mla_files(tmp_path: Path) -> None:
    MLArray(VOXELS).save(tmp_path / "a.b2nd")
    with pytest.raises(InvalidUseError, match=r"a\.b2nd.*open it and save it as \.mla"):
        mlarray.repack(tmp_path / "a.b2nd")
