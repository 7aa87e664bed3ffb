"""Voxels for other libraries: other types, DLPack, dask."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import as_dtype, dtype_to_text
from ..errors import InvalidTypeError
from .core import CoreStore
from .metadata import new_meta

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..meta import Meta
    from .base import Store

__all__ = ["as_array", "converted", "dlpack_of", "pickled", "token_of"]


def converted(store: Store, dtype: Any, casting: Any) -> tuple[np.ndarray[Any, Any], Meta]:
    """The voxels in another type, and the metadata that is right for them."""
    store.require_voxels()
    target = as_dtype(dtype)
    dtype_to_text(target)
    if not np.can_cast(store.dtype, target, casting):
        raise TypeError(
            f"voxels of {store.dtype} cannot become {target} with casting={casting!r}: "
            f"allow more, or choose another dtype"
        )
    voxels: np.ndarray[Any, Any]
    if store.chunks is None or store.ndim == 0:
        voxels = store.to_numpy().astype(target, casting=casting)
    else:
        voxels = np.empty(store.shape, target)
        for part in _slabs(store.shape, store.dtype.itemsize, store.chunks[0]):
            voxels[part] = store.read(part).astype(target, casting=casting, copy=False)
    meta = new_meta(store.meta)
    if not _keeps_values(store.dtype, target):
        meta.stats.reset()
    return voxels, meta


def as_array(store: Store, dtype: DTypeLike | None, copy: bool | None) -> np.ndarray[Any, Any]:
    """What ``__array__`` returns."""
    if store.core is None:
        voxels = store.to_numpy()
        if copy:
            return np.array(voxels, dtype=dtype)
        if copy is False and dtype is not None and np.dtype(dtype) != voxels.dtype:
            raise ValueError(f"dtype {voxels.dtype} cannot become {dtype} without a copy")
        return np.asarray(voxels, dtype=dtype)
    store.require_voxels()
    if copy is False:
        raise ValueError("the voxels are compressed: they cannot be had without a copy")
    voxels = store.to_numpy()
    return voxels if dtype is None else voxels.astype(dtype, copy=False)


def pickled(store: Store) -> tuple[Any, ...]:
    """What makes the same image again: voxels and metadata, or a file and how to open it."""
    if store.access is None:
        return None if store.is_empty else store.to_numpy(), store.meta
    if store.access != "r":
        raise InvalidTypeError(
            f"an MLArray with mode {store.access!r} cannot be pickled or copied: another "
            f"process would not see its edits; open {store.path!r} with 'r' for that"
        )
    assert isinstance(store, CoreStore)
    changed = store.meta if store.changed_metadata() is not None else None
    options = (store.mapped, store.threads, changed, store.verify)
    # dask names what holds an image by its pickle: hence what this one shows.
    return store.absolute, *options, "" if store.is_closed else store.shown_name()


def dlpack_of(store: Store, copy: bool | None, **asked: Any) -> Any:
    """What ``__dlpack__`` returns."""
    is_held = store.core is None
    if copy is False and not is_held:
        raise BufferError("the voxels are compressed: they cannot be had without a copy")
    voxels = store.to_numpy()
    if is_held:  # else they are new already
        asked["copy"] = copy
    given = {name: value for name, value in asked.items() if value is not None}
    if not voxels.flags.writeable and "max_version" not in given:
        voxels = voxels.copy()  # only newer consumers can be told that memory is not theirs
    return voxels.__dlpack__(**given)


def token_of(store: Store) -> Any:
    """What dask names an image by: its voxels and metadata, or the commit that it shows.

    Never the path alone: another file may lie there by now.
    """
    from dask.base import normalize_token

    if not isinstance(store, CoreStore) or store.access != "r":
        voxels = None if store.is_empty else _digest(store.to_numpy())
        return ("mlarray.MLArray", voxels, normalize_token(store.meta.to_mapping()))
    shown = store.shown_name()
    changed = store.changed_metadata()
    meta = None if changed is None else normalize_token(changed.to_tree())
    return ("mlarray.MLArray", store.absolute, shown, meta)


def _keeps_values(before: np.dtype[Any], after: np.dtype[Any]) -> bool:
    """Whether every number of one type is a number of the other."""
    if not np.can_cast(before, after, "safe") or after.kind not in "biufc":
        return False
    if before.kind in "iu" and after.kind in "fc":  # NumPy calls int64 to float64 safe
        info = np.iinfo(before)
        return bool(int(info.max).bit_length() <= np.finfo(after).nmant + 1)
    return True


def _digest(voxels: np.ndarray[Any, Any]) -> tuple[str, tuple[int, ...], str]:
    """What tells voxels apart. dask's own digest is the same for an array and its transpose."""
    import hashlib  # here, because few need it

    raw = np.ascontiguousarray(voxels).reshape(-1).view(np.uint8)
    digest = hashlib.blake2b(raw.data, digest_size=16).hexdigest()
    return dtype_to_text(voxels.dtype), voxels.shape, digest


def _slabs(shape: tuple[int, ...], itemsize: int, chunk: int) -> list[slice]:
    """Parts along the first axis of whole chunks, some megabytes each."""
    chunk = max(chunk, 1)
    row = max(math.prod(shape[1:]) * itemsize * chunk, 1)
    step = chunk * max((32 << 20) // row, 1)
    return [slice(start, start + step) for start in range(0, shape[0], step)]
