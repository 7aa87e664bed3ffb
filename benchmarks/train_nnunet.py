"""A part of train.py: nnU-Net's own loader beside ours, on what it has preprocessed."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from harness.driver import quartiles_of_pairs
from harness.rivals import ensure
from train_process import Worker

__all__ = ["measure", "report"]

PATCH = (128, 128, 128)
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
        "patch": PATCH,
        "batch": 2,
        "augment": augmented,
    }
    log = logs / f"nnunet-{loader}-{folder.name}-{'augmented' if augmented else 'plain'}.log"
    one = Worker(python, setup, log)
    print(f"nnunet: {name}: first batch after {one.answer():.2f} s", file=sys.stderr)
    return one


def measure(work: Path, cases: int, options: argparse.Namespace) -> dict[str, Any]:
    """nnU-Net's loader beside ours on what it has preprocessed, with and without transforms."""
    python = str(ensure("nnunet"))
    folder, converted = work / "nnunet" / "own", work / "nnunet" / "converted"
    if not list(folder.glob(f"case_{cases - 1}.pkl")):
        pairs = [
            [str(work / "arrays" / f"{n}{what}.npy") for what in ("image", "label")]
            for n in range(cases)
        ]
        setup = {"nnunet_save": pairs, "folder": str(folder), "patch": PATCH}
        worker = Worker(python, setup, work / "nnunet-save.log")
        worker.answer()
        worker.end()
    patch = ",".join(map(str, PATCH))
    command = ["nnunet-convert", "-q", "--patch", patch, str(folder), str(converted)]
    subprocess.run(
        [python, "-m", "mlarray.cli.main", *command], check=True, stdout=subprocess.DEVNULL
    )
    indexes = work / "nnunet" / "indexes"
    found: dict[str, Any] = {}
    for title, augmented in (("with its transforms", True), ("without transforms", False)):
        worker_of = partial(start, python, options.output, indexes, augmented)
        trials = {}
        for count in PROCESSES:
            trial = worker_of(f"{count} processes, a trial", "nnunet", folder, count)
            trials[count] = trial.rate(2 * options.seconds)
            trial.end()
        best = max(trials, key=lambda count: trials[count])
        workers = {
            f"nnU-Net's, {best} processes": worker_of("nnU-Net's", "nnunet", folder, best),
            "mlarray, the folder in place": worker_of("in place", "nnunet_ours", folder, 0),
            "mlarray, the folder converted": worker_of(
                "converted", "nnunet_ours", converted, 0
            ),
        }
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in workers}
        names = list(workers)
        turn = 0
        while turn < options.rounds or fewest(rounds) < options.samples:
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                rounds[name].append(workers[name].round(options.seconds))
            turn += 1
        for one in workers.values():
            one.end()
        found[title] = {"trials": trials, "rounds": rounds}
    return found


def report(found: dict[str, Any]) -> Iterator[str]:
    """What measure() has found, as lines."""
    patch = " x ".join(map(str, PATCH))
    for title, one in found.items():
        yield f"## nnU-Net's loader {title}, {patch}, batches of 2\n"
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
        if title.startswith("with its"):
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
