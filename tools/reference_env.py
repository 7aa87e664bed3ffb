"""Environments with other people's writers and readers of the format.

The reference implementation has our package's name, so it can never share an environment
with us. Each environment here is a plain venv that is made once and kept.

    python tools/reference_env.py              # those that the tests need
    python tools/reference_env.py blosc2-2.7.1
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The one place that names torch. Where an index has it as a CUDA build of gigabytes only,
# MLARRAY_TORCH_INDEX names another index for pip, one of CPU builds.
TORCH = "torch==2.13.0"
TORCH_INDEX = os.environ.get("MLARRAY_TORCH_INDEX", "")

# Exact versions: golden files must come out the same tomorrow. Older releases get the
# blosc2 of their own time, as far as it has wheels for today's Python versions.
REQUIREMENTS: dict[str, list[str]] = {
    "mlarray-0.0.23": ["mlarray==0.0.23", "blosc2==3.12.2", "numpy==2.2.6"],
    "mlarray-0.0.27": ["mlarray==0.0.27", "blosc2==3.12.2", "numpy==2.2.6"],
    "mlarray-0.0.28": ["mlarray==0.0.28", "blosc2==3.12.2", "numpy==2.2.6"],
    "mlarray-0.0.33": ["mlarray==0.0.33", "blosc2==4.0.0", "numpy==2.2.6"],
    "mlarray-0.0.40": ["mlarray==0.0.40", "blosc2==4.0.0", "numpy==2.2.6"],
    "mlarray-0.0.45": ["mlarray==0.0.45", "blosc2==4.1.2", "numpy==2.2.6"],
    "mlarray-0.0.48": ["mlarray==0.0.48", "blosc2==4.3.3", "numpy==2.2.6"],
    "mlarray-0.0.49": ["mlarray==0.0.49", "blosc2==4.3.3", "numpy==2.2.6"],
    "mlarray-0.0.50": ["mlarray==0.0.50", "blosc2==4.3.3", "numpy==2.2.6"],
    "mlarray-0.0.54": [
        "mlarray==0.0.54",
        "blosc2==4.14.1; python_version >= '3.11'",
        "blosc2==4.3.3; python_version < '3.11'",
        "numpy==2.2.6",
        "pydicom==3.0.1",
    ],
    # The plug-in alone: it is to run with this package, and napari is not asked for pictures.
    "napari-mlarray-0.0.3": ["--no-deps", "napari-mlarray==0.0.3"],
    "blosc2-2.7.1": ["blosc2==2.7.1", "numpy==2.2.6"],
    "blosc2-3.3.4": ["blosc2==3.3.4", "numpy==2.2.6"],
    "blosc2-4.14.1": ["blosc2==4.14.1", "numpy==2.2.6"],
    # What benchmarks/ compares with besides. Some have no wheels for Python 3.10.
    "zarr-3.1.6": ["zarr==3.1.6", "numpy==2.2.6"],
    "tensorstore-0.1.86": ["tensorstore==0.1.86", "numpy==2.2.6"],
    "h5py-3.16.0": ["h5py==3.16.0", "hdf5plugin==7.1.0", "numpy==2.2.6"],
    "medh5-2.2.3": ["medh5==2.2.3", "numpy==2.2.6"],
    "nibabel-5.4.2": ["nibabel==5.4.2", "numpy==2.2.6"],
    # What tests/training and make train-demo run in; tools/training.sh puts this package
    # beside it.
    "training": [
        TORCH,
        "numpy>=1.26",
        "hypothesis>=6.100",
        "pytest>=8.0",
        "pytest-timeout>=2.3",
        # what we are compared with, and work with
        "batchgeneratorsv2==0.3.6",
        "monai==1.6.1",
        "torchio==1.2.1",
        # examples/python/train_segmentation.py
        "matplotlib==3.10.7",
        "nibabel==5.4.2",
    ],
    # nnU-Net, for tests/training/nnunet, make nnunet-demo and benchmarks/train.py: 6.4 GB.
    # Where it looks for a trainer it imports torchvision, which needs this very torch.
    "nnunet": [
        "--only-binary=:none:",  # some of what it needs has no wheels
        "--prefer-binary",
        "torch==2.14.1",
        "torchvision==0.29.1",
        "nnunetv2==2.8.1",
        "pytest>=8.0",
        "pytest-timeout>=2.3",
    ],
    # Loaders that benchmarks/train.py compares with.
    "train-mlarray-0.0.54": ["mlarray==0.0.54", "blosc2==4.14.1", TORCH, "numpy==2.2.6"],
    "train-monai-1.6.1": ["monai==1.6.1", "nibabel==5.4.2", TORCH],
    "train-torchio-1.2.1": ["torchio==1.2.1", TORCH],
    "train-medh5-2.2.3": ["medh5==2.2.3", TORCH, "numpy==2.2.6"],
}

# What these take at least, and what pip unpacks on the way.
NEEDED_GB = {"training": 2.5, "nnunet": 8.0}
NO_SPACE = 3  # the exit status

# What tests/python/interop reads and writes our files with.
FOR_TESTS = ["mlarray-0.0.54", "mlarray-0.0.33", "blosc2-3.3.4", "blosc2-4.14.1"]
FOR_TESTS += ["napari-mlarray-0.0.3"]


class NoSpaceError(RuntimeError):
    """The disk has no room for an environment."""


def python_of(folder: Path) -> Path:
    """Return the interpreter of a venv."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would leak other packages in."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}


def ensure(name: str, parent: Path = ROOT / "build" / "venvs") -> Path:
    """Make the environment ``name`` unless it is there, and return its interpreter.

    Raises
    ------
    KeyError
        If ``name`` is not in `REQUIREMENTS`.
    NoSpaceError
        If the disk has less room than `NEEDED_GB`, or pip says so. Nothing is left behind.
    RuntimeError
        If pip fails; the text ends with pip's own.
    """
    requirements = REQUIREMENTS[name]
    folder = parent / name
    python = python_of(folder)
    stamp = folder / "requirements.txt"
    wanted = "\n".join([*requirements, f"# Python {sys.version_info[0]}.{sys.version_info[1]}"])
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent / f"{name}.lock"):
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        shutil.rmtree(folder, ignore_errors=True)
        free, needed = shutil.disk_usage(parent).free / 1e9, NEEDED_GB.get(name, 0)
        takes = f" of the {needed} GB or more that it takes" if needed else ""
        no_space = NoSpaceError(
            f"no room for the environment {name} in {parent}: {free:.1f} GB are free{takes}; "
            "free some, or make that folder a link to a larger disk"
        )
        if free < needed:
            raise no_space
        venv.create(folder, with_pip=False)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
        pip += [
            "--disable-pip-version-check",
            "--no-input",
            "--only-binary=:all:",
            "--no-compile",
        ]
        if TORCH in requirements and TORCH_INDEX:
            pip += ["--extra-index-url", TORCH_INDEX]
        result = subprocess.run(
            [*pip, *requirements],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0 and os.strerror(errno.ENOSPC) in result.stderr:
            shutil.rmtree(folder, ignore_errors=True)
            raise no_space
        if result.returncode != 0:
            raise RuntimeError(
                f"cannot make the environment {name} in {folder}: pip could not install "
                f"{', '.join(requirements)}. It needs a package index; run "
                f"'python tools/reference_env.py {name}' to try again.\n{result.stderr[-2000:]}"
            )
        stamp.write_text(wanted)
    return python


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other test processes out; the lock ends with the process that has it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(names: list[str]) -> int:
    """Make the environments named on the command line and print where they are."""
    for name in names or FOR_TESTS:
        started = time.monotonic()
        try:
            python = ensure(name)
        except NoSpaceError as error:
            print(error, file=sys.stderr)
            return NO_SPACE
        print(f"{name}: {python} ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
