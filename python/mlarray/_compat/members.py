"""Members of `MLArray` that only other versions have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._argument_orders import in_either_order
from .layouts import comp_blosc2_params_baseline, comp_blosc2_params_spatial_only_magnitude
from .names import resolve_axis_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OlderNames"]


class OlderNames:
    """Other names of what `MLArray` has, and a rule for layouts that `save` does not use."""

    __slots__ = ()

    if TYPE_CHECKING:  # of MLArray

        @property
        def mmap_mode(self) -> str | None: ...
        @property
        def spatial_ndim(self) -> int: ...

    @property
    def mmap(self) -> str | None:
        """The older name of `mmap_mode`."""
        return self.mmap_mode

    @property
    def _spatial_ndim(self) -> int:
        """The older name of `spatial_ndim`."""
        return self.spatial_ndim

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
