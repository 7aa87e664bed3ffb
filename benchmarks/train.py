"""Batches for training beside other loaders, in turns, and a report.

make bench-train                         everything
make bench-train ONLY=128,64             some of it
build/venv/bin/python benchmarks/train.py --help
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import train_nnunet
from harness import machine
from harness.driver import quartiles_of_pairs
from harness.rivals import ensure
from harness.volumes import make_volumes
from train_process import Worker

ROOT = Path(__file__).resolve().parent.parent

SHAPE = (256, 320, 256)
CASES = 4
CASES_OF_SHAPES = 2  # one has 4 channels of 256 x 320 x 256
TASKS = {
    "128": ("128^3, int16 and uint8", (128, 128, 128), 2, 1 / 3, 5.0),
    "64": ("64^3, int16 and uint8", (64, 64, 64), 8, 1 / 3, 8.0),
    "slices": ("256^2 slices, int16 and uint8", (1, 256, 256), 32, 0.0, None),
}
PIPELINES_TASK = "pipelines"
TASKS[PIPELINES_TASK] = ("96^3, augmented", (96, 96, 96), 2, 0.5, None)
SLICES_TARGET = 10_000.0  # a second
FAR_AWAY = 20  # times as slow as ours: such loaders have fewer rounds
ROUNDS_OF_THEIRS = 3
PARTS = [*TASKS, "many", "nnunet"]
MORE = ["nnunet-shapes"]  # only where it is asked for


class Loader(NamedTuple):
    """A loader, whose files it reads, and how many workers it has."""

    name: str
    loader: str
    environment: str
    files: str
    workers: int | None = None


OURS = Loader("mlarray", "ours", "training", "ours")
LOADERS = [
    OURS,
    Loader("mlarray, the reference's files", "ours", "training", "reference"),
    Loader("mlarray, .b2nd as nnU-Net's", "ours", "training", "b2nd"),
    Loader("mlarray, files saved for the patch", "ours", "training", "patch"),
    *(
        Loader(f"reference, {n} workers", "reference", "train-mlarray-0.0.54", "reference", n)
        for n in range(4)
    ),
    *(
        Loader(f"MONAI, no cache, {n} workers", "monai", "train-monai-1.6.1", "nifti", n)
        for n in (0, 2)
    ),
    *(
        Loader(f"TorchIO's Queue, {n} workers", "torchio", "train-torchio-1.2.1", "nifti", n)
        for n in (0, 2)
    ),
    *(
        Loader(f"medh5's PatchDataset, {n} workers", "medh5", "train-medh5-2.2.3", "medh5", n)
        for n in (0, 2)
    ),
]
# The same augmentation by each library's own transforms: train_pipelines.py.
PIPELINES = [
    Loader("mlarray", "pipeline:mlarray", "training", "ours"),
    *(
        Loader(f"MONAI, {files}, {n} workers", "pipeline:monai", "training", which, n)
        for n in (0, 2)
        for files, which in (("NIfTI", "nifti"), ("patches of .mla", "ours"))
    ),
    *(
        Loader(f"TorchIO, NIfTI, {n} workers", "pipeline:torchio", "training", "nifti", n)
        for n in (0, 2)
    ),
    Loader("TorchIO, patches of .mla", "pipeline:torchio", "training", "ours", 0),
]


def make_data(work: Path) -> dict[str, list[dict[str, Any]]]:
    """The cases, in the files of each writer."""
    volumes, _ = make_volumes(work / "volumes", SHAPE, ("int16", "uint8"))
    arrays = work / "arrays"
    arrays.mkdir(parents=True, exist_ok=True)
    image, label = np.load(volumes["int16"]), np.load(volumes["uint8"])
    facts: list[dict[str, Any]] = []
    for number in range(CASES):
        paths = {what: arrays / f"{number}{what}.npy" for what in ("image", "label")}
        centers = arrays / f"{number}centers.npy"
        flips = tuple(slice(None, None, -1 if number >> axis & 1 else 1) for axis in range(3))
        if not centers.exists():
            noise = np.random.default_rng(number).integers(-3, 4, SHAPE, np.int16)
            np.save(paths["image"], image[flips] + noise)
            flipped = np.ascontiguousarray(label[flips])
            np.save(paths["label"], flipped)
            found = np.flatnonzero(flipped)
            chosen = np.random.default_rng(number).choice(found, 10_000)
            np.save(centers, np.stack(np.unravel_index(chosen, SHAPE), axis=1))
        facts.append({**paths, "shape": SHAPE, "centers": str(centers)})
    names: dict[str, tuple[str, str, dict[str, Any]]] = {
        "ours": ("training", ".mla", {}),
        "reference": ("train-mlarray-0.0.54", ".mla", {}),
        "b2nd": ("train-mlarray-0.0.54", ".b2nd", {}),
        "nifti": ("", ".nii", {}),
        "medh5": ("train-medh5-2.2.3", ".medh5", {}),
    }
    for task, (_, patch, *_) in TASKS.items():
        names[f"patch-{task}"] = ("training", ".mla", {"patch_size": patch})
    found_cases = {}
    for writer, (environment, suffix, how) in names.items():
        folder = work / writer
        folder.mkdir(exist_ok=True)
        cases = [
            {
                **case,
                "image": str(folder / f"{number}{suffix}"),
                # medh5 has both in one file.
                "label": str(
                    folder / f"{number}{'' if suffix == '.medh5' else '_seg'}{suffix}"
                ),
            }
            for number, case in enumerate(facts)
        ]
        jobs: list[tuple[str, ...]] = [
            (str(case[what]), made[what])
            for case, made in zip(facts, cases)
            for what in ("image", "label")
        ]
        if suffix == ".medh5":
            jobs = [(*pair, cases[i]["image"]) for i, pair in enumerate(_pairs(facts))]
        jobs = [job for job in jobs if not Path(job[-1]).exists()]
        if jobs and suffix == ".nii":
            _save_nifti(jobs)
        elif jobs:
            worker = Worker(
                str(ensure(environment)), {"save": jobs, "options": how}, work / "save.log"
            )
            worker.answer()
            worker.end()
        found_cases[writer] = [
            {key: value for key, value in case.items() if not isinstance(value, Path)}
            for case in cases
        ]
    return found_cases


def _pairs(facts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(str(case["image"]), str(case["label"])) for case in facts]


def _save_nifti(jobs: list[tuple[str, ...]]) -> None:
    import nibabel

    make: Any = nibabel.Nifti1Image
    for source, target in jobs:
        nibabel.save(make(np.load(source), np.eye(4)), target)


def index_seconds(python: Path, cases: list[dict[str, Any]]) -> float:
    """Store label indexes in the files, as `mlarray index` does."""
    paths = [case["label"] for case in cases]
    start = time.perf_counter()
    command = [python, "-m", "mlarray.cli.main", "index", "-q", *paths]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def side_by_side(
    task: str, data: dict[str, Any], options: argparse.Namespace, skipped: list[str]
) -> dict[str, list[float]]:
    """Samples a second of each loader, one figure a round; all take turns."""
    title, patch, batch, foreground, _ = TASKS[task]
    workers: dict[str, Worker] = {}
    rates: dict[str, list[float]] = {}
    for one in PIPELINES if task == PIPELINES_TASK else LOADERS:
        if task == "slices" and one.loader in ("monai", "torchio"):
            continue
        setup = {
            "loader": one.loader,
            "patch": patch,
            "batch": batch,
            "foreground": foreground,
            "workers": one.workers,
            "cases": data[f"patch-{task}" if one.files == "patch" else one.files],
        }
        try:
            python = str(ensure(one.environment))
            log = options.output / f"{task}-{one.name.replace(' ', '-').replace(',', '')}.log"
            worker = Worker(python, setup, log)
            first = worker.answer()
        except RuntimeError as error:
            skipped.append(f"{title}: {one.name}: {error}")
            continue
        print(f"{task}: {one.name}: first batch after {first:.2f} s", file=sys.stderr)
        workers[one.name] = worker
        rates[one.name] = []
    names = list(workers)
    for turn in range(options.rounds):
        if turn == ROUNDS_OF_THEIRS and rates.get(OURS.name):
            least = statistics.median(rates[OURS.name]) / FAR_AWAY
            names = [name for name in names if statistics.median(rates[name]) >= least]
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            try:
                rates[name].append(workers[name].rate(options.seconds))
            except RuntimeError as error:
                skipped.append(f"{title}: {name}: {error}")
                names = [other for other in names if other != name]
    for worker in workers.values():
        worker.end()
    return {name: samples for name, samples in rates.items() if samples}


def many_cases(work: Path, case: dict[str, Any], count: int) -> dict[str, Any]:
    """A loader of so many cases, which are links."""
    folder = work / f"links-{count}"
    folder.mkdir(exist_ok=True)
    listing = work / f"links-{count}.txt"
    path_bytes = 0
    with listing.open("w") as lines:
        for number in range(count):
            pair = [folder / f"{number}{what}.mla" for what in ("", "_seg")]
            for link, key in zip(pair, ("image", "label")):
                if not link.is_symlink():
                    link.symlink_to(case[key])
                path_bytes += len(str(link))
            print(*pair, file=lines)
    patch, batch, prefetch = (64, 64, 64), 2, 16 << 20
    setup = {
        "loader": "scale",
        "list": str(listing),
        "patch": patch,
        "batch": batch,
        "prefetch_bytes": prefetch,
        "batches": 200,
    }
    worker = Worker(str(ensure("training")), setup, work / "scale.log")
    found: dict[str, Any] = worker.answer()
    worker.end()
    batch_bytes = batch * 64**3 * 5
    allowed = prefetch + batch_bytes + (64 << 20) + 200 * count + path_bytes
    return {**found, "cases": count, "path_bytes": path_bytes, "allowed_bytes": allowed}


def rate_text(samples: float) -> str:
    """Samples a second, as reports say them."""
    return f"{samples:,.0f}" if samples >= 20 else f"{samples:.1f}"


def times_text(ours: list[float], theirs: list[float]) -> str:
    """The median of the ratios of single rounds, with their quartiles."""
    found = quartiles_of_pairs(ours, theirs)
    return "" if found is None else f"{found[1]:.1f} ({found[0]:.1f} - {found[2]:.1f})"


def report(result: dict[str, Any]) -> Iterator[str]:
    """The report's lines."""
    yield "# Batches for training\n"
    facts = ", ".join(f"{key} {value}" for key, value in result["machine"].items() if value)
    yield f"{facts}; load before {result['load']:.1f}. Judge no figure of a busy machine;"
    yield "loaders take turns. Ratios: the median of those of single rounds, and quartiles.\n"
    for task, rates in result["rates"].items():
        title, _, batch, _, target = TASKS[task]
        yield f"## {title}, batches of {batch}\n"
        yield "| loader | samples a second | least, most of the rounds | times as fast |"
        yield "|---|---|---|---|"
        mine = rates.get(OURS.name, [])
        for name, samples in rates.items():
            ratio = "" if name == OURS.name else times_text(mine, samples)
            yield (
                f"| {name} | {rate_text(statistics.median(samples))} "
                f"| {rate_text(min(samples))}, {rate_text(max(samples))} | {ratio} |"
            )
        theirs = [samples for name, samples in rates.items() if name.startswith("reference,")]
        if target and theirs and mine:
            fastest = max(theirs, key=statistics.median)
            found = quartiles_of_pairs(mine, fastest)
            verdict = "met" if found and found[1] >= target else "not met"
            yield (
                f"\nThe reference's best: {times_text(mine, fastest)} times as fast "
                f"(target {target:.0f}: {verdict})."
            )
            for name, samples in rates.items():
                if name.startswith("mlarray,"):
                    yield f"{name}: {times_text(samples, fastest)} times."
        if task == "slices":
            verdict = "met" if mine and statistics.median(mine) >= SLICES_TARGET else "not met"
            yield f"\nTarget {SLICES_TARGET:,.0f} a second: {verdict}."
        yield ""
    yield from train_nnunet.report({**result["nnunet"], **result["nnunet_shapes"]})
    if result["many"]:
        yield "## Many cases\n"
        yield "64^3, batches of 2, balanced, 16 MB read ahead; every case is a link to one.\n"
        yield (
            "| | target | " + " | ".join(f"{m['cases']:,} cases" for m in result["many"]) + " |"
        )
        yield "|---|---|" + "---|" * len(result["many"])
        for label, goal, key, factor in (
            ("loader made, ms", "", "made", 1e3),
            ("first batch, ms", "300", "first_batch", 1e3),
            ("load_state_dict in mid-epoch, ms", "10", "resume", 1e3),
            ("batch after that, ms", "", "batch_after_resume", 1e3),
            ("state, bytes", "1,024", "state_bytes", 1),
            ("memory that the loader takes, MB", "", "more_bytes", 1e-6),
            (
                "allowed: (prefetch + 1) batches, 64 MB, 200 B a case, paths",
                "",
                "allowed_bytes",
                1e-6,
            ),
        ):
            cells = " | ".join(f"{m[key] * factor:,.1f}" for m in result["many"])
            yield f"| {label} | {goal} | {cells} |"
        yield ""
    if result["skipped"]:
        yield "## Not here\n"
        yield from (f"- {why}" for why in result["skipped"])
        yield ""
    yield "## How\n"
    yield (
        f"{CASES} cases of {SHAPE}, made from one scan, as each library's own save writes them "
        f"without options (NIfTI: uncompressed, float to the reader's liking). Images become "
        f"float32, labels stay uint8. A third of the samples lie around a voxel of a class; "
        f"TorchIO's LabelSampler draws all of them so. Each loader is a process; a round is "
        f"{result['seconds']} s after a quarter of that which does not count: batches were "
        f"read ahead. Who has no turn stands still. Who is more than {FAR_AWAY} times slower "
        f"than ours has {ROUNDS_OF_THEIRS} rounds. Beside nnU-Net's loader ours has a third of "
        f"a round."
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        default=",".join(PARTS),
        help="some of " + ", ".join([*PARTS, *MORE]),
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.5, help="of a round of one loader")
    parser.add_argument(
        "--samples",
        type=int,
        default=500,
        help="at least so many of a side, beside nnU-Net's transforms",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench-train")
    options = parser.parse_args()
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    skipped: list[str] = []
    only = options.only.split(",")
    work = options.output / "work"
    work.mkdir(exist_ok=True)
    result: dict[str, Any] = {
        "machine": machine.facts(),
        "load": machine.load(),
        "seconds": options.seconds,
        "rates": {},
        "many": [],
        "nnunet": {},
        "nnunet_shapes": {},
        "skipped": skipped,
    }
    data = make_data(work)
    mine = [files for writer, files in data.items() if writer == "ours" or "patch-" in writer]
    result["index_seconds"] = [index_seconds(ensure("training"), files) for files in mine]
    for task in TASKS:
        if task in only:
            result["rates"][task] = side_by_side(task, data, options, skipped)
    if "many" in only:
        result["many"] = [
            many_cases(work, data["ours"][0], count) for count in (1_000, 100_000)
        ]
    if "nnunet" in only:
        try:
            result["nnunet"] = train_nnunet.measure(work, CASES, options)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            skipped.append(f"nnU-Net's loader: {error}")
    if "nnunet-shapes" in only:
        for name in train_nnunet.SHAPES:
            try:
                found = train_nnunet.measure_shape(name, work, CASES_OF_SHAPES, options)
                result["nnunet_shapes"][f"with its transforms ({name})"] = found
            except (RuntimeError, subprocess.CalledProcessError) as error:
                skipped.append(f"nnU-Net's loader, {name}: {error}")
    (options.output / "results.json").write_text(json.dumps(result, indent=1))
    path = options.output / "report.md"
    path.write_text("\n".join(report(result)) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))
    print(f"{path}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
