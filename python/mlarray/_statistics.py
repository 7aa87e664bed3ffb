"""Statistics of an image's voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._checks import Naming
from ._creation_like import CreatableLike
from ._dtypes import as_bytes_view, dtype_to_text
from .errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .meta import MetaStatistics

__all__ = ["Measured"]


class Measured(CreatableLike):
    """Statistics over the chunks, in parallel."""

    def compute_statistics(
        self,
        mask: Any = None,
        percentiles: tuple[float, float] = (0.005, 0.995),
        *,
        mask_values: int | Sequence[int] | None = None,
        store: bool = True,
    ) -> MetaStatistics:
        """Compute the statistics of the voxels, and keep them in ``meta.stats``.

        Chunks are read one after another on all threads and never held as a whole. Equal to
        NumPy in float64: docs/statistics.md says what is exact.

        Parameters
        ----------
        mask : MLArray or numpy.ndarray, optional
            Of the image's shape: voxels count where it is not 0.
        percentiles : (float, float)
            Two quantiles, from 0 to 1: what is between them is described as well.
        mask_values : int or sequence of int, optional
            Voxels count where `mask` has one of these values.
        store : bool
            False leaves the metadata as it is.

        Returns
        -------
        MetaStatistics
            Of its own: editing it does not change the image.

        Raises
        ------
        InvalidTypeError
            For voxels that are neither bool, integers nor floats (``TypeError``).
        InvalidValueError
            For a mask of another shape, or under which there is no voxel, and for percentiles
            that do not ascend from 0 to 1 (``ValueError``).
        CorruptionError
            If the file is damaged.
        ClosedError
            After `close`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.arange(101, dtype="int16"))
        >>> stats = image.compute_statistics(percentiles=(0.25, 0.75))
        >>> stats.mean, stats.median, stats.percentile_min, stats.percentile_max
        (50.0, 50.0, 25.0, 75.0)
        >>> image.meta.stats.max
        100
        """
        from .meta import Meta

        self._require_voxels()
        lower, upper = _pair(percentiles)
        arguments = (lower, upper, *_mask(mask, mask_values), self._threads)
        self._require_voxels()
        with Naming(self._path or ""):
            if self._plain is not None:
                text = dtype_to_text(self._plain.dtype)
                voxels = as_bytes_view(self._plain)
                found = _core.statistics_of_voxels(voxels, text, *arguments)
            else:
                found = _core.statistics_of_array(self._open_core(), *arguments)
        stats = Meta._from_stored(found.to_tree()).stats
        if store:
            self.meta.stats.copy_from(stats, overwrite=True)
        return stats


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
    if isinstance(mask, Measured):
        if mask._plain is None:
            return mask._open_core(), "", chosen
        mask = mask._plain
    if not isinstance(mask, np.ndarray):
        raise InvalidTypeError(
            f"mask is a {type(mask).__name__}; give an MLArray or a NumPy array of the image's "
            f"shape"
        )
    return as_bytes_view(mask), dtype_to_text(mask.dtype), chosen
