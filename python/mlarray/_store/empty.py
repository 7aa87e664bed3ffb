"""Metadata without voxels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._checks import Naming, to_core
from .plain import PlainStore

if TYPE_CHECKING:
    from ..meta import Meta

__all__ = ["EmptyStore"]


class EmptyStore(PlainStore):
    """Metadata only, in memory; a file holds it with an array of no voxels.

    Parameters
    ----------
    meta : Meta
        Held as it is.
    """

    __slots__ = ()

    def __init__(self, meta: Meta) -> None:
        super().__init__(np.empty((0,)), meta)

    @property
    def is_empty(self) -> bool:
        """Whether it is metadata only: always, unless it was closed."""
        return self.shape == (0,)  # raises what a closed image raises

    def read(self, key: Any) -> Any:
        """There are no voxels."""
        self.require_voxels()

    def write(self, key: Any, value: Any) -> None:
        """There are no voxels."""
        self.require_voxels()

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """There are no voxels."""
        self.require_voxels()
        return super().to_numpy()

    def save(self, path: str, options: _core.SaveOptions) -> None:
        """Write the metadata to a file."""
        with Naming(path):
            _core.Array.save_metadata(path, to_core(self.meta), options)
