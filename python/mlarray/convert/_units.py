"""Units of length and time by their usual names, and numbers from one to another."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from ._model import Exported

__all__ = [
    "LENGTHS",
    "TIMES",
    "convert_lengths",
    "is_named",
    "length",
    "scaled",
    "simple_text",
    "time",
]

# What NIfTI has codes for, by the names that nibabel gives them.
LENGTHS: Final = {"meter": Fraction(1), "mm": Fraction(1, 10**3), "micron": Fraction(1, 10**6)}
TIMES: Final = {"sec": Fraction(1), "msec": Fraction(1, 10**3), "usec": Fraction(1, 10**6)}

_PREFIXES: Final = {
    "": (0, ""),
    "d": (-1, "deci"),
    "c": (-2, "centi"),
    "m": (-3, "milli"),
    "u": (-6, "micro"),
    "n": (-9, "nano"),
    "p": (-12, "pico"),
    "k": (3, "kilo"),
}


def _with_prefixes(letter: str, words: Sequence[str]) -> dict[str, Fraction]:
    found = {}
    for prefix, (exponent, spelled) in _PREFIXES.items():
        size = Fraction(10) ** exponent
        found[prefix + letter] = size
        found |= {spelled + word: size for word in words}
    return found


_METRES: Final = {
    **_with_prefixes("m", ("meter", "meters", "metre", "metres")),
    **dict.fromkeys(("micron", "microns"), Fraction(1, 10**6)),
    **dict.fromkeys(("angstrom", "angstroms", "\u00c5", "\u00e5"), Fraction(1, 10**10)),
    **dict.fromkeys(("in", "inch", "inches"), Fraction(254, 10**4)),
}
_SECONDS: Final = {
    **_with_prefixes("s", ("sec", "secs", "second", "seconds")),
    **dict.fromkeys(("sec", "secs"), Fraction(1)),
    **dict.fromkeys(("msec", "msecs"), Fraction(1, 10**3)),
    **dict.fromkeys(("usec", "usecs"), Fraction(1, 10**6)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Fraction(60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Fraction(3600)),
}


def length(unit: str) -> Fraction | None:
    """How many metres it is.

    Examples
    --------
    >>> length("mm"), length("pixel")
    (Fraction(1, 1000), None)
    """
    return _look_up(_METRES, unit)


def time(unit: str) -> Fraction | None:
    """How many seconds it is.

    Examples
    --------
    >>> time("Minutes"), time("Sec"), time("Ms")
    (Fraction(60, 1), Fraction(1, 1), None)
    """
    return _look_up(_SECONDS, unit)


def is_named(unit: str) -> bool:
    """Whether it says anything.

    Examples
    --------
    >>> is_named("unknown"), is_named("pixel")
    (False, True)
    """
    return unit.strip().lower() not in ("", "unknown", "none", "???")


def simple_text(unit: str) -> str:
    """With u for micro, of which Unicode has two signs.

    Examples
    --------
    >>> simple_text("\u00b5m")
    'um'
    """
    return unit.replace("\u00b5", "u").replace("\u03bc", "u")


def _look_up(units: dict[str, Fraction], unit: str) -> Fraction | None:
    text = simple_text(unit.strip())
    if text in units:
        return units[text]
    # "Mm" is no millimetre and "Ps" no picosecond, but "MM", "Millimeter" and "Sec" can only
    # be one thing.
    shouted = text.isupper() and len(text) > 1
    began = len(text) > 1 and text[1:].islower() and not re.fullmatch("[MP](m|s|secs?)", text)
    return units.get(text.lower()) if shouted or began or len(text) > 4 else None


def convert_lengths(exported: Exported, known: dict[str, Fraction]) -> str | None:
    """Bring the positions into one unit.

    Parameters
    ----------
    exported : Exported
        Changed: the affine, the units, and a note. It still has the axes of the image.
    known : dict
        Units that the format has, by name; empty if it has them all.

    Returns
    -------
    str or None
        The unit's name; None where the axes do not have one that is known.
    """
    axes = [axis for axis, keep in enumerate(exported.spatial_axes) if keep]
    units = [exported.units[axis] for axis in axes]
    sizes = [size for unit in units if (size := length(unit)) is not None]
    if not axes or len(sizes) < len(units):
        return None
    by_size = {size: name for name, size in known.items()}
    if len(set(sizes)) == 1 and (not known or sizes[0] in by_size):
        for axis in axes:  # "um" and "micron" are one unit
            exported.units[axis] = units[0]
        return by_size.get(sizes[0], units[0])
    target = "micron" if max(sizes) < LENGTHS["micron"] else "mm"
    if exported.affine is not None:
        _scale(exported, [size / LENGTHS[target] for size in sizes])
        exported.notes.append(
            f"positions are written in {target}: axis_units are "
            f"{units if len(set(units)) > 1 else repr(units[0])}"
        )
    for axis in axes:
        exported.units[axis] = target
    return target


def _scale(exported: Exported, factors: list[Fraction]) -> None:
    """Multiply by one factor for each axis of space.

    A coordinate is in the unit of its axis. So is a spacing: where the affine is made of
    spacing and direction, its columns are scaled, where it was given, its rows.
    """
    import numpy as np

    affine = exported.affine.copy()
    count = len(affine) - 1
    of_rows = [factors[axis] for axis in exported.axis_of_row]
    by_columns = exported.meta.spatial.affine is None
    for row in range(count):
        for column in range(count):
            factor = factors[column] if by_columns else of_rows[row]
            affine[row, column] = scaled(affine[row, column], factor)
        affine[row, count] = scaled(affine[row, count], of_rows[row])
    exported.affine = np.asarray(affine)


def scaled(number: Any, factor: Fraction) -> float:
    """Rounded once; inf where it is too large, which nothing in between is."""
    plain = float(number)
    if not math.isfinite(plain):
        return plain
    try:
        return float(Fraction(plain) * factor)
    except OverflowError:
        return math.copysign(math.inf, plain)
