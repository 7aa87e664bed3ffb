"""What a library is asked to do; `adapters` has one class for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

__all__ = ["Adapter", "Array", "Key"]

Array = np.ndarray[Any, Any]
Key = tuple[slice, ...]


class Adapter:
    """What a library can do. What it cannot is left as it is here, and is not measured."""

    suffix: ClassVar[str]

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def version(self) -> str:
        raise NotImplementedError

    def save(self, voxels: Array, path: Path) -> None:
        raise NotImplementedError

    def open(self, path: Path) -> Any:
        raise NotImplementedError

    def read(self, opened: Any, key: Key) -> Array:
        return np.asarray(opened[key])

    def close(self, opened: Any) -> None:
        """Most need nothing but to be forgotten."""

    def load(self, path: Path) -> Array:
        opened = self.open(path)
        voxels = self.read(opened, (slice(None),) * 3)
        self.close(opened)
        return voxels

    def statistics(self, path: Path) -> list[float]:
        """Min, max, mean, median, std, and the quantiles 0.005 and 0.995, of all voxels."""
        raise NotImplementedError

    def edit(self, path: Path, key: Key) -> None:
        """``image[key] *= 5`` in the file."""
        raise NotImplementedError

    def restore(self, path: Path, key: Key, voxels: Array) -> None:
        """Put voxels back after `edit`; not timed."""
        raise NotImplementedError

    def at_level(self, what: str, path: Path, level: str, voxels: Array) -> None:
        """Save voxels, or put them into the corner of a file, safe as a level promises."""
        raise NotImplementedError

    def create(self, path: Path, shape: tuple[int, ...], dtype: str, chunk: int) -> Any:
        """A file of zeros in chunks of so many voxels a side, to be filled."""
        raise NotImplementedError
