"""Fields of a NRRD header for the axes of an image that no header says already."""

from __future__ import annotations

import math
from typing import Any

from ._model import Exported, checked_affine, fill_space, in_frame
from ._nrrd_header import FREE_SPACES
from ._times import Times, times_of
from ._units import convert_lengths, is_named, simple_text

__all__ = ["is_spelled", "new_geometry"]

_KIND = "nrrd"
_NAMES = {
    "RAS": "right-anterior-superior",
    "LPS": "left-posterior-superior",
    "LAS": "left-anterior-superior",
}
_LABEL_KINDS = {"temporal": "time", "components": "vector"}


def new_geometry(exported: Exported, path: str) -> dict[str, Any]:
    """Fields of axes and of the space, as pynrrd takes them.

    Parameters
    ----------
    exported : Exported
        Changed: axes of length 1 where they are needed, positions in one unit, and a note for
        everything that NRRD cannot hold.
    path : str
        What is written.

    Raises
    ------
    UnsupportedError
        For positions that are no numbers.
    """
    import numpy as np

    spatial = exported.meta.spatial
    count = sum(exported.spatial_axes)
    times = _times(exported)
    if exported.affine is None:
        fields = {"kinds": _kinds(exported, "domain"), **_time_fields(exported, times)}
        return fields | _unit_fields(exported, of_coordinates=False)
    checked_affine(exported.affine, path, _KIND)
    unit = convert_lengths(exported, {})
    checked_affine(exported.affine, path, _KIND, unit)
    # A frame has three axes, and readers such as ITK want as many axes of the array.
    if count < 3 and (exported.frame or exported.world != list(range(count))):
        fill_space(exported, exported.voxels.ndim, _KIND)
        count = 3
    axes, affine = exported.spatial_axes, exported.affine
    fields = {"kinds": _kinds(exported, "space")}
    timed = times is not None and count == 3
    if exported.frame and count == 3:
        # ITK takes every space with time for LPS, so that no other is written.
        named = "LPS" if timed or exported.frame not in _NAMES else exported.frame
        affine = in_frame(affine, exported.frame, named)
        fields["space"] = _NAMES[named]
    elif count == 3 and spatial.coord_system in FREE_SPACES:
        fields["space"] = spatial.coord_system
    else:
        timed = False
        fields["space dimension"] = count
        if exported.frame or spatial.coord_system:
            exported.notes.append(
                f"coord_system '{spatial.coord_system}' is not written: NRRD has no name for "
                f"it in {count} dimensions"
            )
    columns = iter(affine[:count, :count].T)
    directions = [next(columns) if keep else [math.nan] * count for keep in axes]
    origin = affine[:count, count].tolist()
    if times and timed:
        fields["space"] += "-time"
        origin = [*origin, times.scaled(times.start)]
        directions = [
            [*vector, 0.0 if keep else math.nan] for vector, keep in zip(directions, axes)
        ]
        along = [0.0] * count + [times.scaled(times.step)]
        directions[exported.labels.index("temporal")] = along
    else:
        fields.update(_time_fields(exported, times))
    fields["space directions"] = np.array(directions)
    fields["space origin"] = np.array(origin)
    fields.update(_unit_fields(exported, timed=timed))
    return fields


def _times(exported: Exported) -> Times | None:
    """Those of the source, if they can be written in the unit of the image."""
    times = times_of(exported)
    if times is None:
        return None
    step, start = times.scaled(times.step), times.scaled(times.start)
    if step and math.isfinite(step) and math.isfinite(start):
        return times
    exported.notes.append(
        f"the time step, {times.step:g} of the source, is no number in '{times.unit}' and not "
        f"written"
    )
    return None


def _time_fields(exported: Exported, times: Times | None) -> dict[str, Any]:
    """Step and start of an axis of time that is no coordinate of a space."""
    if times is None:
        return {}
    at = exported.labels.index("temporal")

    def of_axis(value: Any, other: Any) -> list[Any]:
        return [value if axis == at else other for axis in range(exported.voxels.ndim)]

    fields = {"spacings": of_axis(times.scaled(times.step), math.nan)}
    if times.start:
        fields["axis mins"] = of_axis(times.scaled(times.start), math.nan)
        fields["centerings"] = of_axis("node", "???")
    return fields


def _unit_fields(
    exported: Exported, of_coordinates: bool = True, timed: bool = False
) -> dict[str, Any]:
    """``space units`` are those of the coordinates, ``units`` those of other axes."""
    lost = sorted({unit for unit in exported.units if not is_spelled(unit)})
    if lost:
        exported.notes.append(f"units that pynrrd cannot write: {lost}")
    written = ["" if u in lost or not is_named(u) else simple_text(u) for u in exported.units]
    if not of_coordinates:
        return {"units": written} if any(written) else {}
    in_space = list(exported.spatial_axes)
    of_axes = [unit for unit, keep in zip(written, in_space) if keep]
    of_space = [of_axes[axis] for axis in exported.axis_of_row]
    if timed:
        at = exported.labels.index("temporal")
        of_space.append(written[at])
        in_space[at] = True
    others = ["" if keep else unit for unit, keep in zip(written, in_space)]
    fields = {"space units": of_space, "units": others}
    return {name: units for name, units in fields.items() if any(units)}


def _kinds(exported: Exported, of_space: str) -> list[str]:
    return [
        of_space if keep else _LABEL_KINDS.get(label, "list")
        for keep, label in zip(exported.spatial_axes, exported.labels)
    ]


def is_spelled(text: str) -> bool:
    """Whether a text in quotes comes back as it is."""
    return simple_text(text).isascii() and text.isprintable() and not set(text) & set('"\\')
