"""Time the everyday calls side by side with the reference implementation 0.0.54.

    python benchmarks/compare_reference.py [--side 256] [--rounds 30]

Two worker processes, one per implementation, take turns call by call, so that a change of the
machine's speed hits both. Prints a table of medians in ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("int16", "float32", "uint8")


def make_volumes(folder: Path, side: int) -> None:
    """Write the volumes as .npy: a noisy body in air, its z-score, its tissue classes."""
    grid = np.linspace(-1, 1, side, dtype=np.float32)
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)
    radius = np.sqrt(z * z + (y * 1.2) ** 2 + (x * 1.1) ** 2)
    tissue = 0.5 + 0.3 * np.sin(9 * x + 4 * z) * np.cos(7 * y) - 0.2 * radius
    tissue = np.where(radius < 0.9, np.clip(tissue, 0.02, 1), 0)
    random = np.random.default_rng(0)
    noise = random.standard_normal(tissue.shape, dtype=np.float32)
    ct = 1500 * tissue - 1000 * (tissue < 0.02) + np.where(tissue < 0.02, 8, 10) * noise
    ct16 = np.clip(np.round(ct), -1024, 3071).astype(np.int16)
    np.save(folder / "int16.npy", ct16)
    scaled = ct16.astype(np.float32)
    np.save(folder / "float32.npy", (scaled - scaled.mean()) / scaled.std())
    np.save(folder / "uint8.npy", np.digitize(tissue, [0.02, 0.3, 0.5, 0.7]).astype(np.uint8))


def work() -> None:
    """Answer requests on standard input: one JSON object per line."""
    from mlarray import MLArray

    arrays: dict[str, Any] = {}
    images: dict[str, Any] = {}
    for line in sys.stdin:
        ask = json.loads(line)
        path, kind = ask.get("path"), ask["call"]
        key = tuple(slice(a, b) for a, b in ask.get("box", []))
        if kind == "save" and path not in arrays:
            arrays[path] = np.load(ask["source"])
        if kind == "patch" and path not in images:
            images[path] = MLArray.open(path)
            images[path][key]
        started = time.perf_counter()
        if kind == "save":
            MLArray(arrays[path]).save(path)
        elif kind == "patch":
            images[path][key]
        elif kind == "open":
            image = MLArray.open(path)
            image[key]
            image.close()
        elif kind == "load":
            MLArray(path).to_numpy()
        print(json.dumps(time.perf_counter() - started), flush=True)


class Worker:
    """A process that runs one implementation."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve()), "--work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def time(self, **ask: Any) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(
            json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in ask.items()}) + "\n"
        )
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("a worker ended early; see its error above")
        return float(json.loads(answer))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256, help="length of every axis")
    parser.add_argument("--rounds", type=int, default=30, help="timed calls per cell")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work()
    sys.path.insert(0, str(ROOT / "tools"))
    from reference_env import ensure

    ours, theirs = Worker(sys.executable), Worker(str(ensure("mlarray-0.0.54")))
    side, rounds = options.side, options.rounds
    random = np.random.default_rng(1)

    def box(*lengths: int) -> list[list[int]]:
        starts = [int(random.integers(0, side - n + 1)) for n in lengths]
        return [[start, start + n] for start, n in zip(starts, lengths, strict=True)]

    print(f"{side}^3 voxels, {rounds} rounds, medians in ms; ratio = reference / ours")
    print(f"{'volume':8} {'call':34} {'ours':>9} {'reference':>9} {'ratio':>6}")

    def report(kind: str, call: str, asks: Any, count: int) -> None:
        mine, other = [], []
        for _ in range(count):
            a, b = asks()
            mine.append(ours.time(**a) * 1e3)
            other.append(theirs.time(**b) * 1e3)
        a, b = statistics.median(mine), statistics.median(other)
        print(f"{kind:8} {call:34} {a:9.3f} {b:9.3f} {b / a:6.2f}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_volumes(folder, side)
        for kind in KINDS:
            source = folder / f"{kind}.npy"
            mine, other = folder / f"ours-{kind}.mla", folder / f"reference-{kind}.mla"
            report(
                kind,
                "save",
                lambda m=mine, o=other, s=source: (
                    {"call": "save", "path": m, "source": s},
                    {"call": "save", "path": o, "source": s},
                ),
                5,
            )
            sizes = mine.stat().st_size, other.stat().st_size
            print(
                f"{kind:8} {'size in MB':34} {sizes[0] / 1e6:9.2f} {sizes[1] / 1e6:9.2f} "
                f"{sizes[1] / sizes[0]:6.2f}"
            )
            for label, m, o in (("reference's file", other, other), ("own file", mine, other)):

                def patch(m: Path = m, o: Path = o) -> tuple[dict[str, Any], dict[str, Any]]:
                    b = box(128, 128, 128)
                    return (
                        {"call": "patch", "path": m, "box": b},
                        {"call": "patch", "path": o, "box": b},
                    )

                def small(m: Path = m, o: Path = o) -> tuple[dict[str, Any], dict[str, Any]]:
                    b = box(64, 64, 8)
                    return (
                        {"call": "open", "path": m, "box": b},
                        {"call": "open", "path": o, "box": b},
                    )

                report(kind, f"open + 64x64x8 + close, {label}", small, rounds)
                report(kind, f"128^3 patch, {label}", patch, rounds)
                report(
                    kind,
                    f"whole load, {label}",
                    lambda m=m, o=o: ({"call": "load", "path": m}, {"call": "load", "path": o}),
                    7,
                )


if __name__ == "__main__":
    main()
