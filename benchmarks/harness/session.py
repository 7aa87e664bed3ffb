"""A run: its libraries, volumes, files and workers, and what was measured so far."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from . import machine
from .adapters import ADAPTERS
from .driver import Cell, Rival, Skipped, Worker, amount, in_turns

__all__ = ["Bench", "remove"]


class Bench:
    """What all tasks share: libraries, volumes, files, workers, and the cells found so far."""

    def __init__(
        self,
        rivals: Iterable[Rival],
        folder: Path,
        volumes: dict[str, Path],
        *,
        rounds: int,
        patches: Iterable[int] = (128,),
        most_megabytes: int = 256,
        most_chunks: int = 100_000,
        limit_program: Path | None = None,
        called: Mapping[str, str] | None = None,
    ) -> None:
        self.rivals = {rival.name: rival for rival in rivals}
        self.folder, self.volumes, self.rounds = folder, volumes, rounds
        self.patches = tuple(patches)
        self.most_megabytes, self.most_chunks = most_megabytes, most_chunks
        self.limit_program = limit_program
        self._called = called or {}  # what progress calls a library, if not by its name
        self.cells: list[Cell] = []
        self.skipped: list[str] = []
        self.versions: dict[str, str] = {}
        self._workers: dict[tuple[str, int], Worker] = {}
        self._started = time.monotonic()

    def start(self) -> None:
        """Ask every library for its version; one that does not start is left out."""
        for name in list(self.rivals):
            try:
                answer = self.worker(name).ask("version")
                self.versions[name] = answer["version"]
            except Skipped as why:
                self.skip(str(why))
                del self.rivals[name]

    def worker(self, name: str, threads: int | None = None) -> Worker:
        """The process of a library, on all processors where nothing is said."""
        key = (name, threads or machine.cores())
        if key not in self._workers or self._workers[key].process.poll() is not None:
            self._workers[key] = Worker(self.rivals[name], key[1])
        return self._workers[key]

    def file(self, name: str, kind: str) -> Path:
        """The file that a library has saved of a volume; saves it if it is not there."""
        path = self.path(name, kind)
        if not path.exists():
            self.worker(name).ask("save", path=path, source=self.volumes[kind])
        return path

    def path(self, name: str, kind: str) -> Path:
        """Where that file is."""
        return self.folder / f"{name}-{kind}{self.suffix(name)}"

    def suffix(self, name: str) -> str:
        """How a library's files end."""
        return ADAPTERS[self.rivals[name].adapter].suffix

    def remove(self, name: str, kind: str) -> None:
        """Remove a library's file of a volume: who needs it next has it saved anew."""
        self.forget()
        remove(self.path(name, kind))

    def forget(self) -> None:
        """Let workers close what they have open."""
        for worker in self._workers.values():
            if worker.process.poll() is None:
                worker.ask("forget")

    def measure(
        self,
        task: str,
        volume: str,
        detail: dict[str, Any],
        samplers: dict[str, Callable[[int], float]],
        *,
        unit: str = "s",
        rounds: int | None = None,
        budget: float = 2.0,
    ) -> Cell:
        """Sample in turns, keep the cell and say how it went."""
        samples, skipped = in_turns(samplers, rounds or self.rounds, budget)
        for why in skipped:
            self.skip(f"{task}, {volume}: {why}")
        return self.add(Cell(task, volume, detail, unit, samples))

    def add(self, cell: Cell) -> Cell:
        """Keep a cell, and show it as progress."""
        self.cells.append(cell)
        shown = [
            f"{self._called.get(name, name)} {amount(cell.median(name), cell.unit)}"
            for name in cell.samples
        ]
        words = [str(value) for value in cell.detail.values()]
        at = time.monotonic() - self._started
        print(
            f"[{at:5.0f} s] {' '.join([cell.task, cell.volume, *words])}: {', '.join(shown)}",
            file=sys.stderr,
            flush=True,
        )
        return cell

    def skip(self, why: str) -> None:
        """Say that something is not measured."""
        if why not in self.skipped:
            self.skipped.append(why)
            print(f"skipped: {why}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.end()
        self._workers.clear()


def remove(path: Path) -> None:
    """Remove a file, or a store that is a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
