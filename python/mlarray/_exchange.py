"""Handing voxels to other libraries: DLPack, dask, other types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ._checks import as_dtype
from ._dtypes import dtype_to_text
from ._shown import Shown

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .array import MLArray

__all__ = ["Exchangeable"]


class Exchangeable(Shown):
    """What array libraries ask of each other."""

    @property
    def itemsize(self) -> int:
        """Bytes of one voxel when decoded."""
        return self._dtype.itemsize

    def astype(
        self,
        dtype: DTypeLike,
        casting: Literal["no", "equiv", "safe", "same_kind", "unsafe"] = "unsafe",
    ) -> MLArray:
        """An image in memory of another type, with the same metadata.

        Voxels of a file are decoded and converted some chunks at a time, so that there is one
        whole array in memory and not two.

        Parameters
        ----------
        dtype : dtype
            Any but objects.
        casting : {'no', 'equiv', 'safe', 'same_kind', 'unsafe'}
            What may be lost, as for `numpy.ndarray.astype`.

        Returns
        -------
        MLArray
            Always with voxels of its own. It has no statistics where converting could change
            them.

        Raises
        ------
        InvalidTypeError
            For a dtype that cannot be stored, and if the image is metadata only
            (``TypeError``).
        TypeError
            For what `casting` does not allow, as NumPy.
        ClosedError, CorruptionError
            As for `to_numpy`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.zeros((4, 8, 8), "int16"), spacing=(3.0, 0.5, 0.5))
        >>> image.astype("float32")
        MLArray(shape=(4, 8, 8), dtype=float32, spacing=[3.0, 0.5, 0.5], in memory)
        """
        from .array import MLArray

        self._require_voxels()
        target = as_dtype(dtype)
        dtype_to_text(target)
        if not np.can_cast(self.dtype, target, casting):
            raise TypeError(
                f"voxels of {self.dtype} cannot become {target} with casting={casting!r}: "
                f"allow more, or choose another dtype"
            )
        voxels: np.ndarray[Any, Any]
        if self._plain is not None or self.ndim == 0:
            voxels = self.to_numpy().astype(target, casting=casting)
        else:
            voxels = np.empty(self.shape, target)
            for part in _slabs(self):
                voxels[part] = self[part].astype(target, casting=casting, copy=False)
        image = MLArray(voxels, meta=self.meta)
        if not _keeps_values(self.dtype, target):
            image.meta.stats.reset()
        return image

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """The voxels for ``from_dlpack`` of other libraries, in memory of the processor.

        Of an image that holds a NumPy array these are the voxels themselves, else new memory.

        Raises
        ------
        BufferError
            With ``copy=False`` where they must be decoded, and for a dtype or a device that
            DLPack or NumPy does not have.
        """
        if copy is False and self._plain is None:
            raise BufferError("the voxels are compressed: they cannot be had without a copy")
        voxels = self.to_numpy()
        asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device}
        if self._plain is not None:  # else they are new already
            asked["copy"] = copy
        given = {name: value for name, value in asked.items() if value is not None}
        if not voxels.flags.writeable and "max_version" not in given:
            voxels = voxels.copy()  # only newer consumers can be told that memory is not theirs
        return voxels.__dlpack__(**given)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The processor's memory."""
        return (1, 0)

    def __dask_tokenize__(self) -> Any:
        """What dask names an image by: its voxels and metadata, or the commit that it shows.

        Never the path alone: another file may lie there by now.
        """
        from dask.base import normalize_token

        if self._access != "r":
            voxels = None if self._is_metadata_only() else _digest(self.to_numpy())
            return ("mlarray.MLArray", voxels, normalize_token(self.meta.to_mapping()))
        shown = self._name_of_what_is_shown()
        changed = self._changed_metadata()
        meta = None if changed is None else normalize_token(changed.to_tree())
        return ("mlarray.MLArray", self._absolute, shown, meta)


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


def _slabs(image: Exchangeable) -> list[slice]:
    """Parts along the first axis of whole chunks, some megabytes each."""
    assert image.chunks is not None
    length, chunk = image.shape[0], max(image.chunks[0], 1)
    row = max(image.nbytes // max(length, 1) * chunk, 1)
    step = chunk * max((32 << 20) // row, 1)
    return [slice(start, start + step) for start in range(0, length, step)]
