"""Who may write: one process, by a lock that dies with it; and media nobody writes to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import BusyError

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from mlarray import MLArray
image = MLArray.open(sys.argv[1], mmap=sys.argv[2])
if sys.argv[2] == "r+":
    image[0] = 1
    image.flush()
    image[1] = 2
print("open", flush=True)
time.sleep(120)
"""


def _holder(path: Path, mode: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), mode], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    return process


def test_a_second_writing_process_is_told_at_once(saved: Path, volume: Any) -> None:
    with _holder(saved, "r+") as holder:
        attempts = [
            lambda: MLArray.open(saved, mmap="r+"),
            lambda: MLArray.open(saved, mmap="w+", shape=(3,), dtype="u1"),
            lambda: MLArray(volume).save(saved),
        ]
        for attempt in attempts:
            begin = time.monotonic()
            with pytest.raises(BusyError, match=r"volume\.mla.*another process"):
                attempt()
            assert time.monotonic() - begin < 10, "waited for the lock"
        # Readers are in nobody's way.
        for mode in ("r", "c", None):
            with MLArray.open(saved, mmap_mode=mode) as image:
                assert (image[0] == 1).all()
                np.testing.assert_array_equal(image[1:], volume[1:])
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        # The lock is gone with its holder, and so is what was not committed.
        with MLArray.open(saved, mmap="r+") as image:
            assert (image[0] == 1).all()
            np.testing.assert_array_equal(image[1:], volume[1:])
            image[1] = 9
    with MLArray.open(saved) as image:
        assert (image[1] == 9).all()


def test_a_reader_locks_nobody_out(saved: Path) -> None:
    with _holder(saved, "r") as holder:
        with MLArray.open(saved, mmap="r+") as image:
            image[0] = 3
        holder.kill()


READ_ONLY = """
import sys
import numpy as np
from mlarray import MLArray
from mlarray.errors import FileAccessError
path, expected = sys.argv[1], np.load(sys.argv[2])
for mode in ("r", "c", None):
    with MLArray.open(path, mmap_mode=mode) as image:
        assert np.array_equal(image[...], expected)
        assert image.meta.source["patient_id"] == "123"
        assert not image.refresh()
assert np.array_equal(MLArray(path).to_numpy(), expected)
for attempt in (
    lambda: MLArray.open(path, mmap="r+"),
    lambda: MLArray(expected).save(path),
    lambda: MLArray.create(path, 3, "u1"),
):
    try:
        attempt()
    except FileAccessError as error:
        assert path in str(error), error
    else:
        raise AssertionError("wrote to it")
print("read only")
"""


def test_read_only_media(saved: Path, volume: Any, tmp_path: Path) -> None:
    """A mount that is read-only where we may make one, else a folder without permissions."""
    expected = tmp_path / "expected.npy"
    np.save(expected, volume)
    folder = tmp_path / "media"
    folder.mkdir()
    path = folder / saved.name
    read = [sys.executable, "-c", READ_ONLY, str(path), str(expected)]
    if os.geteuid() == 0 and sys.platform == "linux":
        # In a mount namespace of its own: nobody else sees it, and it goes with the process.
        script = (
            'mount -t tmpfs none "$1" && cp "$2" "$1" && mount -o remount,ro "$1" && '
            'shift 2 && exec "$@"'
        )
        command = ["unshare", "-m", "sh", "-ec", script, "sh", str(folder), str(saved), *read]
        result = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120
        )
        if "read only" not in result.stdout and "Operation not permitted" in result.stderr:
            pytest.skip("mounts are not allowed here, and permissions do not bind root")
    else:
        path.write_bytes(saved.read_bytes())
        path.chmod(0o444)
        folder.chmod(0o555)
        result = subprocess.run(read, capture_output=True, text=True, check=False, timeout=120)
        folder.chmod(0o755)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "read only\n"
