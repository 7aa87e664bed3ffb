"""What verification costs: the same calls with checksums and without, in turns.

    python benchmarks/verify_cost.py [--side 320] [--rounds 300]

Prints the least and the median time of each, and their ratio: on a machine that others use
too, the least times are the steadier ones. The aim: at most 1.05 for patches of 128^3 voxels,
and 1.10 for open, a patch of 64x64x8, close. An open file verifies a block once: what that
costs is in the rows that open it each time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.volumes import KINDS, make_volumes

import mlarray
from mlarray import MLArray


def in_turns(call: Callable[[bool], None], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of `call(True)` and `call(False)`, each first every other time."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds + 3):
        for on in ((True, False), (False, True))[i % 2]:
            started = time.perf_counter()
            call(on)
            if i >= 3:
                times[not on].append(time.perf_counter() - started)
    return times


def boxes(side: int, patch: tuple[int, ...], count: int) -> list[tuple[slice, ...]]:
    """Patches at places of their own, the same for both."""
    random = np.random.default_rng(3)
    starts = [[int(random.integers(0, side - p + 1)) for p in patch] for _ in range(count)]
    return [
        tuple(slice(a, a + p) for a, p in zip(start, patch, strict=True)) for start in starts
    ]


def print_row(name: str, times: tuple[list[float], list[float]]) -> None:
    on, off = ([t * 1e3 for t in part] for part in times)
    least, median = min(on) / min(off), statistics.median(on) / statistics.median(off)
    print(
        f"{name:34} {min(off):8.3f} {min(on):8.3f} {least:6.3f}   "
        f"{statistics.median(off):8.3f} {statistics.median(on):8.3f} {median:6.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    print(f"{'ms':34} {'least':>8} {'':8} {'':6}   {'median':>8}")
    print(f"{'':34} {'off':>8} {'on':>8} {'ratio':>6}   {'off':>8} {'on':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        volumes, _ = make_volumes(folder, (options.side,) * 3)
        for kind in KINDS:
            path = folder / f"{kind}.mla"
            MLArray(np.load(volumes[kind])).save(path)
            # One and the same place each time: the least of many reads of the same bytes.
            (patch,) = boxes(options.side, (128, 128, 128), 1)
            (small,) = boxes(options.side, (64, 64, 8), 1)
            for threads in (1, 2):
                with MLArray.open(path, num_threads=threads) as image:

                    def read(on: bool, image: MLArray = image, patch: Any = patch) -> None:
                        mlarray.set_verification(on)
                        image[patch]

                    label = f"{kind} patch 128^3, {threads} thread{'s'[: threads - 1]}"
                    print_row(label, in_turns(read, options.rounds))

            for what, box in (("64x64x8", small), ("128^3", patch)):

                def open_read_close(on: bool, path: Path = path, box: Any = box) -> None:
                    with MLArray.open(path, verify=on) as image:
                        image[box]

                label = f"{kind} open + {what} + close"
                rounds = options.rounds * (3 if box is small else 1)
                print_row(label, in_turns(open_read_close, rounds))
            mlarray.set_verification(True)


if __name__ == "__main__":
    main()
