"""Statistics of an image's voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._dtypes import as_bytes_view, dtype_to_text
from .._paths import Naming
from ..errors import InvalidTypeError, InvalidValueError
from .base import store_of
from .core import CoreStore
from .plain import PlainStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..meta import MetaStatistics
    from .base import Store

__all__ = ["statistics_of"]


def statistics_of(
    store: Store, mask: Any, percentiles: Any, mask_values: Any, threads: int
) -> MetaStatistics:
    """Statistics as `MLArray.compute_statistics` is asked for them."""
    from ..meta import Meta

    store.require_voxels()
    lower, upper = _pair(percentiles)
    arguments = (lower, upper, *_mask(mask, mask_values), threads)
    with Naming(store.path or ""):
        found = store.statistics(arguments)
    return Meta._from_stored(found.to_tree()).stats


def _pair(percentiles: Any) -> tuple[float, float]:
    try:
        lower, upper = (float(value) for value in percentiles)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"percentiles={percentiles!r} is not a pair of numbers; give (0.005, 0.995), for "
            f"example"
        ) from None
    return lower, upper


def _mask(mask: Any, values: int | Sequence[int] | None) -> tuple[Any, str, list[int]]:
    """What the core wants to know of a mask: its voxels, their dtype, the values that count."""
    if mask is None:
        if values is not None:
            raise InvalidValueError(
                f"mask_values={values!r} without a mask; give the mask that has these values"
            )
        return None, "", []
    # As objects: NumPy makes floats of ints on both sides of 2^63.
    chosen = [] if values is None else np.array(values, object).ravel().tolist()
    chosen = [int(value) if isinstance(value, np.integer) else value for value in chosen]
    if not all(type(value) is int for value in chosen) or (values is not None and not chosen):
        raise InvalidTypeError(
            f"mask_values={values!r} is not an int or a sequence of ints; give one or more"
        )
    if any(not -(2**63) <= value < 2**63 for value in chosen):
        raise InvalidValueError(
            f"mask_values={values!r} is beyond -2^63 to 2^63 - 1: give a mask of bools, "
            f"such as mask == value"
        )
    store = store_of(mask)
    if isinstance(store, CoreStore):
        return store.opened(), "", chosen
    if isinstance(store, PlainStore):
        mask = store.voxels
    if not isinstance(mask, np.ndarray):
        raise InvalidTypeError(
            f"mask is a {type(mask).__name__}; give an MLArray or a NumPy array of the image's "
            f"shape"
        )
    return as_bytes_view(mask), dtype_to_text(mask.dtype), chosen
