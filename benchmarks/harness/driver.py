"""Worker processes and turns: every library does the same thing in the same minute."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = [
    "Cell",
    "Rival",
    "Skipped",
    "Worker",
    "amount",
    "in_turns",
    "quartiles_of_ratio",
    "ratio",
    "spread",
]

_WORKER = Path(__file__).resolve().parent.parent / "worker.py"


class Rival(NamedTuple):
    """A library in an environment."""

    name: str
    adapter: str
    python: str


class Skipped(Exception):  # noqa: N818
    """What cannot be measured here, and why."""


class Cell(NamedTuple):
    """One thing measured: what was done to what, and every library's samples.

    `unit` is 's' for seconds, 'B' for bytes. Libraries without samples could not do it.
    """

    task: str
    volume: str
    detail: dict[str, Any]
    unit: str
    samples: dict[str, list[float]]

    def median(self, name: str) -> float | None:
        """Of a library's samples; None without any."""
        samples = self.samples.get(name)
        return statistics.median(samples) if samples else None


def quartiles_of_ratio(
    cell: Cell, name: str, ours: str = "mlarray"
) -> tuple[float, float, float] | None:
    """How many times ours another library takes, by the rounds in which both took part.

    Returns
    -------
    tuple of float, or None
        The lower quartile, the median and the upper quartile of the ratios of single rounds:
        above 1, ours is faster or smaller. None without a common round.
    """
    return quartiles_of_pairs(cell.samples.get(name, []), cell.samples.get(ours, []))


def quartiles_of_pairs(
    above: Sequence[float], below: Sequence[float]
) -> tuple[float, float, float] | None:
    """The quartiles of the ratios of single rounds, which is how every figure is judged."""
    ratios = [a / b for a, b in zip(above, below) if b > 0]
    if len(ratios) < 2:
        return (ratios[0],) * 3 if ratios else None
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return low, middle, high


def ratio(cell: Cell, name: str, ours: str = "mlarray") -> float | None:
    """The median of the ratios of single rounds."""
    found = quartiles_of_ratio(cell, name, ours)
    return found[1] if found else None


def spread(cell: Cell, name: str, ours: str = "mlarray") -> tuple[float, float] | None:
    """Their quartiles, of three rounds or more: what the machine's noise does."""
    found = quartiles_of_ratio(cell, name, ours)
    rounds = min(len(cell.samples.get(name, [])), len(cell.samples.get(ours, [])))
    return (found[0], found[2]) if found and rounds >= 3 else None


class Worker:
    """A process that runs one library on so many processors.

    It may run on these processors only, and the library is told so where it can be told.
    """

    def __init__(self, rival: Rival, threads: int) -> None:
        self.rival = rival
        environment = {k: v for k, v in os.environ.items() if k not in _NOT_INHERITED}
        environment["PYTHONNOUSERSITE"] = "1"
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115, closed by end(); a pipe fills up
        self.process = subprocess.Popen(
            [rival.python, str(_WORKER), rival.adapter, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
            preexec_fn=_on_processors(threads),
        )

    def ask(self, task: str, **rest: Any) -> dict[str, Any]:
        """Have a task done.

        Raises
        ------
        Skipped
            If the library cannot do it, or fails, or the process ends.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        words = {k: str(v) if isinstance(v, Path) else v for k, v in rest.items()}
        try:
            self.process.stdin.write(json.dumps({"task": task, **words}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Skipped(f"{self.rival.name}: its process ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Skipped(f"{self.rival.name}: {answer['error']}")
        if "cannot" in answer:
            raise NotImplementedError
        return answer

    def _last_words(self) -> str:
        self.process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.returncode}"

    def end(self) -> None:
        """Let the process go."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()
        self._errors.close()


# What would change how a library behaves, or leak other packages in.
_NOT_INHERITED = frozenset(
    ["PYTHONPATH", "PYTHONHOME", "MLARRAY_NUM_THREADS", "MLARRAY_VERIFY", "BLOSC_NTHREADS"]
)


def _on_processors(count: int) -> Callable[[], None] | None:
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = sorted(os.sched_getaffinity(0))[:count]
    return lambda: os.sched_setaffinity(0, chosen)


def in_turns(
    samplers: dict[str, Callable[[int], float]], rounds: int, budget: float = 2.0
) -> tuple[dict[str, list[float]], list[str]]:
    """Sample all, round after round, beginning with another one each time.

    Parameters
    ----------
    samplers : dict
        Of each library: takes the number of the round, returns the sample.
    rounds : int
        At most so many samples of each.
    budget : float
        Seconds that a library may take in all; a slow one has fewer samples, three if it can
        make them in three times that.

    Returns
    -------
    dict, list of str
        Samples by library, and what was skipped, with the reason.
    """
    names = list(samplers)
    samples: dict[str, list[float]] = {name: [] for name in names}
    spent = dict.fromkeys(names, 0.0)
    skipped: list[str] = []
    out: set[str] = set()
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if name in out or spent[name] > (budget if i >= 3 else 3 * budget):
                continue
            started = time.perf_counter()
            try:
                samples[name].append(samplers[name](i))
            except NotImplementedError:
                out.add(name)
            except Skipped as why:
                out.add(name)
                skipped.append(str(why))
            spent[name] += time.perf_counter() - started
    return {name: found for name, found in samples.items() if found}, skipped


def amount(value: float | None, unit: str) -> str:
    """A figure as a reader wants it."""
    if value is None:
        return "-"
    if unit == "B":
        return f"{value / 1e6:.2f} MB"
    if value < 1e-3:
        return f"{value * 1e6:.0f} us"
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"
