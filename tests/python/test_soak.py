"""The soak campaign in short (tests/soak): kills lose nothing, and what is lost is found."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from states import Counts, WrongError, judge, save
from volatile_disk import SECTOR, WAYS, Disk

from mlarray import MLArray

SOAK = Path(__file__).parents[1] / "soak"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")
def test_kills_lose_nothing() -> None:
    done = subprocess.run(
        [sys.executable, SOAK / "kills.py", "--minutes", "0.05", "--seed", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    assert re.fullmatch(r"kills [1-9]\d*: lost 0, wrong 0", last)


def test_a_lost_state_is_found(tmp_path: Path) -> None:
    path = tmp_path / "lane-0.mla"
    save(path, 4, "none")
    for begun, least in [(4, 4), (6, 3)]:
        judge(path, least, Counts(begun=begun))
    for begun, least in [(6, 5), (3, 3)]:
        with pytest.raises(WrongError, match=r"^lost .*: it is state 4; \d to \d are possible"):
            judge(path, least, Counts(begun=begun))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(WrongError, match=r"^lost .*CorruptionError"):
        judge(path, 4, Counts(begun=4))
    path.unlink()
    with pytest.raises(WrongError, match=r"^lost .*NotFoundError"):
        judge(path, 4, Counts(begun=4))


def test_a_mixture_is_found(tmp_path: Path) -> None:
    path = tmp_path / "lane-0.mla"
    save(path, 4, "none")
    with MLArray.open(path, mmap="r+") as image:
        image[0] = 5
    with pytest.raises(WrongError, match=r"^wrong .*no state has these voxels"):
        judge(path, 4, Counts(begun=4))


@pytest.mark.parametrize("way", WAYS)
def test_a_cut_keeps_what_was_flushed(way: str) -> None:
    """And of the rest whole sectors, some or none."""
    disk = Disk(bytes(8 * SECTOR))
    disk.write(0, b"a" * SECTOR)
    disk.flush()
    disk.write(SECTOR, b"b" * 2 * SECTOR)
    disk.write(4 * SECTOR, b"c" * SECTOR)
    seen = set()
    for seed in range(100):
        left = disk.after_cut(way, random.Random(seed))
        sectors = [left[n * SECTOR : (n + 1) * SECTOR] for n in range(8)]
        assert all(len(set(sector)) == 1 for sector in sectors)
        seen.add(bytes(sector[0] or ord("-") for sector in sectors).decode())
    nothing, all_of_it, first, last = "a-------", "abb-c---", "abb-----", "a---c---"
    expected = {
        "nothing": {nothing},
        "writes": {nothing, first, last, all_of_it},
        "all-but-one": {first, last},
        "prefix": {first, all_of_it},
    }
    torn = {"ab------", "a-b-----"}
    if way in expected:
        assert seen == expected[way]
    else:
        assert torn < seen
        assert (last in seen) == (way == "sectors")
