"""`mlarray.salvage`: what is left of a damaged file, ours or another writer's."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlarray
from mlarray import MLArray
from mlarray.errors import (
    CorruptionError,
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    NotFoundError,
    UnsupportedError,
)

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden"


def int_at(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def tail_of(data: bytes) -> int:
    """Where the index of the newest commit begins."""
    return int_at(data, 11, 4) + int_at(data, 39, 8)


def trailer_of(data: bytes) -> int:
    end = int_at(data, 16, 8)
    return end - int_at(data, end - 22, 4)


def zero(path: Path, start: int, stop: int) -> None:
    data = bytearray(path.read_bytes())
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)


def kept(report: mlarray.SalvageReport) -> np.ndarray[Any, Any]:
    """Which voxels are not lost."""
    mask = np.ones(report.shape, bool)
    for place in report.lost:
        assert place.box is not None
        mask[place.box] = False
    assert report.lost_voxels == (~mask).sum()
    return mask


def test_a_whole_file(saved: Path, tmp_path: Path, volume: np.ndarray[Any, Any]) -> None:
    good = tmp_path / "good.mla"
    report = mlarray.salvage(saved, good)
    assert report.status == "verified"
    assert (report.bad, report.good) == (str(saved), str(good))
    assert report.shape == volume.shape
    assert report.dtype == "<i2"
    assert report.voxels == report.verified_voxels == volume.size
    assert report.lost == ()
    assert report.lost_share == 0
    assert report.metadata == "verified"
    assert (report.state, report.newer_lost, report.whole_state) == (0, False, None)
    assert len(report.states) == 1
    assert report.states[0].sealed
    assert report.states[0].named
    assert report.notes == ()
    with MLArray.open(good) as image:
        np.testing.assert_array_equal(image[...], volume)
        assert image.meta.source["patient_id"] == "123"
        assert image.spacing == [3.0, 0.5, 0.7]
    assert mlarray.verify_file(good).status == "verified"


def test_lost_blocks_are_filled(saved: Path, tmp_path: Path, volume: Any) -> None:
    data = saved.read_bytes()
    zero(saved, 4000, 9000)
    before = saved.read_bytes()
    report = mlarray.salvage(saved, tmp_path / "good.mla", fill=-1024)
    assert report.status == "lost"
    assert 0 < report.lost_share < 0.5
    assert report.lost_voxels + report.verified_voxels == volume.size
    mask = kept(report)
    with MLArray.open(tmp_path / "good.mla") as image:
        np.testing.assert_array_equal(image[...], np.where(mask, volume, -1024))
        assert image.meta.source["patient_id"] == "123"
    assert saved.read_bytes() == before != data


def test_an_older_commit(saved: Path, tmp_path: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image[:8] = 5
    data = saved.read_bytes()
    assert len(mlarray.salvage(saved).states) == 2
    zero(saved, tail_of(data), int_at(data, 16, 8))
    report = mlarray.salvage(saved, tmp_path / "good.mla")
    assert report.status == "lost"
    assert report.newer_lost
    assert report.lost == ()
    assert any("newer commit" in note for note in report.notes)
    assert not report.may_be_older
    with MLArray.open(tmp_path / "good.mla") as image:
        np.testing.assert_array_equal(image[...], volume)


def test_there_may_have_been_a_newer_commit(saved: Path, volume: Any) -> None:
    """The header does not tell, and bytes follow the commit that is taken."""
    zero(saved, 0, 40)
    with saved.open("ab") as file:
        file.write(b"x" * 100)
    report = mlarray.salvage(saved)
    assert report.status == "unverified"
    assert report.may_be_older
    assert report.verified_voxels == volume.size
    assert any(note.startswith("100 bytes follow") for note in report.notes)


def test_nothing_is_written_without_a_target(saved: Path, tmp_path: Path) -> None:
    names = sorted(tmp_path.iterdir())
    assert mlarray.salvage(saved).good is None
    assert sorted(tmp_path.iterdir()) == names


def test_targets_that_are_refused(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mla"
    other.write_bytes(b"mine")
    with pytest.raises(InvalidUseError, match="exists, and is never overwritten") as caught:
        mlarray.salvage(saved, other)
    assert caught.value.path == str(other)
    assert other.read_bytes() == b"mine"
    with pytest.raises(InvalidUseError, match="the damaged file"):
        mlarray.salvage(saved, saved)
    with pytest.raises(InvalidUseError, match=r"good\.mla"):
        mlarray.salvage(saved, tmp_path / "good.nii")
    with pytest.raises(NotFoundError, match="folder"):
        mlarray.salvage(saved, tmp_path / "missing" / "good.mla")


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mla"
    with pytest.raises(FileNotFoundError):
        mlarray.salvage(bad)
    bad.write_bytes(random.Random(1).randbytes(5000))
    with pytest.raises(CorruptionError, match="like"):
        mlarray.salvage(bad)
    bad.write_bytes(b"NRRD0004\n" + bytes(500))
    with pytest.raises(UnsupportedError, match="NRRD"):
        mlarray.salvage(bad)


FILLS: list[tuple[str, Any, Any]] = [
    ("<i2", -3, -3),
    (">u4", 2**32 - 1, 2**32 - 1),
    ("<u8", 2**64 - 1, 2**64 - 1),
    ("|u1", 7.0, 7),
    ("|b1", True, True),
    ("<f2", 0.1, np.float16(0.1)),
    (">f4", -np.inf, -np.inf),
    ("<f8", np.float32(0.5), 0.5),
    ("<f8", np.nan, np.nan),
    (">c8", 2.5, 2.5 + 0j),
    ("<M8[ns]", 0, np.datetime64(0, "ns")),
    ("<U3", 0, ""),
    ("S4", 0, b""),
]


@pytest.mark.parametrize(("dtype", "fill", "expected"), FILLS)
def test_fills(tmp_path: Path, dtype: str, fill: Any, expected: Any) -> None:
    bad, good = tmp_path / "bad.mla", tmp_path / "good.mla"
    numbers = np.arange(20 * 30).reshape(20, 30) % 7 + 1
    array = numbers.astype("<i8").view("<M8[ns]") if "M8" in dtype else numbers.astype(dtype)
    MLArray(array).save(bad, chunk_size=(10, 30), block_size=(5, 30))
    data = bytearray(bad.read_bytes())
    data[int_at(data, 11, 4) + 60] ^= 255
    bad.write_bytes(data)
    report = mlarray.salvage(bad, good, fill=fill, level="none")
    assert report.lost_voxels > 0
    mask = kept(report)
    with MLArray.open(good) as image:
        found = image[...]
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found[mask], array[mask])
        np.testing.assert_array_equal(found[~mask], np.full_like(array, expected)[~mask])


def test_fills_that_are_refused(saved: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.mla"
    with pytest.raises(InvalidValueError, match="from -32768 to 32767"):
        mlarray.salvage(saved, good, fill=40000)
    with pytest.raises(InvalidValueError, match="integers"):
        mlarray.salvage(saved, good, fill=float("nan"))
    with pytest.raises(InvalidValueError, match="a bool, an integer or a float"):
        mlarray.salvage(saved, fill="black")  # type: ignore[arg-type]
    with pytest.raises(InvalidTypeError, match="fill"):
        mlarray.salvage(saved, fill=object())  # type: ignore[arg-type]
    assert not good.exists()


def test_fills_at_the_edge_of_floats(saved: Path) -> None:
    """The largest float32 as it is printed, and an integer of more than 64 bits."""
    bad = saved.with_name("bad.mla")
    MLArray(np.ones((20, 30), np.float32)).save(bad)
    for fill in (3.4028235e38, -(2**70)):
        good = saved.with_name(f"good{fill}.mla")
        assert mlarray.salvage(bad, good, fill=fill, level="none").status == "verified"
    with pytest.raises(InvalidValueError, match=r"up to 3\.4028235e38 either way"):
        mlarray.salvage(bad, saved.with_name("no.mla"), fill=2**128)


def test_unverified_voxels_stay_unverified(tmp_path: Path, volume: Any) -> None:
    """A file of ours without its checksums, with one wrong voxel."""
    bad, good = tmp_path / "bad.mla", tmp_path / "good.mla"
    array = volume.astype("u1")
    # Stored as they are, so that a flipped bit is a wrong voxel.
    array[...] = np.random.default_rng(1).integers(0, 250, array.shape)
    MLArray(array).save(bad, chunk_size=(16, 20, 24), block_size=(8, 20, 24))
    data = bytearray(bad.read_bytes())
    data[1000] ^= 4
    data[-330:] = bytes(330)
    bad.write_bytes(data)
    report = mlarray.salvage(bad, good)
    assert report.lost == ()
    assert report.unverified_voxels == array.size
    with MLArray.open(good) as image:
        wrong = np.argwhere(image[...] != array)
    assert len(wrong) == 1
    boxes = [place for place in report.unverified if place.chunk == 0]
    assert [(place.start, place.stop) for place in boxes] == [((0, 0, 0), (16, 20, 24))]
    assert sum(1 for place in report.unverified) == len({p.chunk for p in report.unverified})
    assert report.to_dict()["unverified"][0]["what"] == report.unverified[0].what
    verified = mlarray.verify_file(good)
    assert verified.status == "unverified"
    assert verified.unverified_blocks > 0
    with pytest.raises(CorruptionError, match="nothing verifies"):
        mlarray.salvage(bad, only_verified=True)


# --- files that were made to keep us busy ----------------------------------------------------


def long_header() -> bytes:
    """A header of 70,000 bytes with 10,000 metalayers, and sizes that do not agree."""
    names, length = 10000, 70000
    out = bytearray(small_file()[:87])
    out[11:15] = length.to_bytes(4, "big")
    content = len(out) + 7 + 6 * names
    out += b"\x93\xcd\0\0\xde" + names.to_bytes(2, "big")
    out += (b"\xa0\xd2" + content.to_bytes(4, "big")) * names
    out += b"\xc6\0\0\0\0"
    return bytes(out.ljust(length + 2000, b"\0"))


def one_place_for_all() -> bytes:
    """An index whose 1500 entries lead to one chunk, with a wrong checksum for each."""
    count, length = 1500, 1 << 20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mla")
        image = MLArray.create(
            path,
            shape=(count, length),
            dtype="u1",
            chunk_size=(1, length),
            block_size=(1, length),
        )
        image[0:1] = np.random.default_rng(0).integers(0, 256, (1, length)).astype("u1")
        image.close()
        data = path.read_bytes()
    at = tail_of(data)
    head = bytearray(data[at : at + 32])
    trailer = bytearray(data[at + int.from_bytes(head[12:16], "little") :])
    size = (8 * count).to_bytes(4, "little")
    head[2] |= 2
    head[4:12] = size + size
    head[12:16] = (32 + 8 * count).to_bytes(4, "little")
    head[16:22] = head[24:30] = bytes(6)
    head[31] = 0
    sums = trailer.index(bytes(4 * (count - 1)))
    trailer[sums : sums + 4 * (count - 1)] = b"\x55" * (4 * (count - 1))
    chunk = data.index(length.to_bytes(4, "little") * 2) - 4 - int_at(data, 11, 4)
    entries = chunk.to_bytes(8, "little") * count
    out = bytearray(data[:at] + head + entries + trailer)
    out[16:24] = len(out).to_bytes(8, "big")
    return bytes(out)


def layers_that_expand() -> bytes:
    """300 chunks of 32 bytes, each of which stands for 200 MiB of zeros."""
    head = bytearray(32)
    head[:4] = bytes((5, 1, 5, 1))
    head[4:12] = (200 << 20).to_bytes(4, "little") * 2
    head[12:16] = (32).to_bytes(4, "little")
    head[31] = 0x10
    data = small_file()
    return data[: trailer_of(data)] + (b"\xc6" + (32).to_bytes(4, "big") + head) * 300


def small_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mla")
        MLArray(np.arange(1000, dtype="u1").reshape(10, 100)).save(path)
        return path.read_bytes()


@pytest.mark.parametrize("make", [long_header, one_place_for_all, layers_that_expand])
def test_small_files_do_not_keep_it_busy(make: Callable[[], bytes], tmp_path: Path) -> None:
    """Each took half a minute and more."""
    bad = tmp_path / "bad.mla"
    bad.write_bytes(make())
    before = time.process_time()
    with contextlib.suppress(CorruptionError):
        assert mlarray.salvage(bad, num_threads=1).status == "lost"
    assert time.process_time() - before < 10


AS_PYTHON = """
import sys, mlarray
print("ready", flush=True)
try:
    mlarray.salvage(sys.argv[1])
except KeyboardInterrupt:
    sys.exit(130)
"""
AS_COMMAND = """
import sys
from mlarray.cli.main import main
print("ready", flush=True)
sys.exit(main(["salvage", "--dry-run", sys.argv[1]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("program", [AS_PYTHON, AS_COMMAND], ids=["python", "command"])
def test_ctrl_c_while_the_file_is_searched(tmp_path: Path, program: str) -> None:
    """64 GB of zeros take a minute and more."""
    bad = tmp_path / "bad.mla"
    bad.touch()
    os.truncate(bad, 64 << 30)
    line = [sys.executable, "-c", program, str(bad)]
    # A shell in the background has it ignored.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(line, stdout=subprocess.PIPE, preexec_fn=heard) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()


def test_a_download_that_stopped_early(tmp_path: Path, volume: Any) -> None:
    bad, good = tmp_path / "bad.mla", tmp_path / "good.mla"
    MLArray(volume).save(bad, chunk_size=(16, 20, 24), block_size=(8, 8, 12))
    bad.write_bytes(bad.read_bytes()[:30000])
    with pytest.raises(CorruptionError, match="assume_order"):
        mlarray.salvage(bad, good)
    assert not good.exists()
    report = mlarray.salvage(bad, good, assume_order=True)
    assert report.state is None
    assert report.verified_voxels == 0
    assert report.unverified_voxels > 0
    assert report.metadata == "lost"
    mask = kept(report)
    with MLArray.open(good) as image:
        np.testing.assert_array_equal(image[...][mask], volume[mask])


def test_a_header_from_another_file(saved: Path, tmp_path: Path, volume: Any) -> None:
    like = tmp_path / "like.mla"
    MLArray(np.zeros_like(volume)).save(like, chunk_size=(16, 20, 24), block_size=(8, 8, 12))
    header = int_at(saved.read_bytes(), 11, 4)
    zero(saved, 0, header)
    with pytest.raises(CorruptionError, match="like"):
        mlarray.salvage(saved)
    report = mlarray.salvage(saved, tmp_path / "good.mla", like=like)
    assert report.status == "verified"
    with MLArray.open(tmp_path / "good.mla") as image:
        np.testing.assert_array_equal(image[...], volume)
    with pytest.raises(NotFoundError):
        mlarray.salvage(saved, like=tmp_path / "missing.mla")


def test_states_by_number(saved: Path, tmp_path: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image[:8] = 5
    report = mlarray.salvage(saved, tmp_path / "good.mla", state=1)
    assert report.status == "verified"
    assert report.state == 1
    with MLArray.open(tmp_path / "good.mla") as image:
        np.testing.assert_array_equal(image[...], volume)
    with pytest.raises(InvalidValueError, match="no state 2"):
        mlarray.salvage(saved, state=2)
    with pytest.raises(InvalidValueError, match="0 is the newest"):
        mlarray.salvage(saved, state=-1)


def test_reports_are_plain_data(saved: Path) -> None:
    zero(saved, 4000, 4100)
    report = mlarray.salvage(saved)
    assert pickle.loads(pickle.dumps(report)) == report
    tree = json.loads(json.dumps(report.to_dict()))
    assert tree["status"] == "lost"
    assert tree["lost"][0]["what"] == report.lost[0].what
    assert tree["lost_share"] == report.lost_share


# --- files of other writers ------------------------------------------------------------------


def golden() -> Iterator[Any]:
    for writer in ("0.0.28", "0.0.54", "blosc2-2.7.1", "blosc2-4.14.1"):
        for path in sorted((GOLDEN / writer).glob("*.*")):
            if path.suffix in (".mla", ".b2nd"):
                yield pytest.param(path, id=f"{writer}-{path.name}")


def voxels_of(path: Path) -> Any:
    with MLArray.open(path) as image:
        return None if image.shape is None else image[...]


@pytest.mark.parametrize("path", list(golden()))
def test_files_of_other_writers(path: Path, tmp_path: Path) -> None:
    """Whole, and with one bit wrong in header, index or trailer."""
    good = tmp_path / f"good{path.suffix}"
    expected = voxels_of(path)
    report = mlarray.salvage(path, good, level="none")
    assert report.status == "unverified"
    assert report.state is not None
    assert report.states[report.state].foreign
    assert report.lost == ()
    found = voxels_of(good)
    assert (found is None) == (expected is None)
    if expected is None:
        return
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()

    data = path.read_bytes()
    rng = random.Random(path.name)
    bad = tmp_path / f"bad{path.suffix}"
    for start, stop in (
        (0, 87),
        (tail_of(data), trailer_of(data)),
        (trailer_of(data), int_at(data, 16, 8)),
    ):
        if start == stop:
            continue
        damaged = bytearray(data)
        damaged[rng.randrange(start, stop)] ^= 1 << rng.randrange(8)
        bad.write_bytes(damaged)
        good.unlink(missing_ok=True)
        try:
            report = mlarray.salvage(bad, good, level="none")
        except CorruptionError:
            continue  # without sums, a lost index is lost
        assert report.verified_voxels == 0
        found = voxels_of(good)
        mask = kept(report)
        assert found[mask].tobytes() == expected[mask].tobytes()


def test_chunks_of_other_writers_that_do_not_decode(tmp_path: Path) -> None:
    path = GOLDEN / "blosc2-4.14.1" / "codec-zlib-1.b2nd"
    bad, good = tmp_path / "bad.b2nd", tmp_path / "good.b2nd"
    bad.write_bytes(path.read_bytes())
    at = int_at(path.read_bytes(), 11, 4)
    zero(bad, at + 60, at + 70)
    report = mlarray.salvage(bad, good)
    assert report.status == "lost"
    assert 0 < report.lost_voxels < report.voxels
    assert "decoded" in report.lost[0].what or "header" in report.lost[0].what
    mask = kept(report)
    np.testing.assert_array_equal(voxels_of(good)[mask], voxels_of(path)[mask])
    assert (voxels_of(good)[~mask] == 0).all()
