"""Chunk and block lengths by the heuristics of other versions, under their names.

`MLArray.comp_blosc2_params` uses that of 0.0.54; images of 0.0.33 were cut by the baseline.
Both give the very lengths that these versions give; `save` cuts by a rule of its own, unless
``chunk_size`` and ``block_size`` say otherwise. Two more that 0.0.54 lists but
never uses, ``generalized`` and ``spatial_only``, have no heuristic of their own here: they are
names of that of 0.0.54.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import _core

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "comp_blosc2_params_baseline",
    "comp_blosc2_params_generalized",
    "comp_blosc2_params_spatial_only",
    "comp_blosc2_params_spatial_only_magnitude",
]

Lengths = tuple[list[int], list[int]]


def _call(
    heuristic: Callable[..., dict[str, Any]],
    image_size: Sequence[int],
    patch_size: Sequence[int],
    spatial_axis_mask: Sequence[bool] | None,
    *sizes: Any,
) -> Lengths:
    mask = [] if spatial_axis_mask is None else [bool(spatial) for spatial in spatial_axis_mask]
    layout = heuristic([int(n) for n in image_size], [int(n) for n in patch_size], mask, *sizes)
    return layout["chunk_size"], layout["block_size"]


def comp_blosc2_params_baseline(
    image_size: Sequence[int],
    patch_size: Sequence[int],
    spatial_axis_mask: Sequence[bool] | None = None,
    bytes_per_pixel: int = 4,
    l1_cache_size_per_core_in_bytes: int = 32768,
    l3_cache_size_per_core_in_bytes: int = 1441792,
    safety_factor: float = 0.8,
) -> Lengths:
    """As 0.0.33: 2 or 3 axes of space, and at most one other, which blocks keep whole.

    Parameters and returned values are those of `MLArray.comp_blosc2_params`.

    Examples
    --------
    >>> comp_blosc2_params_baseline((100, 200, 300), (64, 64, 64), bytes_per_pixel=2)
    ([100, 80, 80], [32, 16, 16])
    """
    return _call(
        _core.layout_for_patch_2d3d,
        *(image_size, patch_size, spatial_axis_mask, bytes_per_pixel),
        *(l1_cache_size_per_core_in_bytes, l3_cache_size_per_core_in_bytes, safety_factor),
    )


def comp_blosc2_params_spatial_only_magnitude(
    image_size: Sequence[int],
    patch_size: Sequence[int],
    spatial_axis_mask: Sequence[bool] | None = None,
    bytes_per_pixel: int = 4,
    l1_cache_size_per_core_in_bytes: int = 32768,
    l3_cache_size_per_core_in_bytes: int = 1441792,
    safety_factor: float = 0.8,
) -> Lengths:
    """As 0.0.54: any number of axes; those that are not spatial have length 1.

    Parameters and returned values are those of `MLArray.comp_blosc2_params`.

    Examples
    --------
    >>> comp_blosc2_params_spatial_only_magnitude((3, 512, 512), (96, 96), [0, 1, 1], 2)
    ([1, 228, 228], [1, 114, 114])
    """
    return _call(
        _core.layout_for_patch_nd,
        *(image_size, patch_size, spatial_axis_mask, bytes_per_pixel),
        *(l1_cache_size_per_core_in_bytes, l3_cache_size_per_core_in_bytes, safety_factor),
    )


comp_blosc2_params_generalized = comp_blosc2_params_spatial_only_magnitude
comp_blosc2_params_spatial_only = comp_blosc2_params_spatial_only_magnitude
