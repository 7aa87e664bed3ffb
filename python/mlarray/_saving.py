"""Saving an MLArray to a file, and pickling it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

from . import _core, _writers
from ._aliases import UNSET
from ._checks import Naming, checked_path, to_core
from ._dtypes import as_bytes_view, dtype_to_text
from ._indexed import Indexed
from ._options import Packing, codec_params, kept_codec, save_options
from .errors import InvalidTypeError, MLArrayError

if TYPE_CHECKING:
    import numpy as np

    from ._types import Level, Params, PatchSize, PathLike, Preset, Sizes
    from .array import MLArray
    from .meta import Meta

__all__ = ["Savable"]


class Savable(Indexed):
    """Writing to a file, in the layout that was asked for when the image was made."""

    # What `save` uses unless it is told otherwise.
    _asked: Packing = Packing()
    _base_patch: list[int] | None = None  # that of the image given as `copy`

    def save(
        self,
        filepath: PathLike,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        preset: Preset | None = None,
        metadata_format: Literal["current", "legacy"] = "current",
        level: Level | None = None,
        durable: bool | None = None,
        verify: bool = False,
    ) -> None:
        """Write voxels and metadata to a file.

        The file is written beside its place and renamed into it: an older file stays whole
        until then, and on every error. It may be the file that this image is open on.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla``, or in ``.b2nd`` for a plain Blosc2 array without metadata.
        patch_size : {'default'}, int, sequence of int or None, optional
            Patches, in voxels per axis of space, that chunks and blocks are made for;
            'default' is 192, None leaves the choice to the library. Not given: what the
            image was made with, or the layout of the file that it comes from.
        chunk_size, block_size : int or sequence of int, optional
            Both, in voxels per axis, instead of `patch_size`.
        num_threads : int, optional
            At most so many; default: all.
        cparams : dict or object, optional
            Blosc2's parameters: codec, clevel, filters, filters_meta, splitmode. Not given:
            those of the file that the image comes from, or a choice by dtype.
        preset : {'fast', 'balanced', 'small'}, optional
            Instead of `cparams`, what matters most: the speed of reading and writing (what
            is chosen where nothing is said), or the size of the file.
        dparams : dict, optional
            ``{'nthreads': n}``.
        metadata_format : {'current', 'legacy'}
            'legacy' is for readers up to 0.0.48.
        level : {'none', 'ordered', 'durable'}, optional
            What a power cut may do; a killed process is survived at every level.
            'none': `filepath` may be lost, old and new.
            'ordered' (default): it is the old file or the new one, whole.
            'durable': when the call returns, it is the new one.
        durable : bool, optional
            True is another name of ``level='durable'``.
        verify : bool
            Read the new file back before it takes its place, and compare every voxel and
            all metadata with what was to be saved; takes about as long as reading it.

        Raises
        ------
        NotFoundError
            If the folder does not exist.
        InvalidUseError, LayoutError
            For a wrong suffix, and sizes that do not fit (``RuntimeError``).
        InvalidValueError
            For metadata that does not fit the array (``ValueError``).
        BusyError, FileAccessError
            If the file cannot be written (``RuntimeError``).
        CorruptionError
            If the file that the image comes from is damaged, and with `verify` if the new
            file does not read back; the old file stays (``RuntimeError``).

        Warns
        -----
        UserWarning
            If an older writer of this path in this process was saved and detached.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> MLArray(np.eye(3)).save("eye.mla", patch_size=64)
        """
        path = checked_path(filepath)
        with Naming(path):
            spatial_axes = self._spatial_axes_to_save()
            packing = self._packing_to_save(
                Packing(patch_size, chunk_size, block_size, cparams, preset),
                sum(spatial_axes),
            )
            options = save_options(
                packing,
                ndim=len(self._lengths),
                spatial_axes=spatial_axes,
                codec=self._codec_to_save(packing),
                num_threads=num_threads,
                dparams=dparams,
                metadata_format=metadata_format,
                store_metadata=path.endswith(".mla"),
                level=level,
                durable=durable,
                verify=verify,
            )
        _writers.before_use_of(path, besides=self)
        if self._plain is not None:
            with Naming(path):
                metadata = to_core(self.meta)
                if self._is_metadata_only():
                    _core.Array.save_metadata(path, metadata, options)
                else:
                    voxels = as_bytes_view(self._plain)
                    text = dtype_to_text(self._plain.dtype)
                    _core.Array.save_voxels(path, voxels, text, metadata, options)
        else:
            # Untouched metadata goes from file to file as it is, even if it cannot be read.
            changed = self._changed_metadata()
            self._open_core().save(path, options, changed)
            is_elsewhere = self._access in ("r+", "w+") and not self._is_file(path)
            if changed is not None and not is_elsewhere:
                self._loaded = (self.meta, changed)
        _writers.warn_of_detached()

    def _check_asked(self) -> None:
        """Refuse at once what `save` would refuse of the arguments that made the image."""
        asked = self._asked
        if not asked.says_sizes and not asked.says_codec:
            return
        options = save_options(
            asked,
            ndim=len(self._lengths),
            spatial_axes=self._spatial_axes_to_save(),
            codec=self._codec_to_save(asked),
        )
        options.check_layout(self._lengths, self._dtype.itemsize)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._access is None:
            voxels = None if self._is_metadata_only() else self.to_numpy()
            return _from_memory, (voxels, self.meta)
        if self._access != "r":
            raise InvalidTypeError(
                f"an MLArray with mode {self._access!r} cannot be pickled or copied: another "
                f"process would not see its edits; open {self._path!r} with 'r' for that"
            )
        changed = self.meta if self._changed_metadata() is not None else None
        options = (self._mapped, self._threads, changed, self._verify)
        # dask names what holds an image by its pickle: hence what this one shows.
        shown = "" if self._is_closed() else self._name_of_what_is_shown()
        return _reopen, (self._absolute, *options, shown)

    def _name_of_what_is_shown(self) -> str:
        """Of an image that is open for reading: another name means that voxels may differ."""
        voxels = self._open_voxels()
        commit = voxels.core.commit_name()
        if commit:
            return commit
        # No checksum says what the voxels are, so no other image has this one's name.
        name: str = voxels.loaded.setdefault("name", os.urandom(16).hex())
        return name

    def _packing_to_save(self, asked: Packing, spatial_ndim: int) -> Packing:
        """What `save` was asked for, completed by what the image was made with."""
        codec = asked if asked.says_codec else self._asked
        packing = asked if asked.says_sizes else self._asked
        if not packing.says_sizes and self._array is not None:
            packing = Packing(UNSET, self._array.chunks, self._array.blocks)
        elif not packing.says_sizes and len(self._base_patch or ()) == spatial_ndim:
            packing = Packing(self._base_patch)
        return packing._replace(cparams=codec.cparams, preset=codec.preset)

    def _codec_to_save(self, packing: Packing) -> _core.CodecParams | None:
        """What `save` was asked for, or else what the file has that the image comes from."""
        codec = codec_params(packing.cparams, dtype_to_text(self._dtype), packing.preset)
        if codec is None and self._array is not None:
            return kept_codec(self._array.codec, dtype_to_text(self._dtype))
        return codec

    def _spatial_axes_to_save(self) -> list[bool]:
        if self._is_metadata_only():
            return [True]
        try:
            return self._spatial_axes()
        except MLArrayError:
            if self._plain is not None or self._changed_metadata() is not None:
                raise
            return [True] * len(self._lengths)  # metadata that cannot be read is saved as it is


def _from_memory(voxels: np.ndarray[Any, Any] | None, meta: Meta) -> MLArray:
    from .array import MLArray

    return MLArray(voxels, meta=meta)


def _reopen(
    path: str,
    mapped: bool,
    threads: int,
    meta: Meta | None,
    verify: bool | None,
    _shown: str = "",
) -> MLArray:
    from .array import MLArray

    image = MLArray.open(
        path,
        mmap_mode="r" if mapped else None,
        num_threads=threads if threads > 0 else None,
        verify=verify,
    )
    if meta is not None:
        image.meta = meta
    return image
