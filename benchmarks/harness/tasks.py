"""What is timed, one function per name that ``--only`` takes.

Each takes turns among the libraries that can do it and adds cells to the bench. `TASKS` is in
the order of a run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import machine
from .driver import Cell, Skipped, Worker
from .session import Bench
from .tasks_more import fill, growth, imports, levels, limit, memory, statistics

__all__ = ["PATCHES", "TASKS"]

PATCHES = (32, 64, 128, 192, 256)
OURS, REFERENCE = "mlarray", "reference"
# In which rows what stands: a library that reads no part of a file without the rest is timed
# once, and our variants where they differ.
_ONLY_IN = {
    "nibabel": {"save", "open", "patch 128", "load"},
    "mlarray-unchecked": {"open"},
    "mlarray-small": {"save", "patch 128", "load"},
}


def _names(bench: Bench, task: str) -> list[str]:
    names = bench.rivals
    return [name for name in names if name not in _ONLY_IN or task in _ONLY_IN[name]]


def _shape(bench: Bench, kind: str) -> tuple[int, ...]:
    return tuple(np.load(bench.volumes[kind], mmap_mode="r").shape)


class _Boxes:
    """Places for patches, the same for every library: the i-th is always where it was."""

    def __init__(self, shape: tuple[int, ...], patch: tuple[int, ...]) -> None:
        self._shape, self._patch = shape, patch

    def __call__(self, i: int) -> list[list[int]]:
        chosen = random.Random(f"{i} {self._patch}")
        starts = [chosen.randint(0, n - p) for n, p in zip(self._shape, self._patch)]
        return [[start, start + p] for start, p in zip(starts, self._patch)]


def _file(bench: Bench, name: str, kind: str) -> Path | None:
    """A library's file; our variants read what we wrote."""
    writer = OURS if name == "mlarray-unchecked" else name
    if writer not in bench.rivals:
        return None
    try:
        return bench.file(writer, kind)
    except (Skipped, NotImplementedError) as why:
        bench.skip(f"{name}, {kind}: {why}")
        return None


def _asker(worker: Worker, task: str, **words: Any) -> Callable[[int], float]:
    """A sampler that has the same thing done each round, `box` at that round's place."""
    boxes = words.pop("boxes", None)

    def sample(i: int) -> float:
        box = {"box": boxes(i)} if boxes else {}
        return float(worker.ask(task, **words, **box)["seconds"])

    return sample


def save(bench: Bench) -> None:
    """Array to file, and how large the file is."""
    for kind, source in bench.volumes.items():
        samplers = {}
        for name in _names(bench, "save"):
            path = bench.path(name, kind)
            samplers[name] = _asker(bench.worker(name), "save", path=path, source=source)
        bench.measure("save", kind, {}, samplers, rounds=min(bench.rounds, 5), budget=3)
        sizes = {
            name: [float(_bytes(bench.path(name, kind)))]
            for name in samplers
            if bench.path(name, kind).exists()
        }
        bench.add(Cell("size", kind, {}, "B", sizes))
        bench.forget()


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def open_read(bench: Bench) -> None:
    """Open, a patch of 64x64x8, close."""
    for kind in bench.volumes:
        boxes = _fitting(bench, kind, (64, 64, 8))
        for whose in ("own", "reference"):
            samplers = {}
            for name in _whose_readers(bench, "open", whose):
                path = _file(bench, name if whose == "own" else REFERENCE, kind)
                if path is not None and boxes is not None:
                    samplers[name] = _asker(bench.worker(name), "open", path=path, boxes=boxes)
            if samplers:
                bench.measure("open", kind, {"file": whose}, samplers, rounds=3 * bench.rounds)


def _whose_readers(bench: Bench, task: str, whose: str) -> list[str]:
    """Who reads: each its own file, or those who can the reference's."""
    names = _names(bench, task)
    if whose == "own":
        return names
    readers = (OURS, "mlarray-unchecked", REFERENCE)
    return [name for name in readers if name in names] if REFERENCE in names else []


def _fitting(bench: Bench, kind: str, patch: tuple[int, ...]) -> _Boxes | None:
    shape = _shape(bench, kind)
    if any(p > n for p, n in zip(patch, shape)):
        bench.skip(f"patches of {patch}: the volume has {shape}")
        return None
    return _Boxes(shape, patch)


def patch(bench: Bench) -> None:
    """Patches from an open file in the page cache, by size, threads and writer."""
    threads = sorted({1, *_powers(machine.cores()), machine.cores()})
    for kind in bench.volumes:
        for size in bench.patches:
            boxes = _fitting(bench, kind, (size,) * 3)
            if boxes is None:
                continue
            for count in threads:
                for whose in ("own", "reference"):
                    detail = {"patch": size, "threads": count, "file": whose}
                    _patch_cell(bench, "patch", kind, detail, boxes)
        boxes = _fitting(bench, kind, (128,) * 3)
        if boxes is not None:
            _files_cell(bench, kind, {"patch": 128, "threads": machine.cores()}, boxes)
        bench.forget()


def slices(bench: Bench) -> None:
    """One slice across each axis, from an open file in the page cache."""
    for kind in bench.volumes:
        shape = _shape(bench, kind)
        for axis in range(3):
            boxes = _Boxes(shape, tuple(1 if i == axis else n for i, n in enumerate(shape)))
            for count in sorted({1, machine.cores()}):
                detail: dict[str, Any] = {"axis": axis, "threads": count}
                _patch_cell(bench, "slices", kind, {**detail, "file": "own"}, boxes)
                _files_cell(bench, kind, detail, boxes)
        bench.forget()


def _powers(most: int) -> list[int]:
    return [2**i for i in range(int(math.log2(most)) + 1)]


def _patch_cell(
    bench: Bench, task: str, kind: str, detail: dict[str, Any], boxes: _Boxes
) -> None:
    samplers, sums = {}, {}
    whose = detail["file"]
    row = f"patch {detail['patch']}" if task == "patch" else task
    for name in _whose_readers(bench, row, whose):
        path = _file(bench, name if whose == "own" else REFERENCE, kind)
        if path is None:
            continue
        worker = bench.worker(name, detail["threads"])
        try:
            # The first read warms up, and shows that all read the same voxels.
            sums[name] = worker.ask("patch", path=path, box=boxes(0), check=True)["crc"]
        except Skipped as why:
            bench.skip(f"{row}, {kind}: {why}")
            continue
        samplers[name] = _asker(worker, "patch", path=path, boxes=boxes)
    if len(set(sums.values())) > 1:
        raise SystemExit(f"bench: the libraries read different voxels of {kind}: {sums}")
    if samplers:
        # In the README's chart even a slow library has some rounds.
        budget = 4.0 if row == "patch 128" else 0.8
        bench.measure(task, kind, detail, samplers, budget=budget)


def _files_cell(bench: Bench, kind: str, detail: dict[str, Any], boxes: _Boxes) -> None:
    """Our reader on our file and on the reference's, in turns."""
    files = {name: _file(bench, name, kind) for name in (OURS, REFERENCE)}
    if None in files.values():
        return
    worker = bench.worker(OURS, detail["threads"])
    samplers = {
        name: _asker(worker, "patch", path=path, boxes=boxes) for name, path in files.items()
    }
    bench.measure("files", kind, detail, samplers, rounds=4 * bench.rounds, budget=0.8)


def cold(bench: Bench) -> None:
    """Open and a patch of 128^3, of a file that is not in the page cache."""
    for kind in bench.volumes:
        boxes = _fitting(bench, kind, (128,) * 3)
        samplers = {}
        for name in _names(bench, "cold") if boxes else []:
            path = _file(bench, name, kind)
            if path is None:
                continue
            bench.forget()  # a mapped file cannot leave the cache
            if reason := machine.evict(path):
                bench.skip(f"cold, {kind}, {name}: {reason}")
                continue

            samplers[name] = _from_disk(
                _asker(bench.worker(name), "open", path=path, boxes=boxes), path
            )
        if samplers:
            bench.measure("cold", kind, {"patch": 128}, samplers, budget=4)


def _from_disk(sample: Callable[[int], float], path: Path) -> Callable[[int], float]:
    def evict_and_sample(i: int) -> float:
        if reason := machine.evict(path):
            raise Skipped(reason)
        return sample(i)

    return evict_and_sample


def load(bench: Bench) -> None:
    """The whole volume into a NumPy array, file opened and closed."""
    for kind in bench.volumes:
        for whose in ("own", "reference"):
            samplers = {}
            for name in _whose_readers(bench, "load", whose):
                path = _file(bench, name if whose == "own" else REFERENCE, kind)
                if path is not None:
                    samplers[name] = _asker(bench.worker(name), "load", path=path)
            if samplers:
                rounds = min(bench.rounds, 9)
                bench.measure("load", kind, {"file": whose}, samplers, rounds=rounds, budget=4)


def edit(bench: Bench) -> None:
    """Open for editing, ``image[crop] *= 5`` of 128^3, close."""
    for kind in bench.volumes:
        boxes = _fitting(bench, kind, (128,) * 3)
        samplers = {}
        for name in _names(bench, "edit") if boxes else []:
            path = _file(bench, name, kind)
            if path is None:
                continue

            samplers[name] = _editor(bench.worker(name), path, boxes)
        if samplers:
            bench.measure("edit", kind, {"patch": 128}, samplers, budget=6)
            for name in samplers:  # edited files are not what was saved
                bench.remove(name, kind)


def _editor(worker: Worker, path: Path, boxes: _Boxes | None) -> Callable[[int], float]:
    def sample(i: int) -> float:
        answer = worker.ask("edit", path=path, box=boxes(i) if boxes else None)
        if not answer["right"]:
            raise Skipped(f"{worker.rival.name} did not store what was assigned")
        return float(answer["seconds"])

    return sample


TASKS: dict[str, Callable[[Bench], None]] = {
    "import": imports,
    "save": save,
    "open": open_read,
    "patch": patch,
    "slices": slices,
    "limit": limit,
    "cold": cold,
    "load": load,
    "statistics": statistics,
    "memory": memory,
    "fill": fill,
    "growth": growth,
    "edit": edit,
    "levels": levels,
}
