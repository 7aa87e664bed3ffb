"""The module in which other versions have `MLArray`; the class itself is in `mlarray.array`."""

from __future__ import annotations

from ._core import DEFAULT_PATCH_SIZE as MLARRAY_DEFAULT_PATCH_SIZE
from .array import MLArray
from .meta import AxisLabel, Meta, MetaBlosc2, is_serializable

__all__ = [
    "MLARRAY_DEFAULT_PATCH_SIZE",
    "MLARRAY_SUFFIX",
    "MLARRAY_VERSION",
    "AxisLabel",
    "MLArray",
    "Meta",
    "MetaBlosc2",
    "is_serializable",
]

MLARRAY_SUFFIX = "mla"
MLARRAY_VERSION = "v0"  # of the layout of metadata; written by the core
