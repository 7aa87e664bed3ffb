"""Writers killed at random moments lose nothing that was committed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path

KILLS = 20
SHAPE = (24, 40, 40)

# Both scripts wait at their end: on a busy machine the kill may come late.
# Each commit writes one number everywhere, voxels and metadata, so that a mixture shows.
EDITS = """
import sys
import time
from mlarray import MLArray
image = MLArray.open(sys.argv[1], mmap="r+")
first = int(image[0, 0, 0]) + 1
print("ready", flush=True)
for number in range(first, 30_000):
    image[...] = number
    image.meta.source["number"] = number
    image.flush()
time.sleep(600)
"""

# Saves alternate files over the target.
SAVES = """
import sys
import time
import numpy as np
from mlarray import MLArray
print("ready", flush=True)
for number in range(1, 10_000):
    array = np.full((24, 40, 40), number % 30_000, np.int16)
    MLArray(array, meta={"number": number % 30_000}).save(sys.argv[1])
time.sleep(600)
"""


def _kill_at_random(script: str, path: Path, seconds: float) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL, "the writer ended before it was killed"


def _number_in(path: Path) -> int:
    """Return the number that all of the file holds; fail if it is a mixture."""
    image = MLArray.open(path)
    voxels = image[...]
    number = int(voxels[0, 0, 0])
    assert voxels.shape == SHAPE
    assert (voxels == number).all(), "a mixture of two commits"
    assert image.meta.source.get("number", 0) == number, "voxels and metadata of two commits"
    assert image._store.core is not None
    assert image._store.core.sealed
    image.close()
    return number


@pytest.mark.slow
def test_an_editor_killed_at_random_loses_no_commit(tmp_path: Path) -> None:
    path = tmp_path / "edited.mla"
    MLArray(np.zeros(SHAPE, np.int16)).save(
        path, chunk_size=(8, 20, 20), block_size=(8, 10, 10)
    )
    waits = random.Random(1)
    before = 0
    for _ in range(KILLS):
        _kill_at_random(EDITS, path, waits.uniform(0, 0.06))
        number = _number_in(path)
        assert number >= before, "an older commit came back"
        before = number
    assert before > 0, "no commit was made in any run"


@pytest.mark.slow
def test_a_saver_killed_at_random_leaves_the_old_file_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "saved.mla"
    MLArray(np.zeros(SHAPE, np.int16)).save(path)
    waits = random.Random(2)
    numbers = set()
    for _ in range(KILLS):
        _kill_at_random(SAVES, path, waits.uniform(0, 0.06))
        numbers.add(_number_in(path))
    assert len(numbers) > 1, "no save was made in any run"


@pytest.mark.slow
def test_a_killed_creator_leaves_a_file_that_opens(tmp_path: Path) -> None:
    script = """
import sys
import numpy as np
from mlarray import MLArray
print("ready", flush=True)
while True:
    image = MLArray.open(sys.argv[1], shape=(24, 40, 40), dtype="int16", mmap="w+")
    image[...] = np.ones((24, 40, 40))
    image.close()
"""
    path = tmp_path / "created.mla"
    MLArray(np.zeros(SHAPE, np.int16)).save(path)
    waits = random.Random(3)
    for _ in range(KILLS):
        _kill_at_random(script, path, waits.uniform(0, 0.06))
        voxels = MLArray.open(path)[...]
        assert voxels.shape == SHAPE
        assert (voxels == voxels[0, 0, 0]).all()
