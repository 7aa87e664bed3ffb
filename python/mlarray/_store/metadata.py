"""The metadata of an image on its way to the core, and what the library says in it itself."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import InvalidTypeError, InvalidValueError, MLArrayError, UnsupportedError

if TYPE_CHECKING:
    from ..meta import Meta

__all__ = [
    "check",
    "filled_from",
    "is_of_metadata",
    "new_meta",
    "note_patch",
    "state_facts",
    "to_core",
]


def new_meta(meta: Any) -> Meta:
    from ..meta import Meta  # opening a file does without

    if meta is None:
        return Meta()
    if isinstance(meta, Meta):
        return copy.deepcopy(meta)
    if isinstance(meta, Mapping):
        return Meta(source=dict(meta))
    raise InvalidValueError(f"meta is a {type(meta).__name__}; give None, a dict or a Meta")


def state_facts(meta: Meta, shape: tuple[int, ...] | None) -> None:
    """Let the fields that the library manages say what is true of an array in memory."""
    meta.blosc2.reset()
    meta.spatial._store("shape", None if shape is None else list(shape))
    meta._has_array._store("has_array", shape is not None)


def note_patch(meta: Meta, patch: Any, spatial_ndim: int) -> None:
    """Let the metadata of an array in memory tell the patch that saving will use."""
    if hasattr(patch, "__index__"):
        patch = [operator.index(patch)] * spatial_ndim
    if patch is not None and not isinstance(patch, str) and len(patch) == spatial_ndim:
        meta.blosc2._store("patch_size", [operator.index(length) for length in patch])


def to_core(meta: Meta) -> _core.Metadata:
    return _core.Metadata(meta._tree())


def is_of_metadata(error: Exception) -> bool:
    """Whether storing metadata failed because of the metadata, not of the file."""
    if isinstance(error, MLArrayError):
        return isinstance(error, (InvalidTypeError, InvalidValueError, UnsupportedError))
    return not isinstance(error, MemoryError)


def check(meta: Meta, ndim: int) -> None:
    _core.metadata_check(meta._tree(), ndim)


def filled_from(meta: Meta, base: Meta) -> Meta:
    """`meta` with what it does not say itself taken from `base`.

    The rule is the core's, `Metadata::fill_from`. Neither is changed, or shares anything with
    the result.
    """
    filled = to_core(meta).filled_from(to_core(base))
    return type(meta)._from_stored(filled.to_tree())
