"""Damaged files without checksums: what we read, python-blosc2 reads alike, or not at all.

Damage in such files cannot be noticed, but both libraries have to make the same of the bytes
that are there. Ours decodes most chunks by code of its own.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlarray

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
NEWEST = "blosc2-4.14.1" if sys.version_info >= (3, 11) else "mlarray-0.0.54"
GOLDEN = ROOT / "tests/data/golden/blosc2-4.14.1"
# A run makes the same files each time; more of them: MLARRAY_DIFFERENTIAL=20000 pytest ...
COPIES = int(os.environ.get("MLARRAY_DIFFERENTIAL", "150"))
# Files that c-blosc2 reads wrongly even when they are whole (docs/upstream.md): what was never
# written is whatever lay in memory, and parts of chunks with DELTA are those of other blocks.
EXCLUDED = ("special-uninitialised", "special-mixed", "filter-delta")
LARGEST = 1 << 22


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Change one to four bytes; half of the time only of the chunks."""
    out = bytearray(data)
    header_len = int.from_bytes(data[11:15], "big")
    chunks_end = header_len + int.from_bytes(data[39:47], "big")
    for _ in range(rng.choice((1, 1, 2, 4))):
        in_chunks = rng.random() < 0.5 and chunks_end > header_len
        at = rng.randrange(header_len, chunks_end) if in_chunks else rng.randrange(len(out))
        out[at] = rng.choice((out[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0, 255))
    return bytes(out)


def ours(path: Path) -> np.ndarray[Any, Any] | None:
    """Return the voxels as we read them, or None if we refuse the file."""
    try:
        image = mlarray.MLArray.open(path)
        if np.prod(image.shape, dtype=float) * image.dtype.itemsize > LARGEST:
            return None
        return np.asarray(image.to_numpy())
    except (mlarray.MLArrayError, OSError):
        return None


@pytest.mark.slow
def test_damaged_files_are_read_alike(fresh_peer: Callable[[str], Any], tmp_path: Path) -> None:
    files = sorted(f for f in GOLDEN.glob("*.b2nd") if not f.name.startswith(EXCLUDED))
    rng = random.Random(4)
    path = tmp_path / "damaged.b2nd"
    compared = differ = 0
    for number in range(COPIES):
        source = rng.choice(files)
        path.write_bytes(damaged(source.read_bytes(), rng))
        found = ours(path)
        if found is None:
            continue
        # It may refuse the file, crash or hang: then there is nothing to compare with.
        other = fresh_peer(NEWEST)
        with contextlib.suppress(AssertionError):
            expected, _ = other.voxels_after("voxels_of_damaged", path=path)
            compared += 1
            if found.tobytes() != expected.tobytes():
                differ += 1
                print(f"copy {number} of {source.name}: {np.sum(found != expected)} voxels")
    assert compared > COPIES // 10  # else this compares nothing
    assert differ == 0
