"""Headers of NRRD files: every spelling that teem reads, and what it refuses.

teem takes the names of fields, spaces, types and encodings in any letter case, many of them
with and without spaces, and some under an older name. pynrrd knows one spelling. Lines are
brought into that one before pynrrd parses them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from ..errors import CorruptionError, UnsupportedError
from ..orientation import frame_letters
from ._model import plain
from ._units import is_named, length

__all__ = [
    "FREE_SPACES",
    "Header",
    "check_geometry",
    "ends_of_axes",
    "entry_of",
    "field_name",
    "is_space_of_nrrd",
    "known_vector",
    "per_axis",
    "read_lines",
    "space_of",
]

_MAX_HEADER = 16 * 2**20
FREE_SPACES: Final = ("scanner-xyz", "3D-right-handed", "3D-left-handed")
_FIELDS: Final = (
    *("content", "number", "type", "block size", "dimension", "space", "space dimension"),
    *("sizes", "spacings", "thicknesses", "axis mins", "axis maxs", "space directions"),
    *("centerings", "kinds", "labels", "units", "min", "max", "old min", "old max", "endian"),
    *("encoding", "line skip", "byte skip", "sample units", "space units", "space origin"),
    *("measurement frame", "data file"),
)
_TIMED: Final = ("rast", "last", "lpst")
_SPACES: Final = tuple(
    f"{name}{time}"
    for name in (
        *("rightanteriorsuperior", "leftanteriorsuperior", "leftposteriorsuperior"),
        *("scannerxyz", "3drighthanded", "3dlefthanded"),
    )
    for time in ("", "time")
)
_NAMES: Final = {name.replace(" ", ""): name for name in _FIELDS} | {"centers": "centerings"}
_VECTORS: Final = ("space directions", "space origin", "measurement frame")
_NUMBERS: Final = ("sizes", "spacings", "thicknesses", "axis mins", "axis maxs")
_PER_AXIS: Final = (*_NUMBERS, "space directions", "centerings", "kinds", "labels", "units")
_WORDS: Final = ("type", "encoding", "endian")
_VECTOR = re.compile(r"\s*(none|\([^()]*\))", re.IGNORECASE)


class Header:
    """The lines of a header: fields in pynrrd's spelling, and what is no field."""

    __slots__ = ("comments", "fields", "keys", "lost", "magic")

    def __init__(self, magic: str) -> None:
        self.magic = magic
        self.fields: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.comments: list[str] = []
        self.lost: list[str] = []  # keys that are named as a field is

    def for_pynrrd(self) -> list[str]:
        """Its lines; the first version of the format had another first line."""
        magic = "NRRD0001" if self.magic == "NRRD00.01" else self.magic
        return [magic, *(f"{name}: {text}" for name, text in self.fields.items())]


def read_lines(file: Any, path: str) -> Header:
    """The header; the file is then at its data.

    Raises
    ------
    UnsupportedError
        If it is no NRRD file, or of a version that is not known.
    CorruptionError
        For a line that is no field, key or comment, and for what is said twice.
    """
    lines = _lines(file, path)
    header = Header(next(lines))
    if not re.fullmatch(r"NRRD(000[1-5]|00\.01)", header.magic):
        raise UnsupportedError(
            f"'{path}': '{header.magic[:20]}' is no version of NRRD that is known; NRRD0001 to "
            f"NRRD0005 are"
        )
    for line in lines:
        if line.startswith("#"):
            header.comments.append(line[1:].strip())
        else:
            _add(header, line, path)
    return header


def _lines(file: Any, path: str) -> Iterator[str]:
    """Text is UTF-8 or Latin-1."""
    size = 0
    while True:
        raw = file.readline(_MAX_HEADER)
        if not size and not raw.startswith(b"NRRD"):
            raise UnsupportedError(f"'{path}' is not a NRRD file")
        size += len(raw)
        if size >= _MAX_HEADER:
            raise CorruptionError(f"'{path}': the header is longer than {_MAX_HEADER} bytes")
        try:
            text = raw.decode("utf-8").rstrip()
        except UnicodeDecodeError:
            text = raw.decode("latin-1").rstrip()
        if not text:  # an empty line, or the end of a detached header
            return
        yield text


def field_name(text: str) -> str | None:
    """A field's name in pynrrd's spelling, or None if there is no such field.

    Examples
    --------
    >>> field_name("Centers"), field_name("spaceorigin"), field_name("modality")
    ('centerings', 'space origin', None)
    """
    return _NAMES.get("".join(text.lower().split()))


def _add(header: Header, line: str, path: str) -> None:
    before, colon, value = line.partition(": ")
    name = field_name(before) if colon else None
    key, separator, text = line.partition(":=")
    if name is None and separator:  # a key, also where it is spelled as a field is
        key, text = key.strip(), text.strip()
        if field_name(key):
            header.lost.append(key)
        elif header.keys.setdefault(key, text) != text:
            raise CorruptionError(f"'{path}': the key '{key}' stands twice, with two values")
        return
    if name is None:
        before, colon, value = line.partition(":")
        name = field_name(before)
    if not colon:
        raise CorruptionError(
            f"'{path}': the line '{line[:60]}' of the header is neither a field (a colon and a "
            f"space) nor a key (':='); damaged, copy it again from its source"
        )
    name = name or before.strip()
    if name in header.fields:
        raise CorruptionError(
            f"'{path}': the field '{name}' stands twice in the header, the second time as "
            f"'{before.strip()}'; remove the wrong one"
        )
    text = _in_pynrrds_words(name, value.strip(), path)
    if text or name not in _VECTORS:
        header.fields[name] = text


def _in_pynrrds_words(name: str, text: str, path: str) -> str:
    if name == "space":
        return _without_quotes(text)
    if name in _NUMBERS:
        return " ".join(re.split(r"[\s,]+", text.strip(" \t,")))
    if name in _WORDS:
        return " ".join(text.lower().split())
    if name not in _VECTORS:
        return text
    found, position = [], 0
    while position < len(text):
        match = _VECTOR.match(text, position)
        if match is None:
            raise CorruptionError(
                f"'{path}': '{name}' is '{text}', which is not vectors such as (1,0,0)"
            )
        found.append("".join(match[1].lower().split()))
        position = match.end()
    if name == "space origin" and found == ["none"]:
        return ""
    return " ".join(found)


def _without_quotes(text: str) -> str:
    """A space in quotes, which no reader knows, may only be the one between them."""
    inner = text.strip().strip("\"'").strip()
    return inner if is_space_of_nrrd(inner) else text


def is_space_of_nrrd(text: str) -> bool:
    """Whether the format has a space of this name.

    Examples
    --------
    >>> is_space_of_nrrd("Left-Posterior-Superior"), is_space_of_nrrd("RPS")
    (True, False)
    """
    name = text.strip().lower()
    return name in ("ras", "las", "lps", *_TIMED) or re.sub(r"[-\s]", "", name) in _SPACES


def space_of(text: str | None) -> tuple[str | None, bool]:
    """The ``coord_system`` of a space, and whether its last coordinate is time.

    Examples
    --------
    >>> space_of("left-posterior-superior"), space_of("RAST"), space_of("scanner-xyz-time")
    (('LPS+', False), ('RAS+', True), ('scanner-xyz', True))
    """
    if not text:
        return None, False
    words = text.strip()
    timed = words.lower().endswith("time") or words.lower() in _TIMED
    if timed:
        rest = words[:-4] if words.lower().endswith("time") else words[:-1]
        words = rest.rstrip(" -")
    letters = frame_letters(words)
    if letters:
        return f"{letters}+", timed
    plain_words = re.sub(r"[-\s]", "", words.lower())
    for name in FREE_SPACES:
        if plain_words == name.replace("-", "").lower():
            return name, timed
    return words, timed


def per_axis(header: Any, name: str, ndim: int, missing: Any) -> list[Any]:
    """A field with one entry for each axis, as a list."""
    return list(plain(header[name])) if name in header else [missing] * ndim


def known_vector(vector: Any) -> Any:
    """None for the direction of an axis that has none."""
    return None if vector is None or any(item != item for item in vector) else vector


def ends_of_axes(header: Any, ndim: int) -> tuple[list[float | None], list[float | None]]:
    """Spacing and the position of the first sample, where no space is named.

    An axis without a spacing has its ends divided by the number of samples. Without that
    either, nobody knows where the first sample of a cell lies, and no reader takes the ends.
    """
    sizes = plain(header["sizes"])
    stated = per_axis(header, "spacings", ndim, math.nan)
    low = per_axis(header, "axis mins", ndim, math.nan)
    high = per_axis(header, "axis maxs", ndim, math.nan)
    centers = per_axis(header, "centerings", ndim, "???")
    spacings: list[float | None] = []
    origins: list[float | None] = []
    for i in range(ndim):
        cell = centers[i].lower() != "node"  # "cell" is what teem and ITK assume
        spacing = stated[i] if stated[i] == stated[i] else None
        if spacing is None and low[i] == low[i] and high[i] == high[i]:
            steps = sizes[i] if cell else max(sizes[i] - 1, 1)
            spacing = (high[i] - low[i]) / steps
        origin = None
        if low[i] == low[i] and spacing is not None:
            origin = low[i] + (spacing / 2 if cell else 0.0)
        spacings.append(spacing)
        origins.append(origin)
    return spacings, origins


def check_geometry(header: Any, path: str) -> None:
    """Refuse a header whose fields contradict each other.

    Raises
    ------
    CorruptionError
        Naming the field.
    """
    ndim = int(header["dimension"])
    for name in _PER_AXIS:
        if name in header and len(header[name]) != ndim:
            raise CorruptionError(
                f"'{path}': '{name}' has {len(header[name])} entries, and 'dimension' is "
                f"{ndim}; there is one for each axis"
            )
    directions = per_axis(header, "space directions", ndim, None)
    _check_space(header, directions, path)
    for axis in range(ndim):
        if directions[axis] is None:
            _check_ends(header, axis, ndim, path)
        else:
            _check_directed(header, axis, directions[axis], path)


def _check_space(header: Any, directions: list[Any], path: str) -> None:
    space, timed = space_of(header.get("space"))
    size = header.get("space dimension")
    source = f"'space dimension' is {size}"
    if space in FREE_SPACES or frame_letters(space):
        named = 4 if timed else 3
        if size is not None and size != named:
            raise CorruptionError(
                f"'{path}': 'space' is '{header['space']}', which has {named} dimensions, and "
                f"'space dimension' is {size}"
            )
        size, source = named, f"'space' is '{header['space']}'"
    vectors = {f"'space directions' of axis {i}": v for i, v in enumerate(directions) if v}
    if "space origin" in header:
        vectors["'space origin'"] = plain(header["space origin"])
    for name, vector in vectors.items():
        if size is None:
            size, source = len(vector), f"{name} has {len(vector)}"
        if len(vector) != size:
            raise CorruptionError(f"'{path}': {name} has {len(vector)} numbers, and {source}")
        gaps = sum(item != item for item in vector)
        if 0 < gaps < len(vector):
            raise CorruptionError(f"'{path}': {name} is {vector}: some of it is missing")


def _check_directed(header: Any, axis: int, vector: list[float], path: str) -> None:
    """An axis with a direction has its length and its origin by that."""
    if any(item != item for item in vector):
        return
    here = f"'{path}': axis {axis} has a direction in 'space directions'"
    for name in ("axis mins", "axis maxs"):
        value = entry_of(header, name, axis)
        if value == value:
            raise CorruptionError(
                f"{here}, and {value} in '{name}': its position is said twice; remove "
                f"'{name}', or 'space directions' and 'space origin'"
            )
    spacing, stated = math.hypot(*vector), entry_of(header, "spacings", axis)
    if stated == stated and not math.isclose(abs(stated), spacing, rel_tol=1e-3):
        raise CorruptionError(
            f"{here} of length {spacing}, and {stated} in 'spacings'; remove the wrong one"
        )
    unit = (header.get("units") or [""] * (axis + 1))[axis]
    of_space = {text for text in header.get("space units") or () if is_named(text)}
    if is_named(unit) and of_space and not any(_same(unit, text) for text in of_space):
        raise CorruptionError(
            f"{here}, '{unit}' in 'units' and {sorted(of_space)} in 'space units'; remove the "
            f"wrong one"
        )


def _check_ends(header: Any, axis: int, ndim: int, path: str) -> None:
    """Spacing and ends fit for cells or for nodes, where the file does not say which it has."""
    spacing = entry_of(header, "spacings", axis)
    low, high = (entry_of(header, name, axis) for name in ("axis mins", "axis maxs"))
    if not all(map(math.isfinite, (spacing, low, high))):
        return
    size = int(header["sizes"][axis])
    center = per_axis(header, "centerings", ndim, "???")[axis].lower()
    steps = {"cell": [size], "node": [size - 1]}.get(center, [size, size - 1])
    if not any(abs(high - low - n * spacing) <= 1e-3 * abs(spacing) * max(n, 1) for n in steps):
        raise CorruptionError(
            f"'{path}': axis {axis} goes from {low} ('axis mins') to {high} ('axis maxs'), "
            f"which is not {' or '.join(map(str, steps))} times {spacing} ('spacings'); remove "
            f"the wrong one"
        )


def entry_of(header: Any, name: str, axis: int) -> float:
    """A number of one axis, NaN where the file does not say it."""
    return float(header[name][axis]) if name in header else math.nan


def _same(unit: str, other: str) -> bool:
    size = length(unit)
    return unit == other or (size is not None and size == length(other))
