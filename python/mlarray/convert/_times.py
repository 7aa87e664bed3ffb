"""The time from one volume to the next, which only the header of the source says.

An image has spacing and origin of its axes of space. Those of its time stay in the header
that is kept of the source, in the source's unit; writers of other formats get them here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from ._model import Exported, plain
from ._nrrd_header import ends_of_axes, field_name, known_vector, per_axis, space_of
from ._units import is_named, scaled, time

__all__ = ["Times", "find_times", "note_other_steps", "times_of"]

_UNKNOWN: Final = "unknown"
_NIFTI_UNITS: Final = {8: "sec", 16: "msec", 24: "usec", 32: "hz", 40: "ppm", 48: "rads"}


@dataclass(frozen=True)
class Times:
    """When the volumes of an image were taken."""

    step: float  # from one to the next, as the source says
    start: float  # of the first
    unit: str  # the image's own, "unknown" if it has none
    factor: Fraction  # what step and start are multiplied by to be in that unit

    def scaled(self, number: float, further: Fraction | int = 1) -> float:
        """A number of the source in another unit, rounded once; inf where that is too large.

        Examples
        --------
        >>> Times(90.0, 0.0, "min", Fraction(1, 60)).scaled(90.0)
        1.5
        """
        return scaled(number, self.factor * further)


def times_of(exported: Exported) -> Times | None:
    """What the kept header of the source says of the image's one axis of time.

    Parameters
    ----------
    exported : Exported
        Gets a note where the header's unit and the image's cannot be compared.

    Returns
    -------
    Times or None
        None where the source does not say it, or the image has no such axis or several.
    """
    return find_times(exported.labels, exported.units, exported.source_of, exported.notes)


def find_times(
    labels: list[str],
    units: list[str],
    source_of: Callable[[str], dict[str, Any]],
    notes: list[str],
) -> Times | None:
    """The same as `times_of`, of the parts of an image.

    Parameters
    ----------
    labels, units : list of str
        One per axis.
    source_of : callable
        The header that is kept of a format, empty for all but one: see `Exported.source_of`.
    notes : list of str
        Gets the note.
    """
    if labels.count("temporal") != 1:
        return None
    try:
        found = _of_nifti(source_of("nifti")) or _of_nrrd(source_of("nrrd"))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError):
        return None  # a header that somebody has edited
    if found is None or not math.isfinite(found[0]) or not math.isfinite(found[1]):
        return None
    step, start, said = found
    unit = units[labels.index("temporal")]
    unit = unit if is_named(unit) else _UNKNOWN
    before, now = time(said), time(unit)
    factor = Fraction(1)
    if before is not None and now is not None:
        factor = before / now
    elif is_named(said) and said.lower() != unit.lower():
        notes.append(
            f"the unit of time is now '{unit}' instead of '{said}': the time step {step:g} "
            f"(pixdim[4] in NIfTI) and the time of the first volume, {start:g}, stay"
        )
    return Times(step, start, unit, factor)


def _of_nifti(fields: dict[str, Any]) -> tuple[float, float, str] | None:
    """Step, start and unit; NIfTI's fourth axis is time."""
    if not fields or fields["dim"][0] < 4 or not fields["pixdim"][4] > 0:
        return None
    code = int(fields["xyzt_units"])
    unit = _NIFTI_UNITS.get(code - code % 8, _UNKNOWN) if code % 8 < 4 else _UNKNOWN
    return float(fields["pixdim"][4]), float(fields["toffset"]), unit


def _of_nrrd(source: dict[str, Any]) -> tuple[float, float, str] | None:
    """The last coordinate of a space with time, or an axis whose kind is time."""
    if not source:
        return None
    header = {field_name(name) or name: value for name, value in source.items()}
    ndim = int(header["dimension"])
    directions = [known_vector(v) for v in per_axis(header, "space directions", ndim, None)]
    units = per_axis(header, "units", ndim, "")
    timed = space_of(header.get("space"))[1]
    axes = [i for i, vector in enumerate(directions) if timed and vector and vector[-1]]
    if len(axes) == 1:
        of_space = list(header.get("space units") or [""])
        start = header.get("space origin", [0.0])[-1]
        unit = units[axes[0]] or of_space[-1]
        step = directions[axes[0]][-1]
        return float(step), float(start) if start == start else 0.0, unit or _UNKNOWN
    kinds = [str(kind).lower() for kind in per_axis(header, "kinds", ndim, "???")]
    axes = [i for i, kind in enumerate(kinds) if kind == "time" and directions[i] is None]
    if len(axes) != 1:
        return None
    spacings, starts = ends_of_axes(header, ndim)
    step, start = spacings[axes[0]], starts[axes[0]]
    if step is None:
        return None
    return float(step), float(start or 0.0), units[axes[0]] or _UNKNOWN


def note_other_steps(exported: Exported, kind: str) -> None:
    """Say which steps of axes that are neither space nor time the source has.

    Parameters
    ----------
    exported : Exported
        Gets the note.
    kind : str
        The format that is written.
    """
    try:
        steps = _other_steps_of_nrrd(exported.source_of("nrrd"))
        fields = exported.source_of("nifti") if kind != "nifti" else {}
        if fields:
            steps += fields["pixdim"][5 : 1 + fields["dim"][0]]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return
    steps = [step for step in steps if step not in (None, 0.0, 1.0) and step == step]
    if steps:
        exported.notes.append(
            f"not written, steps of axes that are neither space nor time: "
            f"{', '.join(f'{step:g}' for step in steps)}"
        )


def _other_steps_of_nrrd(source: dict[str, Any]) -> list[Any]:
    if "spacings" not in source or "kinds" not in source:
        return []
    kinds = [str(kind).lower() for kind in plain(source["kinds"])]
    of_others = [k not in ("domain", "space", "time", "???", "none") for k in kinds]
    return [step for step, keep in zip(plain(source["spacings"]), of_others) if keep]
