"""The volumes that everything is timed on.

A brain scan, the MNI152 T1 template in nilearn's wheel, scaled to 0..1 and enlarged linearly
to z; from it, as in a CT, ``1500 z`` and -1000 in air, with noise, as int16; its z-score as
float32; tissue classes as uint8. Without nilearn a body made by formula takes its place.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["KINDS", "SHAPE", "make_volumes", "shape_of"]

KINDS = ("int16", "float32", "uint8")
SHAPE = (448, 512, 448)
_SCAN = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"
_AIR, _TISSUES = 0.02, (0.02, 0.3, 0.5, 0.7)
_VERSION = 1  # of the recipe: files of another one are made anew

Array = np.ndarray[Any, Any]


def make_volumes(
    folder: Path, shape: tuple[int, int, int], kinds: tuple[str, ...] = KINDS
) -> tuple[dict[str, Path], str]:
    """Make the volumes as ``.npy`` files unless they are there.

    Returns
    -------
    dict, str
        The path of each kind, and what they were made from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scan, source = _scan()
    name = "x".join(map(str, shape))
    paths = {kind: folder / f"{kind}-{name}.npy" for kind in kinds}
    stamp = folder / f"{name}.json"
    wanted = json.dumps([_VERSION, source])
    known = stamp.exists() and stamp.read_text() == wanted
    missing = [kind for kind in kinds if not known or not paths[kind].exists()]
    if missing:
        # The z-score is of the int16 volume, so that is made with every other.
        ct = folder / f"int16-{name}.npy"
        if not known or not ct.exists():
            _write_ct(ct, scan, shape)
        if "float32" in missing:
            _write_z_score(paths["float32"], ct)
        if "uint8" in missing:
            _write(
                paths["uint8"],
                "uint8",
                shape,
                (np.digitize(z, _TISSUES).astype(np.uint8) for z in _planes(scan, shape)),
            )
        stamp.write_text(wanted)
    return paths, source


def shape_of(megabytes: int) -> tuple[int, int, int]:
    """A cube of about so many megabytes of int16, for volumes that grow."""
    side = round((megabytes * 1e6 / 2) ** (1 / 3) / 16) * 16
    return (side, side, side)


def _scan() -> tuple[Array, str]:
    found = importlib.util.find_spec("nilearn")  # which is not imported
    if found is not None and found.submodule_search_locations:
        path = Path(found.submodule_search_locations[0]) / _SCAN
        if path.exists():
            import nibabel

            image: Any = nibabel.load(path)
            voxels = np.asarray(image.dataobj, dtype=np.float32)
            return voxels / voxels.max(), "the MNI152 T1 template of nilearn"
    grid = np.linspace(-1, 1, 96, dtype=np.float32)
    z, y, x = np.meshgrid(grid, grid, grid, indexing="ij", sparse=True)
    radius = np.sqrt(z * z + (y * 1.2) ** 2 + (x * 1.1) ** 2)
    body = 0.5 + 0.3 * np.sin(9 * x + 4 * z) * np.cos(7 * y) - 0.2 * radius
    return np.where(radius < 0.9, np.clip(body, _AIR, 1), 0), "a body made by formula"


def _planes(scan: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """`scan` enlarged linearly to `shape`, plane by plane: 4 GB need not fit in memory."""

    def places(axis: int) -> tuple[Array, Array, Array]:
        at = np.linspace(0, scan.shape[axis] - 1, shape[axis])
        low = np.minimum(at.astype(np.int64), scan.shape[axis] - 2)
        return low, low + 1, (at - low).astype(np.float32)

    first, rows, columns = places(0), places(1), places(2)
    for low, high, share in zip(*first):
        plane = scan[low] * (1 - share) + scan[high] * share
        weight = rows[2][:, None]
        plane = plane[rows[0]] * (1 - weight) + plane[rows[1]] * weight
        plane = plane[:, columns[0]] * (1 - columns[2]) + plane[:, columns[1]] * columns[2]
        yield plane


def _write_ct(path: Path, scan: Array, shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(0)

    def planes() -> Iterator[Array]:
        for z in _planes(scan, shape):
            air = z < _AIR
            noise = random.standard_normal(z.shape, dtype=np.float32)
            ct = 1500 * z - 1000 * air + np.where(air, 8, 10) * noise
            yield np.clip(np.round(ct), -1024, 3071).astype(np.int16)

    _write(path, "int16", shape, planes())


def _write_z_score(path: Path, ct: Path) -> None:
    voxels = np.load(ct, mmap_mode="r")
    total = sum(float(plane.sum(dtype=np.int64)) for plane in voxels) / voxels.size
    square = sum(float(np.square(plane - total).sum()) for plane in voxels) / voxels.size
    scale = np.float32(square**0.5)
    scaled = ((plane.astype(np.float32) - np.float32(total)) / scale for plane in voxels)
    _write(path, "float32", voxels.shape, scaled)


def _write(path: Path, dtype: str, shape: tuple[int, ...], planes: Iterator[Array]) -> None:
    part = path.with_suffix(".part")
    out = np.lib.format.open_memmap(part, mode="w+", dtype=np.dtype(dtype), shape=shape)
    for i, plane in enumerate(planes):
        out[i] = plane
    out.flush()
    del out
    part.rename(path)
