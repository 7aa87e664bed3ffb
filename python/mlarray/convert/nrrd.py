"""NRRD by pynrrd: read as it lies in the file, and written the same way.

The first axis of the array is NRRD's first, which is the fastest in the file. Axes without
a direction (``none``) are no axes of space; their ``kinds`` say what they are. The frame is
that of the file (``space``), and no coordinate is changed.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

from ..errors import CorruptionError, NotFoundError, UnsupportedError
from ._model import (
    SPATIAL_LABELS,
    Converted,
    Exported,
    axes_of_length_1,
    import_package,
    note_what_stays,
    plain,
    read_error,
    replacing,
    simple_voxels,
)
from ._nrrd_fields import is_spelled, new_geometry
from ._nrrd_header import (
    check_geometry,
    ends_of_axes,
    field_name,
    is_space_of_nrrd,
    known_vector,
    per_axis,
    read_lines,
    space_of,
)
from ._nrrd_notes import notes_on_geometry
from ._times import note_other_steps

__all__ = ["read_nrrd", "write_nrrd"]

_KIND = "nrrd"
_STORED = "i1 u1 i2 u2 i4 u4 i8 u8 f4 f8"
_DOMAIN_KINDS = ("domain", "space")
_KIND_LABELS = {"time": "temporal", "list": "non_spatial"}
# Keys that no field can have: a line that begins so is a comment.
_MAGIC, _COMMENTS = "#magic", "#comments"
_GEOMETRY = (
    "space",
    "space dimension",
    "space directions",
    "space origin",
    "spacings",
    "axis mins",
    "axis maxs",
    "centerings",
    "thicknesses",
    "kinds",
    "labels",
    "units",
    "space units",
    "measurement frame",
)
_OF_AXES = ("thicknesses", "labels", "measurement frame")
_TEXTS = ("labels", "units", "space units")
_STORAGE = ("type", "dimension", "sizes", "endian", "encoding", "block size", "number")
_SKIPS = ("data file", "line skip", "byte skip")


def read_nrrd(path: str) -> Converted:
    """The voxels and the metadata of a NRRD file.

    Parameters
    ----------
    path : str
        A ``.nrrd`` file, or a ``.nhdr`` file beside its data.

    Returns
    -------
    Converted
        Metadata has the affine (or the spacing alone) in the file's own frame, one label and
        one unit per axis, and under ``source`` every field and key of the header, its
        comments and its first line.

    Raises
    ------
    MissingPackageError
        Without pynrrd.
    NotFoundError, FileAccessError
        If the file or its data file cannot be read.
    CorruptionError, UnsupportedError
        If it is damaged, or no NRRD file, or of an encoding that pynrrd does not know.
    """
    nrrd = import_package("nrrd", "reading NRRD")
    try:
        with open(path, "rb") as file:
            lines = read_lines(file, path)
            header = nrrd.read_header(lines.for_pynrrd())
            _check(header, path)
            voxels = nrrd.read_data(header, file, path)
        metadata, added = _metadata(header, path)
    except (CorruptionError, UnsupportedError):
        raise
    except FileNotFoundError as error:
        missing = path if error.filename in (None, path) else error.filename
        of = "" if missing == path else f", the data file of '{path}'; keep the two together"
        raise NotFoundError(f"'{missing}': no such file{of}", path=missing) from None
    except (EOFError, ValueError, KeyError, TypeError, zlib.error, nrrd.NRRDError) as error:
        raise CorruptionError(
            f"'{path}': damaged or cut short ({error}); copy it again from its source"
        ) from error
    except OSError as error:
        raise read_error(path, error) from error
    voxels = voxels.reshape(voxels.shape + (1,) * added)
    source = {key: plain(value) for key, value in header.items()} | lines.keys
    source[_MAGIC] = lines.magic
    if lines.comments:
        source[_COMMENTS] = lines.comments
    notes = []
    if added:
        notes.append(f"{axes_of_length_1(added)} added: the file is a plane in space")
    if lines.lost:
        notes.append(f"keys with names of fields are not kept: {', '.join(lines.lost)}")
    notes += notes_on_geometry(header)
    if space_of(header.get("space"))[0] and "coord_system" not in metadata:
        notes.append(
            f"no axis has a direction in the space '{header['space']}': coord_system is not set"
        )
    return Converted(
        voxels,
        {"source": source, "spatial": metadata, "_image_meta_format": _KIND},
        tuple(notes),
    )


def _check(header: Any, path: str) -> None:
    data_file = str(header.get("data file", ""))
    if data_file.startswith("LIST") or "%" in data_file:
        raise UnsupportedError(
            f"'{path}': its data lies in several files ('data file: {data_file}'), which is "
            f"not read; join them first, for example with teem's 'unu save'"
        )
    known = ("raw", "gzip", "gz", "bzip2", "bz2", "ascii", "text", "txt")
    encoding = str(header.get("encoding", "raw"))
    if encoding.lower() not in known:
        raise UnsupportedError(
            f"'{path}': encoding '{encoding}' is not read; raw, gzip, bzip2 and ascii are"
        )
    if header.get("type") == "block":
        raise UnsupportedError(f"'{path}': voxels of type 'block' have no meaning to readers")


def _metadata(header: Any, path: str) -> tuple[dict[str, Any], int]:
    """The section ``spatial``, and how many axes of length 1 it counts beyond the file's."""
    check_geometry(header, path)
    ndim = int(header["dimension"])
    kinds = [kind.lower() for kind in per_axis(header, "kinds", ndim, "???")]
    directions = [known_vector(v) for v in per_axis(header, "space directions", ndim, None)]
    if "space directions" not in header and "space origin" in header:
        directions = _along_the_axes(header, kinds, path)
    if any(vector is not None for vector in directions):
        return _in_space(header, directions, kinds, path)
    spacings, origin = ends_of_axes(header, ndim)
    # An axis whose spacing is NaN is no domain, unless it is said to be one.
    known = [spacing is not None or "spacings" not in header for spacing in spacings]
    axes = [k in _DOMAIN_KINDS or (k == "???" and known[i]) for i, k in enumerate(kinds)]
    if not any(axes):
        axes = [True] * ndim
    spatial: dict[str, Any] = {
        "axis_labels": _labels(axes, kinds),
        "axis_units": _units(header, axes, ndim),
    }
    kept = [i for i, keep in enumerate(axes) if keep]
    if any(spacings[i] is not None for i in kept):
        spatial["spacing"] = [1.0 if spacings[i] is None else spacings[i] for i in kept]
    if any(origin[i] is not None for i in kept):
        spatial["origin"] = [origin[i] or 0.0 for i in kept]
    return spatial, 0


def _along_the_axes(header: Any, kinds: list[str], path: str) -> list[Any]:
    """Directions of a file that has an origin in space and none: ITK takes unit vectors."""
    origin = plain(header["space origin"])
    axes = [i for i, kind in enumerate(kinds) if kind in _DOMAIN_KINDS or kind == "???"]
    stated = [name for name in ("spacings", "axis mins", "axis maxs") if name in header]
    if stated or len(axes) != len(origin):
        raise CorruptionError(
            f"'{path}': 'space origin' {origin} without 'space directions', but with "
            f"{stated[0] if stated else f'{len(axes)} axes'!r}: how the axes lie in the space "
            f"is not said; add 'space directions' instead"
        )
    directions: list[Any] = [None] * len(kinds)
    for place, axis in enumerate(axes):
        directions[axis] = [float(place == i) for i in range(len(origin))]
    return directions


def _in_space(
    header: Any, directions: list[Any], kinds: list[str], path: str
) -> tuple[dict[str, Any], int]:
    import numpy as np

    ndim = len(directions)
    axes = [vector is not None for vector in directions]
    size = len(next(vector for vector in directions if vector is not None))
    origin = plain(header.get("space origin", [0.0] * size))
    frame, timed = space_of(header.get("space"))
    time_axis = None
    if timed:
        # The last coordinate is time, and the axis that runs along it is no axis of space.
        size -= 1
        for i, vector in enumerate(directions):
            if vector is None:
                continue
            if any(vector[:-1]) and vector[-1]:
                raise UnsupportedError(
                    f"'{path}': axis {i} runs through space and time: {vector}"
                )
            axes[i] = not vector[-1]
            if vector[-1]:
                kinds = [*kinds[:i], "time", *kinds[i + 1 :]]
                time_axis = i
        directions = [vector and vector[:-1] for vector in directions]
        origin = origin[:size]
    columns = [directions[i] for i, keep in enumerate(axes) if keep]
    added = size - len(columns)
    if added < 0:
        raise CorruptionError(
            f"'{path}': {len(columns)} axes have a direction in {size} dimensions"
        )
    matrix = np.array(columns, float).T.reshape(size, len(columns))
    if added:
        matrix = np.hstack([matrix, _complement(matrix, added)])
    affine = np.eye(size + 1)
    affine[:size, :size] = matrix
    affine[:size, size] = [0.0 if item != item else item for item in origin]
    spatial: dict[str, Any] = {
        "affine": affine.tolist(),
        "axis_labels": _labels([*axes, *[True] * added], [*kinds, *["space"] * added]),
        "axis_units": _units(header, [*axes, *[True] * added], ndim + added, time_axis),
    }
    if frame:
        spatial["coord_system"] = frame
    return spatial, added


def _complement(matrix: Any, count: int) -> Any:
    """Unit vectors at right angles to the columns, so that together they turn right."""
    import numpy as np

    basis = np.linalg.svd(matrix)[0][:, -count:].copy()
    if np.linalg.det(np.hstack([matrix, basis])) < 0:
        basis[:, -1] *= -1
    return basis


def _labels(axes: list[bool], kinds: list[str]) -> list[str]:
    count = sum(axes)
    of_space = iter(SPATIAL_LABELS[:count] if count <= 3 else ["spatial"] * count)
    return [next(of_space) if keep else _label(kind) for keep, kind in zip(axes, kinds)]


def _label(kind: str) -> str:
    if kind.endswith("color") or kind in ("rgb", "hsv", "xyz", "rgba"):
        return "channel"
    other = "non_spatial" if kind in ("???", "none", *_DOMAIN_KINDS) else "components"
    return _KIND_LABELS.get(kind, other)


def _units(header: Any, axes: list[bool], ndim: int, time_axis: int | None = None) -> list[str]:
    of_axis = list(header.get("units") or [])
    of_space = list(header.get("space units") or [])
    units = []
    taken = 0
    for i in range(ndim):
        unit = of_axis[i] if i < len(of_axis) else ""
        if axes[i]:
            unit = unit or (of_space[taken] if taken < len(of_space) else "")
            taken += 1
        elif i == time_axis and of_space:
            unit = unit or of_space[-1]
        units.append(unit if unit and unit != "???" else "unknown")
    return units


def write_nrrd(path: str, exported: Exported) -> None:
    """Write a ``.nrrd`` file, beside its place and renamed into it.

    Parameters
    ----------
    path : str
        An older file is replaced.
    exported : Exported
        Gets a note for everything that NRRD cannot hold.

    Raises
    ------
    MissingPackageError
        Without pynrrd.
    UnsupportedError
        For voxels of a type that NRRD does not have, and images without axes.
    NotFoundError, FileAccessError
        If the file cannot be written.
    """
    nrrd = import_package("nrrd", "writing NRRD")
    import numpy as np

    simple_voxels(exported, _STORED, "NRRD")
    if exported.voxels.ndim == 0:
        raise UnsupportedError(f"'{path}': NRRD has no image without axes")
    source = exported.source_of(_KIND)
    source = {field_name(name) or name: value for name, value in source.items()}
    header = {
        name: value
        for name, value in source.items()
        if name not in (*_GEOMETRY, *_STORAGE, *_SKIPS, _MAGIC, _COMMENTS)
    }
    lost = [name for name, value in header.items() if not _writable(name, value)]
    for name in lost:
        del header[name]
    if lost:
        exported.notes.append(f"fields that pynrrd cannot write: {', '.join(lost)}")
    if source.get(_COMMENTS):
        exported.notes.append("comments of the source's header are not written")
    header["encoding"] = source.get("encoding") or "gzip"
    kept = _kept_geometry(source, exported, path)
    if kept is None:
        kept = new_geometry(exported, path)
        lost = [name for name in _OF_AXES if name in source]
        if lost:
            exported.notes.append(
                f"not written, as the geometry is not the source's: {', '.join(lost)}"
            )
        note_other_steps(exported, _KIND)
    header.update(kept)
    note_what_stays(exported, _KIND)
    with replacing(path) as beside, open(beside, "wb") as file:
        nrrd.write(file, np.asarray(exported.voxels), header, compression_level=6)


def _kept_geometry(
    source: dict[str, Any], exported: Exported, path: str
) -> dict[str, Any] | None:
    """The source's own fields, if they still say what the image says."""
    import numpy as np

    try:
        ndim = int(source["dimension"])
        header = {k: _array(k, v) for k, v in source.items()}
        spatial, added = _metadata(header, path)
    except (
        AttributeError,
        IndexError,
        KeyError,
        TypeError,
        ValueError,
        UnsupportedError,
        CorruptionError,
    ):
        return None
    mine = exported.meta.spatial
    names = (
        "affine",
        "spacing",
        "origin",
        "direction",
        "coord_system",
        "axis_labels",
        "axis_units",
    )
    if ndim + added != exported.voxels.ndim or any(
        spatial.get(name) != getattr(mine, name) for name in names
    ):
        return None
    if "axis maxs" in source and list(source["sizes"]) != list(exported.voxels.shape[:ndim]):
        return None
    kept = {name: header[name] for name in _GEOMETRY if name in header}
    if kept.get("space") and not is_space_of_nrrd(str(kept["space"])):
        return None  # nobody else would read it
    texts = [str(text) for name in _TEXTS for text in kept.get(name) or ()]
    if not all(text.isascii() and is_spelled(text) for text in texts):
        return None
    if added:
        if exported.voxels.shape[ndim:] != (1,) * added:
            return None
        exported.voxels = np.reshape(exported.voxels, exported.voxels.shape[:ndim])
    return kept


def _array(name: str, value: Any) -> Any:
    """A field as pynrrd reads it; rows that are None become NaN."""
    import numpy as np

    if name in ("space directions", "measurement frame"):
        width = max((len(row) for row in value if row is not None), default=0)
        return np.array([[math.nan] * width if row is None else row for row in value], float)
    return value


def _writable(name: str, value: Any) -> bool:
    """Whether a field survives pynrrd, which writes ASCII, one field a line."""
    text = f"{name}{value}"
    return isinstance(value, str | int | float) and text.isascii() and "\n" not in text
