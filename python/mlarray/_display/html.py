"""An image as a table with pictures, for notebooks."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MLArrayError
from .png import png
from .summary import geometry_of, line_of, place_of
from .text import lengths, numbers

if TYPE_CHECKING:
    from .._store.base import Store

__all__ = ["page_of"]

_MOST_PIXELS = 256  # along a side of a picture; a longer axis is read in steps
_SIDE = 160  # of a picture on the page, in pixels


def page_of(store: Store) -> str:
    """HTML: a table, and the middle slice along each axis of space."""
    if store.is_closed:
        return f"<pre>{html.escape(line_of(store))}</pre>"
    geometry = geometry_of(store)
    rows = {"shape": "no array"}
    if not store.is_empty:
        rows = {"shape": lengths(store.shape), "dtype": str(store.dtype)}
    if "spacing" in geometry:
        rows["spacing"] = numbers(geometry["spacing"])
    if "orientation" in geometry:
        rows["orientation"] = geometry["orientation"]
    rows["size"] = ", ".join(place_of(store))
    if store.chunks is not None and not store.is_empty:
        rows["chunks"] = f"{lengths(store.chunks)}, in blocks of {lengths(store.blocks)}"
    try:
        pictures = "".join(_pictures(store))
    except MLArrayError as error:
        pictures, rows["voxels"] = "", f"cannot be read: {error}"
    table = "".join(
        f"<tr><th style='text-align:left'>{name}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows.items()
    )
    return f"<div><b>MLArray</b><table>{table}</table>{pictures}</div>"


def _pictures(store: Store) -> list[str]:
    """An <img> of the middle slice along each axis, or of the only one."""
    if store.is_empty or store.dtype.kind not in "biuf" or 0 in store.shape:
        return []
    axes = _axes_to_show(store)
    if len(axes) < 2:
        return []
    spacing = _spacing_of(store, axes)
    across = axes if len(axes) == 3 else [None]
    slices, sizes = [], []
    for axis in across:
        key: list[Any] = [length // 2 for length in store.shape]
        seen = [a for a in axes if a != axis]
        for a in seen:
            key[a] = slice(None, None, -(-store.shape[a] // _MOST_PIXELS))
        slices.append(np.asarray(store.read(tuple(key))).astype(np.float64))
        sizes.append([store.shape[a] * spacing[a] for a in seen])
    low, high = _contrast(store, slices)
    longest = max(max(size) for size in sizes)
    return [
        _picture(voxels, low, high, [side / longest * _SIDE for side in size])
        for voxels, size in zip(slices, sizes)
    ]


def _axes_to_show(store: Store) -> list[int]:
    """The last three axes of space; all axes, where there are no two of them."""
    try:
        spatial = [axis for axis, is_space in enumerate(store.spatial_axes()) if is_space]
    except MLArrayError:
        spatial = []
    axes = spatial if len(spatial) >= 2 else list(range(len(store.shape)))
    return axes[-3:]


def _spacing_of(store: Store, axes: list[int]) -> dict[int, float]:
    found = geometry_of(store).get("spacing")
    try:
        spatial = [axis for axis, is_space in enumerate(store.spatial_axes()) if is_space]
    except MLArrayError:
        spatial = []
    by_axis = dict(zip(spatial, found)) if found else {}
    spacing = {axis: float(by_axis.get(axis, 1.0)) for axis in axes}
    # A picture has sides of some length, whatever a file says.
    return (
        spacing
        if all(0 < s < float("inf") for s in spacing.values())
        else dict.fromkeys(axes, 1.0)
    )


def _contrast(store: Store, slices: list[np.ndarray[Any, Any]]) -> tuple[float, float]:
    """What is black and what is white: the percentiles that are stored, or the slices' own."""
    try:
        stats = store.meta.stats
        low, high = stats.percentile_min, stats.percentile_max
    except MLArrayError:
        low = high = None
    if low is not None and high is not None and np.isfinite([low, high]).all() and low < high:
        return float(low), float(high)
    seen = np.concatenate([voxels.ravel() for voxels in slices])
    seen = seen[np.isfinite(seen)]
    if seen.size == 0:
        return 0.0, 1.0
    low, high = np.quantile(seen, (0.005, 0.995))
    if low == high:
        low, high = seen.min(), seen.max()
    return float(low), float(high) if high > low else float(low) + 1.0


def _picture(voxels: np.ndarray[Any, Any], low: float, high: float, size: list[float]) -> str:
    scaled = np.nan_to_num((voxels - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    data = base64.b64encode(png((scaled.clip(0, 1) * 255).round().astype(np.uint8))).decode()
    height, width = (max(round(side), 1) for side in size)
    return (
        f"<img style='margin:2px;width:{width}px;height:{height}px' "
        f"src='data:image/png;base64,{data}'>"
    )
