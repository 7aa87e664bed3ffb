"""Which libraries are compared, and where each is installed."""

from __future__ import annotations

import sys
from pathlib import Path

from .driver import Rival

__all__ = ["ALL", "ensure", "find"]

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from reference_env import ensure

# Name in the report: adapter, environment of tools/reference_env.py ("" is this one).
ALL = {
    "mlarray": ("mlarray", ""),
    "mlarray-unchecked": ("mlarray-unchecked", ""),
    "mlarray-small": ("mlarray-small", ""),
    "reference": ("mlarray", "mlarray-0.0.54"),
    "blosc2": ("blosc2", "blosc2-4.14.1"),
    "zarr": ("zarr", "zarr-3.1.6"),
    "tensorstore": ("tensorstore", "tensorstore-0.1.86"),
    "h5py": ("h5py", "h5py-3.16.0"),
    "medh5": ("medh5", "medh5-2.2.3"),
    "nibabel": ("nibabel", "nibabel-5.4.2"),
    "memmap": ("memmap", "nibabel-5.4.2"),
}


def find(names: list[str]) -> tuple[list[Rival], list[str]]:
    """Install what is missing.

    Returns
    -------
    list of Rival, list of str
        Those that can run, and why the others cannot.
    """
    found, skipped = [], []
    for name in names:
        adapter, environment = ALL[name]
        try:
            print(f"environment of {name}", file=sys.stderr, flush=True)
            python = str(ensure(environment)) if environment else sys.executable
            found.append(Rival(name, adapter, python))
        except RuntimeError as error:
            skipped.append(f"{name}: {str(error).splitlines()[0]}")
    return found, skipped
