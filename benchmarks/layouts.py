"""The layout that the library chooses against that of 0.0.54, in turns in one process.

    build/venv/bin/python benchmarks/layouts.py VOLUME.npy

VOLUME.npy is one of those that `make bench` makes below build/bench. It is saved both ways, for
patches of one side, and read at the same places from both. Printed are medians of ours and of
the reference's layout, and their ratio with the quartiles of single turns: below 1, ours is
faster or smaller. Where other work disturbs it, give it priority (`nice -n -15`, as root).
"""

from __future__ import annotations

import argparse
import functools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlarray import MLArray

Array = np.ndarray[Any, Any]
_SIDES = (32, 64, 128, 192)
Key = tuple[slice | int, ...]


def _save(voxels: Array, path: Path, whose: str, patch: int, threads: int) -> float:
    sizes: dict[str, Any] = {"patch_size": patch}
    if whose == "reference":
        chunk, block = MLArray.comp_blosc2_params(
            voxels.shape, (patch,) * voxels.ndim, bytes_per_pixel=voxels.itemsize
        )
        sizes = {"chunk_size": chunk, "block_size": block}
    image = MLArray(voxels)
    started = time.perf_counter()
    image.save(path, level="none", num_threads=threads, **sizes)
    return time.perf_counter() - started


def _turns(work: Mapping[str, Callable[[Key], object]], keys: list[Key]) -> str:
    """Everything at every key, each beginning in its turn."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for i, key in enumerate(keys):
        for name in list(work)[:: 1 if i % 2 else -1]:
            started = time.perf_counter()
            work[name](key)
            if i >= 2:  # the first ones warm up
                times[name].append(time.perf_counter() - started)
    return _line(times["ours"], times["reference"])


def _line(ours: list[float], theirs: list[float]) -> str:
    low, _, high = statistics.quantiles([a / b for a, b in zip(ours, theirs)], n=4)
    middle = [statistics.median(values) for values in (ours, theirs)]
    return (
        f"{middle[0] * 1e3:8.3f} {middle[1] * 1e3:8.3f} ms  {middle[0] / middle[1]:.2f}  "
        f"({low:.2f} - {high:.2f})"
    )


def _patches(shape: tuple[int, ...], box: tuple[int, ...], count: int) -> list[Key]:
    chance = random.Random(0)
    lengths = [min(b, n) for b, n in zip(box, shape)]
    starts = [[chance.randint(0, n - b) for n, b in zip(shape, lengths)] for _ in range(count)]
    return [tuple(slice(a, a + b) for a, b in zip(start, lengths)) for start in starts]


def _slices(shape: tuple[int, ...], axis: int, count: int) -> list[Key]:
    chance = random.Random(0)
    keys: list[list[slice | int]] = [[slice(None)] * len(shape) for _ in range(count)]
    for key in keys:
        key[axis] = chance.randrange(shape[axis])
    return [tuple(key) for key in keys]


def _opened(path: Path, box: Key) -> Array:
    with MLArray.open(path) as image:
        return np.asarray(image[box])


def measure(voxels: Array, folder: Path, patch: int, saves: int, rounds: int) -> None:
    """Print a line for each kind of use of files that are made for patches of that side."""
    paths = {whose: folder / f"{whose}.mla" for whose in ("ours", "reference")}
    for threads in (1, 2):
        times: dict[str, list[float]] = {whose: [] for whose in paths}
        for i in range(saves + 1):
            for whose in list(paths)[:: 1 if i % 2 else -1]:
                took = _save(voxels, paths[whose], whose, patch, threads)
                if i > 0:
                    times[whose].append(took)
        if saves > 1:
            line = _line(times["ours"], times["reference"])
            print(f"save, {threads} thread{'s'[: threads - 1]}: {line}", flush=True)
    sizes = [path.stat().st_size for path in paths.values()]
    print(f"size: {sizes[0]} {sizes[1]} B  {sizes[0] / sizes[1]:.4f}")
    keys = _patches(voxels.shape, (64, 64, 8), 4 * rounds)
    works = {whose: functools.partial(_opened, path) for whose, path in paths.items()}
    print(f"open, 64x64x8, close: {_turns(works, keys)}", flush=True)
    for threads in (1, 2):
        images = {
            whose: MLArray.open(path, num_threads=threads) for whose, path in paths.items()
        }
        if threads == 1:
            for whose, image in images.items():
                print(f"{whose}: chunks {image.chunks}, blocks {image.blocks}")
        reads = {whose: image.__getitem__ for whose, image in images.items()}
        uses = {
            f"patch {side}": _patches(voxels.shape, (side,) * 3, 128 // side * rounds + rounds)
            for side in _SIDES
        }
        uses |= {
            f"slice, axis {axis}": _slices(voxels.shape, axis, rounds) for axis in range(3)
        }
        for use, keys in uses.items():
            for image in images.values():
                if not np.array_equal(image[keys[0]], voxels[keys[0]]):
                    raise SystemExit(f"{use}: other voxels than were saved")
            line = _turns(reads, keys)
            print(f"{use}, {threads} thread{'s'[: threads - 1]}: {line}", flush=True)
        for image in images.values():
            image.close()


def main() -> None:
    """Measure each volume with each patch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volumes", type=Path, nargs="+", help=".npy files of three axes")
    parser.add_argument("--patch", type=int, nargs="+", default=[192])
    parser.add_argument("--saves", type=int, default=5, help="1: not timed")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    for volume in options.volumes:
        voxels = np.load(volume)
        for patch in options.patch:
            print(f"\n{volume.name}, for patches of {patch}")
            with tempfile.TemporaryDirectory(prefix="mlarray-layouts-") as folder:
                measure(voxels, Path(folder), patch, options.saves, options.rounds)


if __name__ == "__main__":
    main()
