"""A worker process: one library, asked on standard input, one JSON object a line.

    PYTHON benchmarks/worker.py ADAPTER THREADS

Answers are on a copy of standard output, so that what a library prints disturbs nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness.adapter import Adapter
from harness.adapters import ADAPTERS


class Tasks:
    """What may be asked for. Answers hold ``seconds`` of the task alone."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.opened: dict[Path, Any] = {}
        self.sources: dict[str, Any] = {}
        self.target: Any = None

    def version(self, ask: dict[str, Any]) -> dict[str, Any]:
        return {"version": self.adapter.version()}

    def save(self, ask: dict[str, Any]) -> dict[str, Any]:
        path, source = Path(ask["path"]), ask["source"]
        # In memory, as an array that was computed; or a map of one that may not fit.
        if source not in self.sources:
            mapped = ask.get("mapped")
            self.sources = {source: np.load(source, mmap_mode="r" if mapped else None)}
        voxels = self.sources[source]
        return timed(lambda: self.adapter.save(voxels, path))

    def open(self, ask: dict[str, Any]) -> dict[str, Any]:
        path, key = Path(ask["path"]), key_of(ask)

        def run() -> None:
            opened = self.adapter.open(path)
            self.adapter.read(opened, key)
            self.adapter.close(opened)

        return timed(run)

    def patch(self, ask: dict[str, Any]) -> dict[str, Any]:
        path, key = Path(ask["path"]), key_of(ask)
        if path not in self.opened:
            self.opened[path] = self.adapter.open(path)
        opened = self.opened[path]
        if ask.get("check"):
            patch = np.ascontiguousarray(self.adapter.read(opened, key))
            return {"crc": zlib.crc32(patch.data), "bytes": patch.nbytes}
        repeat = ask.get("repeat", 1)
        return timed(lambda: [self.adapter.read(opened, key) for _ in range(repeat)][0:0])

    def peak(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Read again and again, one result at a time, while somebody watches the memory."""
        opened, key = self.adapter.open(Path(ask["path"])), key_of(ask)
        end = time.perf_counter() + ask["for"]
        while time.perf_counter() < end:
            self.adapter.read(opened, key)
        self.adapter.close(opened)
        return {}

    def load(self, ask: dict[str, Any]) -> dict[str, Any]:
        return timed(lambda: self.adapter.load(Path(ask["path"])))

    def statistics(self, ask: dict[str, Any]) -> dict[str, Any]:
        values: list[float] = []
        answer = timed(lambda: values.extend(self.adapter.statistics(Path(ask["path"]))))
        return {**answer, "values": values}

    def edit(self, ask: dict[str, Any]) -> dict[str, Any]:
        path, key = Path(ask["path"]), key_of(ask)
        opened = self.adapter.open(path)
        before = np.array(self.adapter.read(opened, key))
        self.adapter.close(opened)
        answer = timed(lambda: self.adapter.edit(path, key))
        opened = self.adapter.open(path)
        answer["right"] = bool(np.array_equal(self.adapter.read(opened, key), before * 5))
        self.adapter.close(opened)
        self.adapter.restore(path, key, before)
        return answer

    def at_level(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Save or edit at a level; edits are of so many voxels a side, which differ."""
        voxels = np.load(ask["source"], mmap_mode="r")
        if side := ask.get("side"):
            voxels = np.array(voxels[-side:, -side:, -side:]) + voxels.dtype.type(ask["round"])
        path, voxels = Path(ask["path"]), np.asarray(voxels)
        return timed(lambda: self.adapter.at_level(ask["what"], path, ask["level"], voxels))

    def sync(self, ask: dict[str, Any]) -> dict[str, Any]:
        """A file of so many bytes: what fdatasync alone takes."""
        path = Path(ask["path"])
        with path.open("wb", buffering=0) as file:
            file.write(np.random.default_rng(1).bytes(ask["bytes"]))
            answer = timed(lambda: os.fdatasync(file.fileno()))
        path.unlink()
        return answer

    def create(self, ask: dict[str, Any]) -> dict[str, Any]:
        self.target = None
        shape = tuple(ask["shape"])
        self.target = self.adapter.create(Path(ask["path"]), shape, ask["dtype"], ask["chunk"])
        return {}

    def fill(self, ask: dict[str, Any]) -> dict[str, Any]:
        """So many chunks more, in C order, each assigned by itself."""
        target, chunk = self.target, ask["chunk"]
        grid = [length // chunk for length in ask["shape"]]
        random = np.random.default_rng(5)
        voxels = random.integers(0, 4, (chunk,) * 3).cumsum(0).astype(ask["dtype"])
        keys = []
        for number in range(ask["first"], ask["stop"]):
            place = np.unravel_index(number, grid)
            keys.append(tuple(slice(int(i) * chunk, int(i + 1) * chunk) for i in place))
        write = target.__setitem__

        def run() -> None:
            for key in keys:
                write(key, voxels)

        return timed(run)

    def finish(self, ask: dict[str, Any]) -> dict[str, Any]:
        def run() -> None:
            if hasattr(self.target, "close"):
                self.target.close()
            self.target = None

        return timed(run)

    def forget(self, ask: dict[str, Any]) -> dict[str, Any]:
        """Close what is open."""
        for opened in self.opened.values():
            self.adapter.close(opened)
        self.opened.clear()
        self.sources.clear()
        return {}


def timed(call: Callable[[], object]) -> dict[str, Any]:
    started = time.perf_counter()
    call()
    return {"seconds": time.perf_counter() - started}


def key_of(ask: dict[str, Any]) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in ask["box"])


def main(name: str, threads: int) -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    tasks = Tasks(ADAPTERS[name](threads))
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            answer = getattr(tasks, ask["task"])(ask)
        except NotImplementedError:
            answer = {"cannot": True}
        except Exception as error:  # of whatever library; the driver says which row it cost
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(sys.argv[1], int(sys.argv[2]))
