"""``xarray.open_dataset("image.mla", engine="mlarray")``: docs/arrays.md says what is in it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing

from .array import MLArray
from .convert._model import kept_header
from .convert._times import find_times
from .errors import InvalidUseError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MLArrayBackend"]


class _LazyVoxels(BackendArray):
    """Voxels that are decoded when they are asked for, from any thread."""

    def __init__(self, image: MLArray) -> None:
        self.image = image
        self.shape = image.shape
        self.dtype = image.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.image.oindex.__getitem__
        )


class MLArrayBackend(BackendEntrypoint):
    """Opens ``.mla`` and ``.b2nd`` files in xarray."""

    description = "Open .mla images"
    open_dataset_parameters = ("filename_or_obj", "drop_variables", "num_threads", "verify")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        num_threads: int | None = None,
        verify: bool | None = None,
    ) -> xr.Dataset:
        """A dataset with the variable ``image``; no voxel is read.

        Parameters
        ----------
        filename_or_obj : path
            Of the image.
        drop_variables : str or iterable of str, optional
            Names to leave out.
        num_threads, verify : optional
            As for `MLArray.open`.

        Returns
        -------
        xarray.Dataset
            Closing it closes the file.

        Raises
        ------
        InvalidUseError
            If the file holds metadata only.
        NotFoundError, CorruptionError, UnsupportedError
            As for `MLArray.open`.
        """
        image = MLArray.open(filename_or_obj, num_threads=num_threads, verify=verify)
        if image._is_metadata_only():
            image.close()
            raise InvalidUseError(
                f"{os.fspath(filename_or_obj)!r} has no array, only metadata, of which xarray "
                f"makes no dataset: open it with MLArray.open"
            )
        names = _dimensions(image)
        attributes = {"meta": json.dumps(image.meta.to_plain(), default=str)}
        if image.meta.spatial.coord_system is not None:
            attributes["coord_system"] = str(image.meta.spatial.coord_system)
        # Where the caller gives chunks={} or "auto", dask reads what is decoded together.
        stored = {"preferred_chunks": dict(zip(names, image.chunks or ()))}
        variable = xr.Variable(
            names, indexing.LazilyIndexedArray(_LazyVoxels(image)), attributes, stored
        )
        dataset = xr.Dataset({"image": variable}, coords=_coordinates(image, names))
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables
        opened: xr.Dataset = dataset.drop_vars(dropped or (), errors="ignore")
        opened.set_close(image.close)
        return opened

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether the path ends in ``.mla``."""
        return isinstance(filename_or_obj, (str, os.PathLike)) and os.fspath(
            filename_or_obj
        ).endswith(".mla")


def _dimensions(image: MLArray) -> list[str]:
    """A name for each axis: its label, or ``dim_0`` as xarray has it; each once."""
    labels = image.meta.spatial.axis_labels or [f"dim_{axis}" for axis in range(image.ndim)]
    short = [str(getattr(label, "value", label)) for label in labels]
    short = [label.removeprefix("spatial_") for label in short]
    return [
        name if short.count(name) == 1 else f"{name}_{axis}" for axis, name in enumerate(short)
    ]


def _coordinates(image: MLArray, names: list[str]) -> dict[str, Any]:
    """Positions along each axis of space, times, and the affine, which is the whole truth."""
    spatial = image.meta.spatial
    coordinates = _times(image, names)
    given = (spatial.affine, spatial.spacing, spatial.origin, spatial.direction)
    if all(part is None for part in given):
        return coordinates
    affine = np.array(image.affine, float)
    coordinates["affine"] = (("affine_row", "affine_column"), affine)
    units = spatial.axis_units
    axes = [axis for axis, is_space in enumerate(image._spatial_axes()) if is_space]
    for column, axis in enumerate(axes):
        steps = np.arange(image.shape[axis])
        moved = np.flatnonzero(affine[:-1, column])
        if np.array_equal(moved, [column]):
            positions = affine[column, -1] + affine[column, column] * steps
            about = {"long_name": "position"}
        else:  # the axis is at an angle to the world's: no one number says where a voxel is
            positions = np.linalg.norm(affine[:-1, column]) * steps
            about = {"long_name": "distance from the first voxel"}
        if units is not None and len(units) == image.ndim:
            about["units"] = str(units[axis])
        coordinates[names[axis]] = xr.Variable(names[axis], positions, about)
    return coordinates


def _times(image: MLArray, names: list[str]) -> dict[str, Any]:
    """The time of each volume, where the header that is kept of the source says it."""
    spatial = image.meta.spatial
    labels = [str(getattr(label, "value", label)) for label in spatial.axis_labels or ()]
    units = [str(unit) for unit in spatial.axis_units or ()]
    if len(units) != image.ndim:
        units = ["unknown"] * image.ndim
    times = find_times(labels, units, lambda kind: kept_header(image.meta, kind), [])
    if times is None:
        return {}
    axis = labels.index("temporal")
    start, step = times.scaled(times.start), times.scaled(times.step)
    about = {"long_name": "time"}
    if times.unit != "unknown":
        about["units"] = times.unit
    return {
        names[axis]: xr.Variable(
            names[axis], start + step * np.arange(image.shape[axis]), about
        )
    }
