"""Compressing and decompressing an MLArray in memory, and the layouts behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _core
from ._aliases import UNSET
from ._checks import state_facts, to_core
from ._dtypes import as_bytes_view, dtype_from_text, dtype_to_text
from ._options import Packing, save_options
from ._positions import in_either_order
from ._saving import Savable
from ._voxels import Voxels
from .blosc2_layout_strategies import (
    comp_blosc2_params_baseline,
    comp_blosc2_params_spatial_only_magnitude,
)
from .spatial import resolve_axis_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._types import Params, PatchSize, Preset, Sizes

__all__ = ["Packable"]


class Packable(Savable):
    """Changing between compressed voxels and a NumPy array, in place."""

    def compress(
        self,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        num_threads: int | None = None,
        preset: Preset | None = None,
    ) -> None:
        """Hold the voxels compressed in memory from now on.

        An image that is open on a file is saved first if it is a writer, and has nothing to do
        with the file afterwards.

        Parameters
        ----------
        patch_size, chunk_size, block_size, cparams, dparams, num_threads, preset
            As for `save`, which takes them over.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        InvalidUseError, LayoutError, InvalidValueError
            As for `save`.
        ClosedError
            After `close`.

        Examples
        --------
        >>> import numpy as np
        >>> from mlarray import MLArray
        >>> image = MLArray(np.zeros((64, 64, 64), "int16"))
        >>> image.compress(patch_size=32)
        >>> image.chunks
        (64, 64, 64)
        """
        voxels = self.to_numpy()
        spatial_axes = self._spatial_axes()
        packing = self._packing_to_save(
            Packing(patch_size, chunk_size, block_size, cparams, preset), sum(spatial_axes)
        )
        options = save_options(
            packing,
            ndim=voxels.ndim,
            spatial_axes=spatial_axes,
            codec=self._codec_to_save(packing),
            num_threads=num_threads,
            dparams=dparams,
        )
        text = dtype_to_text(voxels.dtype)
        core = _core.Array.in_memory(
            as_bytes_view(voxels), voxels.shape, text, to_core(self.meta), options
        )
        meta = self.meta
        self._release()
        state_facts(meta, voxels.shape)
        meta.blosc2._fill(core.metadata().to_tree()["blosc2"])
        self._plain, self._plain_meta = None, None
        self._asked = Packing()
        self._array = core
        self._voxels = Voxels(core, dtype_from_text(text), self._threads)
        self._loaded = (meta, to_core(meta))

    def decompress(self) -> None:
        """Hold the voxels as a NumPy array from now on; the opposite of `compress`.

        An image that is open on a file is saved first if it is a writer, and has nothing to do
        with the file afterwards.

        Raises
        ------
        InvalidTypeError
            If the image is metadata only (``TypeError``).
        CorruptionError
            If the file is damaged.
        ClosedError
            After `close`.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray("image.mla")
        >>> image.decompress()
        >>> image.chunks is None
        True
        """
        voxels = self.to_numpy()
        meta = self.meta
        self._base_patch = meta.blosc2.patch_size or self._base_patch
        self._release()
        state_facts(meta, voxels.shape)
        self._array = self._voxels = None
        self._plain, self._loaded = voxels, (meta, None)

    def _release(self) -> None:
        """Let go of the file, if there is one; what a writer has not saved yet is saved."""
        if self._access in ("r+", "w+") and self._array is not None:
            self._save_and_let_go()
        self._access = self._path = None
        self._mapped, self._absolute = False, ""

    @classmethod
    @in_either_order("comp_blosc2_params")
    def comp_blosc2_params(
        cls,
        image_size: Sequence[int],
        patch_size: Sequence[int],
        spatial_axis_mask: Sequence[bool] | None = None,
        bytes_per_pixel: int = 4,
        l1_cache_size_per_core_in_bytes: int = 32768,
        l3_cache_size_per_core_in_bytes: int = 1441792,
        safety_factor: float = 0.8,
        *,
        channel_axis: int | None = None,
    ) -> tuple[list[int], list[int]]:
        """Chunk and block lengths as 0.0.54 chooses them for a patch.

        `save` has a rule of its own for its ``patch_size``, whose files are read faster. To
        have these lengths, pass them as ``chunk_size`` and ``block_size``.

        Parameters
        ----------
        image_size : sequence of int
            Lengths of the axes, in voxels.
        patch_size : sequence of int
            Lengths of the patches, per axis of space.
        spatial_axis_mask : sequence of bool, optional
            Which axes are axes of space; all, if it is not given. Others have length 1.
        bytes_per_pixel : int
            Bytes of a voxel.
        l1_cache_size_per_core_in_bytes, l3_cache_size_per_core_in_bytes : int
            What a block and a chunk should fit.
        safety_factor : float
            How much of them may be used.
        channel_axis : int, optional
            Asks for the layout of 0.0.33, for 2 or 3 axes of space: this axis stays whole.

        Returns
        -------
        chunk_size, block_size : list of int
            In this order; nnU-Net's function of this name returns them in the other one.

        Raises
        ------
        LayoutError
            For lengths that do not fit each other (``RuntimeError``, ``ValueError``).

        Examples
        --------
        >>> from mlarray import MLArray
        >>> MLArray.comp_blosc2_params((100, 200, 300), (64, 64, 64))
        ([54, 54, 80], [18, 18, 20])
        """
        caches: tuple[Any, ...] = (
            bytes_per_pixel,
            l1_cache_size_per_core_in_bytes,
            l3_cache_size_per_core_in_bytes,
            safety_factor,
        )
        if channel_axis is None:
            return comp_blosc2_params_spatial_only_magnitude(
                image_size, patch_size, spatial_axis_mask, *caches
            )
        labels = resolve_axis_labels(None, channel_axis, len(image_size)) or ()
        mask = [label != "channel" for label in labels]
        return comp_blosc2_params_baseline(image_size, patch_size, mask, *caches)
