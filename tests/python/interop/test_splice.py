"""Edits by block: python-blosc2 reads what we made of files of ours, of its own, of others.

Also block by block out of the file, where it finds the end of a block by the next one's start.
"""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import mlarray
from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = "blosc2-4.14.1" if sys.version_info >= (3, 11) else "mlarray-0.0.54"
REFERENCE = "mlarray-0.0.54"
# A run makes the same files each time; more of them: MLARRAY_SPLICES=1000 pytest ...
ROUNDS = int(os.environ.get("MLARRAY_SPLICES", "40"))
DTYPES = ("u1", "i2", "<u2", "f4", "f8", "c16")
CODECS = ("BLOSCLZ", "LZ4", "LZ4HC", "ZLIB", "ZSTD")
FILTERS = ([], ["SHUFFLE"], ["BITSHUFFLE"], ["SHUFFLE", "BYTEDELTA"])
SPLITS = ("AUTO_SPLIT", "ALWAYS_SPLIT", "NEVER_SPLIT", "FORWARD_COMPAT_SPLIT")


def voxels(rng: random.Random, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    """Smooth, noise, one value or zeros."""
    kind = rng.choice(("smooth", "smooth", "noise", "value", "zeros"))
    noise = np.random.default_rng(rng.randrange(1 << 30))
    if kind == "noise":
        raw = noise.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        found = np.frombuffer(raw, dtype).reshape(shape)
        return np.nan_to_num(found.copy()) if found.dtype.kind in "fc" else found.copy()
    ramp = np.arange(np.prod(shape)).reshape(shape) // 7 % 90 + noise.integers(0, 3, shape)
    factor = {"smooth": 1, "value": 0, "zeros": 0}[kind]
    return np.asarray(ramp * factor + (9 if kind == "value" else 0)).astype(dtype)


def box_in(rng: random.Random, shape: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """A box, mostly a small one."""
    start = [rng.randrange(n) for n in shape]
    most = rng.choice((2, 9, 9, 40))
    stop = [a + rng.randint(1, min(most, n - a)) for a, n in zip(start, shape, strict=True)]
    return start, stop


def slices(box: tuple[list[int], list[int]]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in zip(*box, strict=True))


def write(rng: random.Random, peer: Any, path: Path, array: np.ndarray[Any, Any]) -> Path:
    """Write a file by one of the writers, with anything that it may be asked for."""
    chunk = [rng.randint(max(1, n // 4), n) for n in array.shape]
    block = [rng.randint(max(1, n // 4), n) for n in chunk]
    codec, filters = rng.choice(CODECS), rng.choice(FILTERS)
    who = rng.choice(("ours", "ours", "presets", "blosc2", "blosc2", "reference"))
    if who == "reference":
        peer(REFERENCE).with_voxels("reference_save", array, path=path)
    elif who == "blosc2":
        path = path.with_suffix(".b2nd")
        cparams = {
            "codec": codec,
            "clevel": rng.randint(0, 9),
            "filters": filters or ["NOFILTER"],
            "splitmode": rng.choice(SPLITS),
        }
        peer(NEWEST).with_voxels(
            "make", array, path=path, out=path.with_suffix(".npy"), cparams=cparams,
            chunks=chunk, blocks=block,
        )  # fmt: skip
    else:
        options: dict[str, Any] = {"chunk_size": chunk, "block_size": block}
        if who == "presets":
            options["preset"] = rng.choice(("fast", "balanced", "small"))
        else:
            options["cparams"] = {"codec": codec.lower(), "clevel": rng.randint(0, 9),
                                  "filters": [name.lower() for name in filters]}  # fmt: skip
        MLArray(array).save(path, **options)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_edited_files_are_read_alike(peer: Any, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for number in range(ROUNDS // 4):
        shape = tuple(rng.randint(1, 60) for _ in range(rng.randint(1, 3)))
        twin = voxels(rng, shape, rng.choice(DTYPES))
        path = write(rng, peer, tmp_path / f"{number}.mla", twin)
        boxes = [box_in(rng, shape) for _ in range(rng.randint(1, 5))]
        for box in boxes:
            values = voxels(rng, twin[slices(box)].shape, twin.dtype.str)
            twin[slices(box)] = values
            with MLArray.open(path, mmap="r+", verify=rng.random() < 0.5) as image:
                image[slices(box)] = values
        with MLArray.open(path) as image:
            assert image[()].tobytes() == twin.tobytes(), number
        report = mlarray.verify_file(path)
        assert (report.seal, report.damage) == ("valid", ()), number
        found, _ = peer(NEWEST).voxels_after("read", path=path)
        assert found.tobytes() == twin.tobytes(), number
        looks = boxes + [box_in(rng, shape) for _ in range(4)]
        for mmap_mode in (None, "r"):
            parts = tmp_path / "parts.npz"
            peer(NEWEST).do(
                "read_parts", path=path, out=parts, boxes=looks, mmap_mode=mmap_mode
            )
            with np.load(parts) as archive:
                for i, look in enumerate(looks):
                    expected = np.ascontiguousarray(twin[slices(look)])
                    assert archive[f"arr_{i}"].tobytes() == expected.tobytes(), (number, look)
