"""Libraries that are general stores of chunks, and medh5, which is built on one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .adapter import Adapter, Array, Key

__all__ = ["HDF5", "MedH5", "TensorStore", "Zarr"]

_CHUNK = 64  # side of the chunks of libraries that ask for one


class Zarr(Adapter):
    """zarr 3: a folder, a file per chunk, Blosc with LZ4 and a shuffle."""

    suffix = ".zarr"

    def __init__(self, threads: int) -> None:
        import zarr

        super().__init__(threads)
        zarr.config.set({"threading.max_workers": threads, "async.concurrency": 4 * threads})
        self.library = zarr

    def version(self) -> str:
        return str(self.library.__version__)

    def _create(self, path: Path, shape: tuple[int, ...], dtype: Any, chunk: int) -> Any:
        size = np.dtype(dtype).itemsize
        shuffle = "shuffle" if size > 1 else "noshuffle"
        codec = self.library.codecs.BloscCodec(
            typesize=size, cname="lz4", clevel=5, shuffle=shuffle
        )
        return self.library.create_array(
            str(path),
            shape=shape,
            dtype=dtype,
            chunks=(chunk,) * 3,
            compressors=codec,
            overwrite=True,
        )

    def save(self, voxels: Array, path: Path) -> None:
        self._create(path, voxels.shape, voxels.dtype, _CHUNK)[...] = voxels

    def open(self, path: Path) -> Any:
        return self.library.open_array(str(path), mode="r")

    def edit(self, path: Path, key: Key) -> None:
        opened = self.library.open_array(str(path), mode="r+")
        opened[key] = opened[key] * 5

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        self.library.open_array(str(path), mode="r+")[key] = voxels

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        return self._create(path, shape, np.dtype(dtype), chunk)


class TensorStore(Adapter):
    """tensorstore over the same layout and codec as zarr has here."""

    suffix = ".tensorstore"

    def __init__(self, threads: int) -> None:
        import tensorstore

        super().__init__(threads)
        limits = {"data_copy_concurrency": {"limit": threads}}
        self.context = tensorstore.Context(limits)
        self.library = tensorstore

    def version(self) -> str:
        from importlib.metadata import version

        return version("tensorstore")

    def _spec(self, path: Path) -> dict[str, Any]:
        return {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"}}

    def _create(self, path: Path, shape: tuple[int, ...], dtype: Any, chunk: int) -> Any:
        shuffle = "shuffle" if np.dtype(dtype).itemsize > 1 else "noshuffle"
        blosc = {"cname": "lz4", "clevel": 5, "shuffle": shuffle}
        bytes_codec = {"name": "bytes", "configuration": {"endian": "little"}}
        grid = {"chunk_shape": [chunk] * 3}
        metadata = {
            "shape": list(shape),
            "data_type": np.dtype(dtype).name,
            "chunk_grid": {"name": "regular", "configuration": grid},
            "codecs": [bytes_codec, {"name": "blosc", "configuration": blosc}],
        }
        spec = {**self._spec(path), "metadata": metadata}
        options = {"create": True, "delete_existing": True, "context": self.context}
        return self.library.open(spec, **options).result()

    def save(self, voxels: Array, path: Path) -> None:
        self._create(path, voxels.shape, voxels.dtype, _CHUNK).write(voxels).result()

    def open(self, path: Path) -> Any:
        return self.library.open(self._spec(path), context=self.context).result()

    def read(self, opened: Any, key: Key) -> Array:
        return np.asarray(opened[key].read().result())

    def edit(self, path: Path, key: Key) -> None:
        opened = self.open(path)
        opened[key].write(self.read(opened, key) * 5).result()

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        self.open(path)[key].write(voxels).result()

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        return self._create(path, shape, dtype, chunk)


class HDF5(Adapter):
    """h5py with the Blosc2 filter of hdf5plugin."""

    suffix = ".h5"

    def __init__(self, threads: int) -> None:
        os.environ["BLOSC_NTHREADS"] = str(threads)
        import h5py
        import hdf5plugin

        super().__init__(threads)
        self.library, self.plugin = h5py, hdf5plugin

    def version(self) -> str:
        return f"{self.library.__version__} with hdf5plugin {self.plugin.version}"

    def _filter(self, dtype: Any) -> dict[str, Any]:
        none, shuffle = self.plugin.Blosc2.NOFILTER, self.plugin.Blosc2.SHUFFLE
        chosen = none if np.dtype(dtype).itemsize == 1 else shuffle
        return dict(self.plugin.Blosc2(cname="lz4", clevel=5, filters=chosen))

    def save(self, voxels: Array, path: Path) -> None:
        with self.library.File(path, "w") as file:
            chunks = tuple(min(_CHUNK, length) for length in voxels.shape)
            file.create_dataset(
                "image", data=voxels, chunks=chunks, **self._filter(voxels.dtype)
            )

    def open(self, path: Path) -> Any:
        return self.library.File(path, "r")

    def read(self, opened: Any, key: Key) -> Array:
        return np.asarray(opened["image"][key])

    def close(self, opened: Any) -> None:
        opened.close()

    def edit(self, path: Path, key: Key) -> None:
        with self.library.File(path, "r+") as file:
            file["image"][key] = file["image"][key] * 5

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        with self.library.File(path, "r+") as file:
            file["image"][key] = voxels

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        file = self.library.File(path, "w")
        sizes = {"shape": shape, "dtype": dtype, "chunks": (chunk,) * 3}
        return file.create_dataset("image", **sizes, **self._filter(dtype))


class MedH5(Adapter):
    """medh5 with its own choice of chunks and codec."""

    suffix = ".medh5"

    def __init__(self, threads: int) -> None:
        import medh5

        super().__init__(threads)
        self.library = medh5

    def version(self) -> str:
        return str(self.library.__version__)

    def save(self, voxels: Array, path: Path) -> None:
        path.unlink(missing_ok=True)
        with self.library.create(path, sample_id="a", subject_id="a") as writer:
            writer.add_timepoint("tp0", label="baseline", days_from_baseline=0)
            writer.add_grid(
                "grid",
                shape=voxels.shape,
                spacing=(1.0,) * 3,
                origin=(0.0,) * 3,
                timepoint="tp0",
            )
            writer.add_image("image", voxels, grid="grid", modality="CT")

    def open(self, path: Path) -> Any:
        return self.library.open(path)

    def read(self, opened: Any, key: Key) -> Array:
        return np.asarray(opened.images["image"].read(key))

    def close(self, opened: Any) -> None:
        opened.close()
