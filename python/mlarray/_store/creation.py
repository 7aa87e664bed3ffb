"""What a new image holds: voxels by the table below, or those of a caller, and metadata."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .._compat.names import resolve_axis_labels
from .._dtypes import as_dtype, as_voxels
from .._index.boxes import as_shape
from ..errors import InvalidTypeError, InvalidValueError
from ..typing import UNSET
from .base import store_of
from .core import compressed as compress
from .metadata import check, filled_from, new_meta, note_patch, state_facts
from .plain import EmptyStore, PlainStore
from .save_options import Packing, check_defaults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike

    from ..meta import Meta
    from .base import Store

__all__ = ["arange", "filled", "filled_like", "from_array", "linspace"]

_Array = np.ndarray[Any, Any]

_NEEDED: Final = "to be given"

# How an array of a shape is filled: what makes it of shape, value and dtype, and the dtype
# where none is given.
_FILLED: Final[dict[str, tuple[Callable[..., _Array], str | None]]] = {
    "empty": (lambda shape, _, dtype: np.empty(shape, dtype), _NEEDED),
    "zeros": (lambda shape, _, dtype: np.zeros(shape, dtype), _NEEDED),
    "ones": (lambda shape, _, dtype: np.ones(shape, dtype), "f8"),
    "full": (np.full, None),  # NumPy's choice, by the value
}


def filled(how: str, shape: Any, dtype: Any, value: Any = None) -> _Array:
    """An array of this shape by a row of the table."""
    make, default = _FILLED[how]
    lengths = as_shape(shape)
    if dtype is None:
        dtype = default
    if dtype is _NEEDED:  # NumPy would take None for float64
        raise InvalidValueError("dtype is None; give one such as 'int16' or array.dtype")
    return make(lengths, value, None if dtype is None else as_dtype(dtype))


def filled_like(
    how: str, x: Any, dtype: Any, meta: Any, value: Any = None
) -> tuple[_Array, Any]:
    """An array in the shape and type of another, and metadata for it."""
    shape, kind = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None or kind is None:
        raise InvalidTypeError(
            f"x is a {type(x).__name__} without shape and dtype; give an MLArray or a NumPy "
            f"array"
        )
    store = store_of(x)
    if meta is None and store is not None:
        meta = new_meta(store.meta)
        meta.stats.reset()  # they are of other voxels
    return filled(how, shape, kind if dtype is None else dtype, value), meta


def arange(
    start: float,
    stop: float | None,
    step: float | None,
    dtype: DTypeLike | None,
    shape: int | Sequence[int] | None,
    c_order: bool,
) -> _Array:
    """Evenly spaced values, as ``numpy.arange`` makes them."""
    first, last = (0, start) if stop is None else (start, stop)
    numbers: list[Any] = [first, last, 1 if step is None else step]
    line = np.arange(*numbers, dtype=None if dtype is None else as_dtype(dtype))
    return _shaped(line, shape, c_order)


def linspace(
    start: complex,
    stop: complex,
    num: int | None,
    dtype: DTypeLike | None,
    endpoint: bool,
    shape: int | Sequence[int] | None,
    c_order: bool,
) -> _Array:
    """Values from one to another, as ``numpy.linspace`` makes them."""
    if num is None:
        if shape is None:
            raise InvalidValueError("linspace needs num or shape; give how many values to make")
        num = math.prod(as_shape(shape))
    kind = None if dtype is None else as_dtype(dtype)
    return _shaped(np.linspace(start, stop, num, endpoint, dtype=kind), shape, c_order)


def _shaped(line: _Array, shape: int | Sequence[int] | None, c_order: bool) -> _Array:
    if shape is None:
        return line
    lengths = as_shape(shape)
    if math.prod(lengths) != line.size:
        raise InvalidValueError(
            f"shape={tuple(lengths)} has {math.prod(lengths)} voxels, but the range has "
            f"{line.size} values; give a shape of as many"
        )
    return line.reshape(lengths, order="C" if c_order else "F")


def from_array(
    array: Any,
    geometry: dict[str, Any],
    meta: Any,
    axis_labels: Sequence[str] | None,
    channel_axis: int | None,
    copy: Any,
    defaults: Packing,
    threads: int,
    compressed: bool | None,
) -> tuple[Store, Packing]:
    """An array, or none, with metadata; and what `save` uses unless it is told otherwise."""
    base = store_of(copy)
    if copy is not None and base is None:
        raise InvalidTypeError(
            f"copy={copy!r} is a {type(copy).__name__}; give an MLArray, whose metadata is "
            f"taken"
        )
    has_array = array is not None
    given = store_of(array)
    if given is not None:
        base = given if base is None else base
        has_array = not given.is_empty
        array = given.to_numpy() if has_array else None
    voxels = as_voxels(array) if has_array else None
    ndim = 1 if voxels is None else voxels.ndim
    new = new_meta(meta)
    base_meta = None if base is None else base.meta
    defaults = defaults._replace(base_patch=(base_meta or new).blosc2.patch_size)
    state_facts(new, None if voxels is None else voxels.shape)
    for name, value in geometry.items():
        if value is not None:
            setattr(new.spatial, name, value)
    labels = resolve_axis_labels(axis_labels, channel_axis, ndim) if has_array else axis_labels
    if labels is not None:
        new.spatial.axis_labels = list(labels)
    if base_meta is not None:
        new = filled_from(new, base_meta)
    check(new, ndim if has_array else -1)
    store = _held(voxels, new)
    check_defaults(store, defaults)
    if has_array:
        asked = defaults.patch_size if defaults.says_sizes else defaults.base_patch
        note_patch(new, None if asked is UNSET else asked, sum(store.spatial_axes()))
    if compressed and has_array:
        packed = compress(store, Packing(), defaults, threads, default_threads=threads)
        return packed, Packing(base_patch=defaults.base_patch)
    return store, defaults


def _held(voxels: _Array | None, meta: Meta) -> Store:
    return EmptyStore(meta) if voxels is None else PlainStore(voxels, meta)
