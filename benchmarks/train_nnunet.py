"""A part of train.py: nnU-Net's own loader beside ours, on what it has preprocessed."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.driver import quartiles_of_pairs
from harness.rivals import ensure
from train_process import Worker

__all__ = ["SHAPES", "measure", "measure_shape", "report"]


class Shape(NamedTuple):
    """What a network of nnU-Net's gets."""

    patch: tuple[int, ...]
    batch: int
    channels: int = 1

    def text(self) -> str:
        sides = " x ".join(map(str, self.patch))
        return sides if self.channels == 1 else f"{self.channels} channels of {sides}"


USUAL = Shape((128, 128, 128), 2)
SHAPES = {
    "channels": Shape((128, 128, 128), 2, 4),
    "dummy-2d": Shape((20, 320, 320), 2),
    "2d": Shape((512, 512), 12),
}
PROCESSES = (1, 2, 3, 4)
TARGETS = (8, 10)  # times nnU-Net's loader, on its folder in place and converted
MOST_MS = 28  # of a processor, a sample, on the converted folder
MOST_READ = 1.5  # voxels, for each of a patch


def fewest(rounds: dict[str, list[dict[str, float]]]) -> float:
    """Samples of the loader that has given least."""
    return min(sum(one["samples"] for one in told) for told in rounds.values())


def start(
    python: str,
    logs: Path,
    indexes: Path,
    shape: Shape,
    augmented: bool,
    name: str,
    loader: str,
    folder: Path,
    count: int,
) -> Worker:
    """The process of a loader, after its first batch."""
    setup = {
        "loader": loader,
        "folder": str(folder),
        "cache": str(indexes),
        "workers": count,
        **shape._asdict(),
        "augment": augmented,
    }
    log = logs / f"nnunet-{loader}-{folder.name}-{'augmented' if augmented else 'plain'}.log"
    one = Worker(python, setup, log)
    print(
        f"nnunet, {shape.text()}: {name}: first batch after {one.answer():.2f} s",
        file=sys.stderr,
    )
    return one


def make_folders(
    python: str, work: Path, name: str, shape: Shape, cases: int
) -> tuple[Path, Path]:
    """Cases as nnU-Net preprocesses them for a shape, and the same converted."""
    folder, converted = work / name / "own", work / name / "converted"
    if not list(folder.glob(f"case_{cases - 1}.pkl")):
        pairs = [
            [str(work / "arrays" / f"{n}{what}.npy") for what in ("image", "label")]
            for n in range(cases)
        ]
        setup = {"nnunet_save": pairs, "folder": str(folder), **shape._asdict()}
        worker = Worker(python, setup, work / "nnunet-save.log")
        worker.answer()
        worker.end()
    patch = ",".join(map(str, (1, *shape.patch)[-3:]))
    command = ["nnunet-convert", "-q", "--patch", patch, str(folder), str(converted)]
    subprocess.run(
        [python, "-m", "mlarray.cli.main", *command], check=True, stdout=subprocess.DEVNULL
    )
    return folder, converted


def side_by_side(
    python: str,
    folders: tuple[Path, Path],
    shape: Shape,
    augmented: bool,
    options: argparse.Namespace,
    processes: tuple[int, ...] = PROCESSES,
) -> dict[str, Any]:
    """Rounds of nnU-Net's loader, at its best number of processes, and of ours.

    Ours have a third of the time: they get many samples in it.
    """
    folder, converted = folders
    worker_of = partial(
        start, python, options.output, folder.parent / "indexes", shape, augmented
    )
    with ExitStack() as running:

        def worker(*what: Any) -> Worker:
            one = worker_of(*what)
            running.callback(one.end)
            return one

        trials = {}
        for count in processes:
            trial = worker(f"{count} processes, a trial", "nnunet", folder, count)
            trials[count] = trial.rate(2 * options.seconds)
            running.close()
        best = max(trials, key=lambda count: trials[count])
        workers = {
            f"nnU-Net's, {best} processes": worker("nnU-Net's", "nnunet", folder, best),
            "mlarray, the folder in place": worker("in place", "nnunet_ours", folder, 0),
            "mlarray, the folder converted": worker("converted", "nnunet_ours", converted, 0),
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
        names = list(workers)
        turn = 0
        least = options.samples if augmented else 0
        while turn < options.rounds or fewest(rounds) < least:
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                seconds = options.seconds if name.startswith("nnU-Net") else options.seconds / 3
                rounds[name].append(workers[name].round(seconds))
            turn += 1
    return {"shape": shape, "trials": trials, "rounds": rounds}


def measure(work: Path, cases: int, options: argparse.Namespace) -> dict[str, Any]:
    """nnU-Net's loader beside ours on what it has preprocessed, with and without transforms."""
    python = str(ensure("nnunet"))
    folders = make_folders(python, work, "nnunet", USUAL, cases)
    augmented = side_by_side(python, folders, USUAL, True, options)
    trials: dict[int, float] = augmented["trials"]
    best_two = tuple(sorted(sorted(trials, key=lambda count: trials[count])[-2:]))
    return {
        "with its transforms": augmented,
        "without transforms": side_by_side(python, folders, USUAL, False, options, best_two),
    }


def measure_shape(
    name: str, work: Path, cases: int, options: argparse.Namespace
) -> dict[str, Any]:
    """The same with its transforms for another network than the usual one."""
    python, shape = str(ensure("nnunet")), SHAPES[name]
    folders = make_folders(python, work, f"nnunet-{name}", shape, cases)
    return side_by_side(python, folders, shape, True, options)


def report(found: dict[str, Any]) -> Iterator[str]:
    """What measure() and measure_shape() have found, as lines."""
    for title, one in found.items():
        shape = Shape(*one["shape"])
        yield f"## nnU-Net's loader {title}, {shape.text()}, batches of {shape.batch}\n"
        yield (
            "| loader | samples a second | least, most of the rounds | times nnU-Net's "
            "| processor ms a sample | voxels read a voxel | samples |"
        )
        yield "|---|---|---|---|---|---|---|"
        base: list[float] = []
        ratios, last = [], (0.0, 0.0)
        for name, told in one["rounds"].items():
            rates = [t["rate"] for t in told]
            samples = sum(t["samples"] for t in told)
            spent = 1e3 * sum(t["processor_seconds"] for t in told) / samples
            rate = statistics.median(rates)
            base = base or rates
            low, middle, high = quartiles_of_pairs(rates, base) or (0.0,) * 3
            ratios.append(middle)
            last = (spent, told[-1]["voxels_read"])
            yield (
                f"| {name} | {rate:,.1f} | {min(rates):,.1f}, {max(rates):,.1f} "
                f"| {middle:.1f} ({low:.1f} - {high:.1f}) | {spent:,.1f} "
                f"| {told[-1]['voxels_read']:.2f} | {samples:,.0f} |"
            )
        trials = ", ".join(f"{count}: {rate:.1f}" for count, rate in one["trials"].items())
        yield f"\nnnU-Net's samples a second by its number of processes, in a trial: {trials}."
        if title == "with its transforms":
            for ratio, goal, where in zip(ratios[1:], TARGETS, ("in place", "converted")):
                verdict = "met" if ratio >= goal else "not met"
                yield f"Target {where} {goal} times: {ratio:.1f}, {verdict}."
            verdicts = [
                "met" if value <= most else "not met"
                for value, most in zip(last, (MOST_MS, MOST_READ))
            ]
            yield (
                f"Converted, at most {MOST_MS} processor ms a sample: {verdicts[0]}; at most "
                f"{MOST_READ} voxels read a voxel: {verdicts[1]}."
            )
        yield ""
