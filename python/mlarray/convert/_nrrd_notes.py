"""What headers of NRRD files say in a way that readers take differently."""

from __future__ import annotations

from typing import Any, Final

from ..orientation import frame_letters
from ._nrrd_header import entry_of, is_space_of_nrrd, known_vector, per_axis, space_of

__all__ = ["notes_on_geometry"]

_FROM_ENDS: Final = (
    "'axis mins' and 'axis maxs' without 'spacings'; the spacing is their distance by the "
    "number of samples, as the format says, and SimpleITK takes 1"
)
_NO_SPACING: Final = (
    "'axis mins' without 'spacings' and 'axis maxs'; they do not say where a sample lies and "
    "are not used, and SimpleITK uses those of no axis then"
)
_NO_MINIMUM: Final = "'axis maxs' without 'axis mins', which no reader uses"
_SOME_MINIMA: Final = (
    "they have no 'axis mins', and others do; 0 is taken, and SimpleITK shows nan"
)
_NODES: Final = (
    "'axis mins' and 'axis maxs' fit 'spacings' for samples at both ends ('centerings: node'), "
    "which the file does not say; cells are taken, as SimpleITK does, and the first sample is "
    "half a spacing from the end"
)


def notes_on_geometry(header: Any) -> list[str]:
    """What readers take differently, or not at all, and how it was taken.

    Parameters
    ----------
    header : mapping
        As `check_geometry` has let it pass.
    """
    space = str(header.get("space") or "")
    notes = []
    if space and not is_space_of_nrrd(space):
        letters = frame_letters(space_of(space)[0])
        taken = f"it was taken for the frame {letters}" if letters else "it names no frame here"
        notes.append(
            f"'space' is '{space}', which NRRD does not have and readers refuse: {taken}, and "
            f"positions are as they lie in the file"
        )
    elif space_of(space)[1] and space_of(space)[0] in ("RAS+", "LAS+"):
        notes.append(
            f"'space' is '{space}': SimpleITK 2.5 reads spaces with time as if they were LPS, "
            f"and shows mirrored positions"
        )
    ndim = int(header["dimension"])
    directions = per_axis(header, "space directions", ndim, None)
    axes = [i for i in range(ndim) if known_vector(directions[i]) is None]
    for about, which in _differences(header, axes, ndim).items():
        if which:
            names = f"ax{'i' if len(which) == 1 else 'e'}s {', '.join(map(str, which))}"
            notes.append(f"readers differ about {names}: {about}")
    return notes


def _differences(header: Any, axes: list[int], ndim: int) -> dict[str, list[int]]:
    """Axes without a direction that are said in an unusual way."""
    found: dict[str, list[int]] = {
        text: [] for text in (_FROM_ENDS, _NO_SPACING, _NO_MINIMUM, _SOME_MINIMA, _NODES)
    }
    lows = [entry_of(header, "axis mins", axis) for axis in axes]
    some = any(low == low for low in lows)
    for axis in axes:
        spacing, low, high = (
            entry_of(header, name, axis) for name in ("spacings", "axis mins", "axis maxs")
        )
        said = [number == number for number in (spacing, low, high)]
        center = per_axis(header, "centerings", ndim, "???")[axis].lower()
        if said[1:] == [True, True] and not said[0]:
            found[_FROM_ENDS].append(axis)
        elif said == [False, True, False]:
            found[_NO_SPACING].append(axis)
        elif said[1:] == [False, True]:
            found[_NO_MINIMUM].append(axis)
        elif said[:2] == [True, False] and some:
            found[_SOME_MINIMA].append(axis)
        elif all(said) and center not in ("cell", "node"):
            cells = int(header["sizes"][axis])
            by_cells, by_nodes = (abs(high - low - n * spacing) for n in (cells, cells - 1))
            if by_nodes < by_cells:
                found[_NODES].append(axis)
    return found
