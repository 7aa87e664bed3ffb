"""An image as a table with pictures, for notebooks."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InvalidValueError, MLArrayError
from .png import png
from .summary import geometry_shown, line_of, place_of
from .text import layout_text, lengths, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .geometry import Geometry
    from .summary import Shown

__all__ = ["Page", "page_of", "show"]

_MOST_PIXELS = 256  # along a side of a picture; a longer axis is read in steps
_SIDE = 160  # of a picture on the page, in pixels
_OPACITY = 0.5  # of labels over an image
# Of labels 1, 2, ..., and again from the first; told apart by who sees few colours, too.
_COLOURS = np.array(
    [
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
# How slices are looked at: from the front and with the head at the top, from the left, and from
# the feet with the face at the top. So the right side of the body is on the left.
_STEP = {"L": 1, "R": -1, "P": 1, "A": -1, "I": 1, "S": -1}  # -1: drawn backwards
_PLANES = {"LA": "axial", "LS": "coronal", "AS": "sagittal"}
_SAME_LINE = {"R": "L", "L": "L", "A": "A", "P": "A", "S": "S", "I": "S"}


class Page:
    """What `show` returns: a notebook draws it where it is the last line of a cell."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Page({len(self._text)} bytes of HTML, for notebooks)"


def show(image: Any, labels: Any = None) -> Page:
    """Show an image in a notebook, with a label map in colours over it.

    Where the metadata says which way the axes point, slices stand upright: head or face at the
    top, and the right side of the body on the left, as radiologists look at them.

    Parameters
    ----------
    image : MLArray
        Only the middle slice along each axis of space is read.
    labels : MLArray or numpy.ndarray, optional
        Of integers or bools, in the shape of the image; 0 is transparent.

    Returns
    -------
    Page
        The last line of a cell shows it.

    Raises
    ------
    InvalidValueError
        For labels of another shape, and for those that are no integers.

    Examples
    --------
    >>> import numpy as np
    >>> from mlarray import MLArray, show
    >>> image = MLArray(np.zeros((4, 8, 8), "int16"))
    >>> page = show(image, labels=np.ones((4, 8, 8), "uint8"))
    """
    if labels is not None:
        if tuple(labels.shape) != tuple(image.shape or ()):
            raise InvalidValueError(
                f"labels has the shape {tuple(labels.shape)}, but the image {image.shape}; "
                f"give one label for each voxel"
            )
        if np.dtype(labels.dtype).kind not in "biu":
            raise InvalidValueError(
                f"labels has the dtype {labels.dtype}; give integers or bools"
            )
    return Page(page_of(image._store, labels))


def page_of(store: Shown, labels: Any = None) -> str:
    """HTML: a table, and the middle slice along each axis of space."""
    if store.is_closed:
        return f"<pre>{html.escape(line_of(store))}</pre>"
    geometry = geometry_shown(store)
    rows = {"shape": "no array"}
    if not store.is_empty:
        rows = {"shape": lengths(store.shape), "dtype": str(store.dtype)}
    if geometry is not None and geometry.has_spacing:
        rows["spacing"] = numbers(geometry.spacing)
    if geometry is not None and geometry.orientation_text is not None:
        rows["orientation"] = geometry.orientation_text
    rows["size"] = ", ".join(place_of(store))
    if store.chunks is not None and not store.is_empty:
        rows["chunks"] = layout_text(store.chunks, store.blocks)
    try:
        pictures = "".join(_pictures(store, labels, geometry))
    except MLArrayError as error:
        pictures, rows["voxels"] = "", f"cannot be read: {error}"
    table = "".join(
        f"<tr><th style='text-align:left'>{name}</th>"
        f"<td style='text-align:left'>{html.escape(text)}</td></tr>"
        for name, text in rows.items()
    )
    return f"<div><b>MLArray</b><table>{table}</table>{pictures}</div>"


class _Slice(NamedTuple):
    """A plane of the image, and how it is put on the page."""

    key: tuple[Any, ...]
    rows: int  # the axis that runs down the picture
    columns: int  # the axis that runs to the right
    flip: tuple[slice, slice]
    title: str

    def of(self, read: Callable[[Any], Any]) -> np.ndarray[Any, Any]:
        """The plane of an array, as it is drawn."""
        plane = np.asarray(read(self.key))
        turned = plane.T if self.rows > self.columns else plane
        drawn: np.ndarray[Any, Any] = turned[self.flip]
        return drawn


def _pictures(store: Shown, labels: Any, geometry: Geometry | None) -> list[str]:
    """An <img> of the middle slice along each axis, or of the only one."""
    if store.is_empty or store.dtype.kind not in "biuf" or 0 in store.shape:
        return []
    spatial = _spatial_axes(store)
    axes = _axes_to_show(store, spatial)
    if len(axes) < 2:
        return []
    spacing = _spacing_of(geometry, spatial, axes)
    letters = dict(zip(spatial, (geometry and geometry.orientation) or ""))
    across = axes if len(axes) == 3 else [None]
    planes = [_slice(store.shape, [a for a in axes if a != axis], letters) for axis in across]
    drawn = _drawn(store, planes, labels)
    sizes = [[store.shape[a] * spacing[a] for a in (p.rows, p.columns)] for p in planes]
    longest = max(max(size) for size in sizes)
    return [
        _picture(pixels, [side / longest * _SIDE for side in size], plane.title)
        for pixels, size, plane in zip(drawn, sizes, planes)
    ]


def _slice(shape: tuple[int, ...], seen: list[int], letters: dict[int, str]) -> _Slice:
    """The middle slice that two axes span, upright where their letters are known."""
    key: list[Any] = [length // 2 for length in shape]
    for axis in seen:
        key[axis] = slice(None, None, -(-shape[axis] // _MOST_PIXELS))
    rows, columns = seen
    lines = {_SAME_LINE[letters[axis]]: axis for axis in seen if axis in letters}
    as_it_is = slice(None)
    if len(lines) < 2:
        return _Slice(tuple(key), rows, columns, (as_it_is, as_it_is), "")
    # In this order: what is first in it runs to the right.
    across, down = [line for line in "LAS" if line in lines]
    columns, rows = lines[across], lines[down]
    flip = [slice(None, None, _STEP[letters[axis]]) for axis in (rows, columns)]
    left, top = ("A" if across == "A" else "R"), ("S" if down == "S" else "A")
    title = f"{_PLANES[across + down]}: {left} on the left, {top} at the top"
    return _Slice(tuple(key), rows, columns, (flip[0], flip[1]), title)


def _drawn(store: Shown, planes: list[_Slice], labels: Any) -> list[np.ndarray[Any, Any]]:
    """Grey pixels, or coloured ones where there are labels."""
    slices = [plane.of(store.read) for plane in planes]
    if labels is None and store.dtype.kind in "biu" and _is_seg(store):
        return [_coloured(voxels, np.zeros(voxels.shape, np.uint8), 1.0) for voxels in slices]
    voxels = [found.astype(np.float64) for found in slices]
    low, high = _contrast(store, voxels)
    grey = [_grey(found, low, high) for found in voxels]
    if labels is None:
        return grey
    return [
        _coloured(plane.of(labels.__getitem__), g, _OPACITY) for plane, g in zip(planes, grey)
    ]


def _is_seg(store: Shown) -> bool:
    try:
        return store.meta.is_seg.is_seg is True
    except MLArrayError:
        return False


def _coloured(
    labels: np.ndarray[Any, Any], grey: np.ndarray[Any, Any], opacity: float
) -> np.ndarray[Any, Any]:
    """Labels over grey pixels; the colour of a label is the same in every picture."""
    number = (labels.astype(np.int64) - 1) % len(_COLOURS)
    share = np.where(labels != 0, opacity, 0.0)[..., None]
    mixed: np.ndarray[Any, Any] = grey[..., None] * (1 - share) + _COLOURS[number] * share
    pixels: np.ndarray[Any, Any] = mixed.round().astype(np.uint8)
    return pixels


def _spatial_axes(store: Shown) -> list[int]:
    try:
        return [axis for axis, is_space in enumerate(store.spatial_axes()) if is_space]
    except MLArrayError:
        return []


def _axes_to_show(store: Shown, spatial: list[int]) -> list[int]:
    """The last three axes of space; all axes, where there are no two of them."""
    axes = spatial if len(spatial) >= 2 else list(range(len(store.shape)))
    return axes[-3:]


def _spacing_of(
    geometry: Geometry | None, spatial: list[int], axes: list[int]
) -> dict[int, float]:
    by_axis = dict(zip(spatial, geometry.spacing)) if geometry is not None else {}
    spacing = {axis: float(by_axis.get(axis, 1.0)) for axis in axes}
    # A picture has sides of some length, whatever a file says.
    return (
        spacing
        if all(0 < s < float("inf") for s in spacing.values())
        else dict.fromkeys(axes, 1.0)
    )


def _contrast(store: Shown, slices: list[np.ndarray[Any, Any]]) -> tuple[float, float]:
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


def _grey(voxels: np.ndarray[Any, Any], low: float, high: float) -> np.ndarray[Any, Any]:
    scaled = np.nan_to_num((voxels - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    grey: np.ndarray[Any, Any] = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    return grey


def _picture(pixels: np.ndarray[Any, Any], size: list[float], title: str) -> str:
    data = base64.b64encode(png(pixels)).decode()
    height, width = (max(round(side), 1) for side in size)
    told = f" title='{title}'" if title else ""
    return (
        f"<img{told} style='margin:2px;width:{width}px;height:{height}px' "
        f"src='data:image/png;base64,{data}'>"
    )
