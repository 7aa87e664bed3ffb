"""From a real scan to patches: convert, read, edit, prove, compare, look.

    python demo.py --output demo-output

Uses the MNI152 T1 template that comes in nilearn's wheel (nilearn itself is not run).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from orthoslices import draw

from mlarray import MLArray, num_threads
from mlarray.cli import read_header
from mlarray.convert import convert

SCAN = Path("datasets", "data", "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
PATCH = (64, 64, 64)
PATCHES = 50
TIMED_RUNS = 5


def find_scan() -> Path:
    """The scan inside nilearn's folder, found without importing nilearn."""
    spec = importlib.util.find_spec("nilearn")
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / SCAN).is_file():
            return Path(folder) / SCAN
    sys.exit("demo: the scan was not found; pip install --no-deps nilearn, or give --scan FILE")


def step(number: int, text: str) -> None:
    print(f"\n[{number}/7] {text}", flush=True)


def check(condition: bool, text: str) -> None:
    if not condition:
        sys.exit(f"demo: FAILED: {text}")
    print(f"      ok: {text}", flush=True)


def seconds(call: Callable[[], object], runs: int = TIMED_RUNS) -> float:
    """The fastest of several runs, files in the system's cache."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def duration(value: float) -> str:
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def random_box(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[slice, ...]:
    box = []
    for length, side in zip(shape, PATCH, strict=True):
        start = int(rng.integers(0, length - side + 1))
        box.append(slice(start, start + side))
    return tuple(box)


def compact_json(value: object, indent: str = "") -> str:
    """Sorted JSON with what fits on a line on one line."""
    line = json.dumps(value, sort_keys=True)
    if not isinstance(value, dict) or len(line) + len(indent) <= 88:
        return line
    items = (
        f"{indent}  {json.dumps(key)}: {compact_json(item, indent + '  ')}"
        for key, item in sorted(value.items())
    )
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


def read_patches(mla: Path, truth: np.ndarray) -> None:
    rng = np.random.default_rng(152)
    with MLArray.open(mla) as image:
        boxes = [random_box(rng, image.shape) for _ in range(PATCHES)]
        equal = all(np.array_equal(image[box], truth[box]) for box in boxes)
        side = " x ".join(str(length) for length in PATCH)
        check(equal, f"{PATCHES} random patches of {side} equal nibabel's, voxel for voxel")


def edit(mla: Path, truth: np.ndarray) -> None:
    """Edit a crop and the metadata in place, and prove it by reading again."""
    crop = (slice(80, 120), slice(100, 140), slice(60, 100))
    expected = truth.copy()
    expected[crop] //= 2
    before = mla.stat().st_size
    with MLArray.open(mla, mode="r+") as image:
        image[crop] //= 2
        image.meta.source["study_id"] = "demo-001"
    grown = mla.stat().st_size - before
    print(f"      the file grew by {grown / 1e3:.0f} kB, the rest was not rewritten")
    with MLArray.open(mla) as image:
        check(np.array_equal(image[...], expected), "reopened: the crop changed, nothing else")
        check(image.meta.source["study_id"] == "demo-001", "reopened: study_id is demo-001")


def compare(scan: Path, mla: Path) -> list[tuple[str, str, str]]:
    """Size and times, each side by its own library in its everyday way."""
    with MLArray.open(mla) as image:
        shape = image.shape
    box = tuple(
        slice((length - side) // 2, (length + side) // 2)
        for length, side in zip(shape, PATCH, strict=True)
    )

    def patch_from_mla() -> np.ndarray:
        with MLArray.open(mla) as image:
            return np.asarray(image[box])

    def patch_from_nifti() -> np.ndarray:
        return np.asarray(nibabel.load(scan).dataobj[box])

    def all_from_mla() -> np.ndarray:
        return np.asarray(MLArray(mla)[...])

    def all_from_nifti() -> np.ndarray:
        return np.asarray(nibabel.load(scan).dataobj)

    side = " x ".join(str(length) for length in PATCH)
    return [
        ("", ".nii.gz", ".mla"),
        ("size", f"{scan.stat().st_size / 1e6:.2f} MB", f"{mla.stat().st_size / 1e6:.2f} MB"),
        (
            f"open + one {side} patch",
            duration(seconds(patch_from_nifti)),
            duration(seconds(patch_from_mla)),
        ),
        (
            "open + all voxels",
            duration(seconds(all_from_nifti)),
            duration(seconds(all_from_mla)),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo-output"), metavar="FOLDER")
    parser.add_argument("--scan", type=Path, help="another 3-D NIfTI file, of integers")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    scan = options.scan or find_scan()
    mla = options.output / "scan.mla"
    edited = options.output / "scan-edited.mla"
    png = options.output / "slices.png"

    step(1, f"Converting {scan.name}")
    start = time.perf_counter()
    convert(scan, mla)
    print(f"      {mla} written in {duration(time.perf_counter() - start)}")
    nifti = nibabel.load(scan)
    truth = np.asanyarray(nifti.dataobj)
    with MLArray.open(mla) as image:
        check(
            image.dtype == truth.dtype and image.shape == truth.shape,
            f"{image.dtype} voxels of shape {tuple(image.shape)}, as stored in the NIfTI file",
        )
        check(np.array_equal(image.affine, nifti.affine), "every voxel keeps its position")

    step(2, "Reading random patches, memory-mapped")
    read_patches(mla, truth)

    step(3, f"Editing a crop and the metadata of a copy in place ({edited.name})")
    shutil.copyfile(mla, edited)
    edit(edited, truth)

    step(4, "What `mlarray header` prints for it (no voxel is read)")
    header = read_header(edited)
    print("      " + compact_json(header).replace("\n", "\n      "))
    check(header["array"]["shape"] == list(truth.shape), "the header has the shape")

    threads = f"nibabel 1 thread, mlarray up to {num_threads()}"
    step(5, f"Comparing with the .nii.gz (fastest of {TIMED_RUNS} runs, warm cache, {threads})")
    table = compare(scan, mla)
    for name, nifti_value, mla_value in table:
        print(f"      {name:<28}{nifti_value:>12}{mla_value:>12}")

    step(6, "Drawing three orthogonal slices")
    with MLArray.open(mla) as image:
        width, height = draw(image, png)
    print(f"      {png}: {width} x {height} pixels")

    step(7, "Summary")
    raw = truth.nbytes / 1e6
    print(f"      {scan.name}: {raw:.1f} MB of voxels")
    print(f"      size: {table[1][1]} as .nii.gz, {table[1][2]} as .mla")
    print(f"      one patch: {table[2][1]} from .nii.gz, {table[2][2]} from .mla")
    print("      all patches, the edit and the metadata were read again and are right")
    print(f"      look at {png}", flush=True)


if __name__ == "__main__":
    main()
