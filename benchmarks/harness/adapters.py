"""One class per library: the same few tasks in the words of each.

Imported in the worker processes: NumPy and the library itself are all there is. A library is
used as its own pages say a user should, with chunks for patches where it has chunks.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

from .adapter import Adapter, Array, Key
from .stores import HDF5, MedH5, TensorStore, Zarr

__all__ = ["ADAPTERS"]


class MLArrayAdapter(Adapter):
    """This package and the reference, whose interface is the same."""

    suffix = ".mla"

    def __init__(self, threads: int) -> None:
        import mlarray

        super().__init__(threads)
        self.library: Any = mlarray
        # The others wait for no disk, so ours does not either; `at_level` shows what it costs.
        asked = inspect.signature(mlarray.MLArray.save).parameters
        self.no_wait = {"level": "none"} if "level" in asked else {}

    def version(self) -> str:
        return str(self.library.__version__)

    def save(self, voxels: Array, path: Path) -> None:
        self.library.MLArray(voxels).save(path, **self.no_wait)

    def open(self, path: Path) -> Any:
        return self.library.MLArray.open(path)

    def close(self, opened: Any) -> None:
        opened.close()

    def load(self, path: Path) -> Array:
        return np.asarray(self.library.MLArray(path).to_numpy())

    def statistics(self, path: Path) -> list[float]:
        if not hasattr(self.library.MLArray, "compute_statistics"):
            voxels = self.load(path)
            plain = [voxels.min(), voxels.max(), voxels.mean(dtype=np.float64)]
            plain += [np.median(voxels), voxels.std(dtype=np.float64)]
            return [float(x) for x in (*plain, *np.quantile(voxels, (0.005, 0.995)))]
        with self.library.MLArray.open(path) as image:
            stats = image.compute_statistics(store=False)
            plain = [stats.min, stats.max, stats.mean, stats.median, stats.std]
            return [*map(float, plain), stats.percentile_min, stats.percentile_max]

    def edit(self, path: Path, key: Key) -> None:
        image = self.library.MLArray.open(path, mmap_mode="r+", **self.no_wait)
        image[key] *= 5
        image.close()

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        image = self.library.MLArray.open(path, mmap_mode="r+")
        image[key] = voxels
        image.close()

    def at_level(self, what: str, path: Path, level: str, voxels: Array) -> None:
        if not self.no_wait:
            raise NotImplementedError
        if what == "save":
            self.library.MLArray(voxels).save(path, level=level)
            return
        with self.library.MLArray.open(path, mmap_mode="r+", level=level) as image:
            image[tuple(slice(length) for length in voxels.shape)] = voxels

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        sizes: dict[str, Any] = {"chunk_size": (chunk,) * 3, "block_size": (chunk,) * 3}
        return self.library.MLArray.create(
            path, shape, np.dtype(dtype), patch_size=None, **sizes, **self.no_wait
        )


class Unchecked(MLArrayAdapter):
    """This package without looking at seals and checksums."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.library.set_verification(False)


class Small(MLArrayAdapter):
    """This package, asked for small files."""

    def save(self, voxels: Array, path: Path) -> None:
        self.library.MLArray(voxels).save(path, preset="small", **self.no_wait)


class Blosc2(Adapter):
    """python-blosc2 with its own choice of chunks."""

    suffix = ".b2nd"

    def __init__(self, threads: int) -> None:
        import blosc2

        super().__init__(threads)
        blosc2.set_nthreads(threads)
        self.library = blosc2

    def version(self) -> str:
        return str(self.library.__version__)

    def save(self, voxels: Array, path: Path) -> None:
        self.library.asarray(np.ascontiguousarray(voxels), urlpath=str(path), mode="w")

    def open(self, path: Path) -> Any:
        return self.library.open(str(path), mmap_mode="r")

    def edit(self, path: Path, key: Key) -> None:
        opened = self.library.open(str(path), mode="a")
        opened[key] = opened[key] * 5

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        self.library.open(str(path), mode="a")[key] = voxels

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        sizes = {"chunks": (chunk,) * 3, "blocks": (chunk,) * 3}
        return self.library.zeros(shape, np.dtype(dtype), urlpath=str(path), mode="w", **sizes)


class Nibabel(Adapter):
    """nibabel over ``.nii.gz``, which has no chunks."""

    suffix = ".nii.gz"

    def __init__(self, threads: int) -> None:
        import nibabel

        super().__init__(threads)
        self.library: Any = nibabel

    def version(self) -> str:
        return str(self.library.__version__)

    def save(self, voxels: Array, path: Path) -> None:
        self.library.save(self.library.Nifti1Image(voxels, np.eye(4)), path)

    def open(self, path: Path) -> Any:
        return self.library.load(path)

    def read(self, opened: Any, key: Key) -> Array:
        return np.asarray(opened.dataobj[key])


class Memmap(Adapter):
    """numpy.memmap of a ``.npy`` file: nothing is compressed."""

    suffix = ".npy"

    def version(self) -> str:
        return str(np.__version__)

    def save(self, voxels: Array, path: Path) -> None:
        np.save(path, voxels)

    def open(self, path: Path) -> Any:
        return np.load(path, mmap_mode="r")

    def read(self, opened: Any, key: Key) -> Array:
        return np.array(opened[key])  # a copy, as all the others give

    def edit(self, path: Path, key: Key) -> None:
        opened = np.load(path, mmap_mode="r+")
        opened[key] *= 5
        opened.flush()

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        np.load(path, mmap_mode="r+")[key] = voxels

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)


ADAPTERS: dict[str, type[Adapter]] = {
    "mlarray": MLArrayAdapter,
    "mlarray-unchecked": Unchecked,
    "mlarray-small": Small,
    "blosc2": Blosc2,
    "zarr": Zarr,
    "tensorstore": TensorStore,
    "h5py": HDF5,
    "medh5": MedH5,
    "nibabel": Nibabel,
    "memmap": Memmap,
}
