"""``mlarray bench-loader DIR``: how many patches a second, and where the time goes."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..convert._model import import_package
from ._files import at_least_one
from ._packing import patch_lengths
from ._progress import Progress
from ._run import add_json, printable
from ._table import table

if TYPE_CHECKING:
    from ..training import PatchLoader

__all__ = ["add_arguments", "command"]

DESCRIPTION = (
    "Measure how many patches a second a folder gives. Batches are read as for training, and "
    "thrown away. The table says what the threads' time went into."
)
EXAMPLES = """\
examples:
  mlarray bench-loader imagesTr --patch 128
  mlarray bench-loader imagesTr --labels labelsTr --patch 128,128,64 --foreground 0.5
  mlarray bench-loader nnUNetPlans_3d_fullres --patch 128 -j 8 --svg times.svg
"""

_PARTS = {
    "draw": "choosing boxes",
    "open": "cases, indexes of their labels",
    "read": "disk, checksums, decoding",
    "convert": "types, padding",
    "blocked": "threads had nothing to do",
}
_COLORS = ("#edae49", "#d1495b", "#30638e", "#66a182", "#d9d9d9")
_TITLES = ("part", "ms a sample", "share", "what")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="images, or a folder of nnU-Net's")
    parser.add_argument("--labels", metavar="DIR", help="label maps of the same names")
    parser.add_argument(
        "--patch",
        type=patch_lengths,
        metavar="N[,N...]",
        help="voxels along each axis (default: what the files were saved for)",
    )
    parser.add_argument(
        "--batch",
        type=at_least_one,
        default=2,
        metavar="N",
        help="samples in a batch (default: 2)",
    )
    parser.add_argument(
        "--samples",
        type=at_least_one,
        default=500,
        metavar="N",
        help="how many are read (default: 500)",
    )
    parser.add_argument(
        "--foreground",
        type=float,
        default=None,
        metavar="SHARE",
        help="samples around a voxel of a class (default: 0.33 with label maps)",
    )
    parser.add_argument(
        "-j", "--jobs", type=at_least_one, metavar="N", help="threads (default: processors)"
    )
    parser.add_argument(
        "--svg", metavar="FILE", help="draw the times into a file (needs matplotlib)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_json(parser, "print the figures as JSON")


def command(options: argparse.Namespace) -> int | None:
    from ..training import Balanced, PatchLoader, Uniform, cases_from_folder

    if options.svg:
        import_package("matplotlib", "--svg", "plot")  # before the time is spent
    labelled = cases_from_folder(options.folder, options.labels)[0].label is not None
    share = options.foreground if options.foreground is not None else 0.33 * labelled
    samples = max(options.samples // options.batch, 1) * options.batch
    with PatchLoader.from_folder(
        options.folder,
        options.labels,
        options.patch,
        batch_size=options.batch,
        sampler=Balanced(share) if share else Uniform(),
        samples_per_epoch=samples,
        threads=options.jobs,
    ) as loader:
        figures = _measure(loader, options.jobs, options.quiet)
    if options.svg:
        _draw(figures, options.svg)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for line in _lines(figures):
            print(printable(line))
    return None


def _measure(loader: PatchLoader, jobs: int | None, quiet: bool) -> dict[str, Any]:
    from .._settings import num_threads

    first = 0.0
    batches = len(loader)
    start = time.perf_counter()
    with Progress(1, batches, quiet) as progress:
        for number, _ in enumerate(loader):
            first = first or time.perf_counter() - start
            progress.show(number + 1, "reading")
            if number + 1 == batches:  # the next epoch is not ours
                break
        seconds = time.perf_counter() - start
    times = loader.times
    return {
        "cases": len(loader.cases),
        "patch_size": list(loader.patch_size),
        "batch_size": loader.batch_size,
        "threads": jobs or num_threads(),
        "samples": batches * loader.batch_size,
        "seconds": seconds,
        "seconds_to_first_batch": first,
        "samples_per_second": batches * loader.batch_size / seconds,
        "thread_seconds": {part: getattr(times, part) for part in _PARTS},
    }


def _lines(figures: dict[str, Any]) -> Iterator[str]:
    patch = " x ".join(map(str, figures["patch_size"]))
    threads = figures["threads"]
    yield (
        f"{figures['cases']} case{'s'[: figures['cases'] != 1]}, patches of {patch}, "
        f"batches of {figures['batch_size']}, {threads} thread{'s'[: threads != 1]}"
    )
    yield ""
    yield f"samples a second  {figures['samples_per_second']:.0f}"
    yield f"first batch       {figures['seconds_to_first_batch']:.3f} s"
    yield ""
    parts = figures["thread_seconds"]
    total = sum(parts.values()) or 1.0
    rows = [
        [
            name,
            f"{1000 * parts[name] / figures['samples']:.3f}",
            f"{100 * parts[name] / total:.0f} %",
            what,
        ]
        for name, what in _PARTS.items()
    ]
    yield from table(_TITLES, rows, _TITLES[1:3])
    yield ""
    yield "times of all threads together; what a sample costs on one of them"


def _draw(figures: dict[str, Any], file: str) -> None:
    """One bar of the times a sample, part by part."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.2), layout="constrained")
    patch = " x ".join(map(str, figures["patch_size"]))
    title = f"Patches of {patch}: {figures['samples_per_second']:.0f} a second"
    axes = figure.add_subplot(title=title, xlabel="ms of a thread, a sample", yticks=[])
    left = 0.0
    for (name, what), color in zip(_PARTS.items(), _COLORS):
        width = 1000 * figures["thread_seconds"][name] / figures["samples"]
        axes.barh(0, width, left=left, color=color, label=f"{name}: {what}")
        left += width
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    with rc_context({"svg.fonttype": "none"}):  # text stays text
        figure.savefig(file, format="svg")
