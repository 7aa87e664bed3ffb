"""The voxels of an MLArray, as NumPy's users expect them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ._checks import to_core
from ._handle import Handle
from ._outer import OuterIndex
from .errors import ReadOnlyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike

__all__ = ["Indexed"]


class Indexed(Handle):
    """Indexing, assignment, shape and dtype."""

    def __getitem__(self, key: Any) -> Any:
        """Voxels by any NumPy key, in new memory.

        Raises
        ------
        IndexError
            As NumPy.
        CorruptionError
            If the file is damaged where it is read.
        """
        self._require_voxels()
        if self._plain is not None:
            answer = self._plain[key]
            return answer.copy() if isinstance(answer, np.ndarray) else answer
        return self._open_voxels().read(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        """Assign by any NumPy key, with NumPy's broadcasting and casting.

        Raises
        ------
        ReadOnlyError
            In mode 'r' (``ValueError``).
        IndexError, ValueError, TypeError
            As NumPy.
        """
        self._require_voxels()
        if isinstance(value, Indexed):
            value = value.to_numpy()  # NumPy would take a single voxel for a sequence
        if self._plain is not None:
            self._plain[key] = value
            return
        voxels = self._open_voxels()
        if self._access == "r":
            raise ReadOnlyError(
                f"{self._path!r} is open for reading (mode 'r'): open it with 'r+' to edit the "
                f"file, or with 'c' to edit a copy in memory"
            )
        voxels.write(key, value)

    @property
    def oindex(self) -> OuterIndex:
        """Indexing where each array chooses on its own axis, as slices do.

        ``image.oindex[[0, 5], :, [2, 7, 9]]`` has two times all times three voxels, where NumPy
        would pair the two lists. Keys are ints, slices, ``...`` and, in one axis each, ints or
        bools; only blocks that they meet are decoded. Assigning works the same way.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.arange(12).reshape(3, 4))
        >>> image.oindex[[2, 0], [True, False, False, True]]
        array([[ 8, 11],
               [ 0,  3]])
        """
        self._require_voxels()
        return OuterIndex(self)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the first axis."""
        self._require_voxels()
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        """Length of the first axis; 0 if the image is metadata only."""
        if not self._lengths:
            raise TypeError("len() of unsized object")
        return self._lengths[0]

    def __array__(
        self, dtype: DTypeLike | None = None, copy: bool | None = None
    ) -> np.ndarray[Any, Any]:
        """The voxels for NumPy; ``copy=False`` is an error where they must be decoded."""
        self._require_voxels()
        if self._plain is not None:
            if copy:
                return np.array(self._plain, dtype=dtype)
            if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
                raise ValueError(f"dtype {self.dtype} cannot become {dtype} without a copy")
            return np.asarray(self._plain, dtype=dtype)
        if copy is False:
            raise ValueError("the voxels are compressed: they cannot be had without a copy")
        voxels = self.to_numpy()
        return voxels if dtype is None else voxels.astype(dtype, copy=False)

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """All voxels as a NumPy array.

        Returns
        -------
        numpy.ndarray
            Of an image in memory the very array that it holds, else new memory.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        ClosedError
            After `close` (``TypeError``, ``RuntimeError``).
        CorruptionError
            If the file is damaged.
        """
        self._require_voxels()
        if self._plain is not None:
            return self._plain
        return cast("np.ndarray[Any, Any]", self._open_voxels().read(...))

    @property
    def ndim(self) -> int:
        """Number of axes.

        If the image is metadata only, as many as the metadata speaks of, or None.
        """
        if self._is_metadata_only():
            return to_core(self.meta).ndim()  # type: ignore[return-value]
        return len(self._lengths)

    @property
    def size(self) -> int:
        """Number of voxels."""
        count = 1
        for length in self._lengths:
            count *= length
        return count

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels when decoded."""
        return self.size * self._dtype.itemsize

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """Lengths of a chunk, in voxels; None for a NumPy array in memory."""
        return None if self._array is None else self._array.chunks

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """Lengths of a block, in voxels; None for a NumPy array in memory."""
        return None if self._array is None else self._array.blocks
