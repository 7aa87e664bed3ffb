"""NIfTI by nibabel: read as it lies in the file, and written the same way.

Voxels keep the order in which they are stored: no axis is flipped or permuted, so that
the affine of the file stays true. Their type is the stored one, unless the header scales
them: then they are the scaled values in nibabel's floating-point type (float64), which is
what every NIfTI reader shows. An image with fewer than three axes gets axes of length 1,
because NIfTI places every image in three dimensions.
"""

from __future__ import annotations

import base64
import io
import math
import zlib
from fractions import Fraction
from typing import Any

from ..errors import CorruptionError, NotFoundError, UnsupportedError
from ._model import (
    Converted,
    Exported,
    checked_affine,
    fill_space,
    import_package,
    in_frame,
    note_what_stays,
    read_error,
    replacing,
    simple_voxels,
)
from ._times import note_other_steps, times_of
from ._units import LENGTHS, TIMES, convert_lengths, is_named, time

__all__ = ["read_nifti", "write_nifti"]

# What nibabel calls RAS+: x grows to the right, y to the front, z to the head.
_COORD_SYSTEM = "RAS+"
# NIfTI's fourth axis is time, its fifth holds several values per voxel.
_AXIS_LABELS = ("spatial_x", "spatial_y", "spatial_z", "temporal", "channel")
_UNKNOWN_UNIT = "unknown"
_KIND = "nifti"
_UNIT_CODES = {"meter": 1, "mm": 2, "micron": 3, "sec": 8, "msec": 16, "usec": 24}
_UNIT_CODES |= {"hz": 32, "ppm": 40, "rads": 48}
_SPACE_BITS, _TIME_BITS = 0x07, 0x38
# Complex and long types are NIfTI's too; byte order is free.
_STORED = "u1 i1 u2 i2 u4 i4 u8 i8 f4 f8 f16 c8 c16 c32"
_MAX_AXES = 7
_NIFTI1_LENGTH = 2**15 - 1
_WHO_READS = "which nibabel reads and SimpleITK 2.5 does not"
# These follow the image that is written.
_DERIVED_FIELDS = (
    "dim",
    "datatype",
    "bitpix",
    "vox_offset",
    "magic",
    "sizeof_hdr",
    "eol_check",
)


def read_nifti(path: str) -> Converted:
    """The voxels and the metadata of a NIfTI-1 or NIfTI-2 file.

    Parameters
    ----------
    path : str
        A ``.nii`` or ``.nii.gz`` file.

    Returns
    -------
    Converted
        Metadata has the affine in mm (or the file's unit) and RAS+, one label and one unit
        per axis, and under ``source`` every field of the header as stored and the header's
        extensions.

    Raises
    ------
    MissingPackageError
        Without nibabel.
    NotFoundError, FileAccessError
        If the file cannot be read.
    CorruptionError, UnsupportedError
        If it is damaged, or no NIfTI file.
    """
    nibabel = import_package("nibabel", "reading NIfTI")
    import numpy as np

    try:
        image = nibabel.load(path)
        if not isinstance(image, nibabel.Nifti1Pair):  # NIfTI-2 derives from it
            raise UnsupportedError(
                f"'{path}' is not NIfTI: nibabel reads it as {type(image).__name__}"
            )
        header = _stored_header(image)
        voxels = np.asanyarray(image.dataobj)
    except FileNotFoundError:
        raise NotFoundError(f"'{path}': no such file", path=path) from None
    except nibabel.filebasedimages.ImageFileError:
        raise UnsupportedError(f"'{path}' is not a NIfTI file") from None
    except (EOFError, ValueError, zlib.error, nibabel.spatialimages.HeaderDataError) as error:
        raise CorruptionError(
            f"'{path}': damaged or cut short ({error}); copy it again from its source"
        ) from error
    except OSError as error:
        raise read_error(path, error) from error

    voxels = voxels.reshape(voxels.shape + (1,) * (3 - voxels.ndim))
    metadata = {
        "source": header,
        "spatial": {
            "affine": [[float(item) for item in row] for row in image.affine],
            "axis_labels": _axis_labels(voxels.ndim),
            "axis_units": _axis_units(image.header, voxels.ndim),
            "coord_system": _COORD_SYSTEM,
        },
        "_image_meta_format": _KIND,
    }
    return Converted(voxels, metadata)


def _axis_labels(ndim: int) -> list[str]:
    return [*_AXIS_LABELS[:ndim], *["non_spatial"] * (ndim - len(_AXIS_LABELS))]


def _axis_units(header: Any, ndim: int) -> list[str]:
    try:
        space, time = header.get_xyzt_units()
    except KeyError:  # codes that the standard does not have
        space = time = _UNKNOWN_UNIT
    units = [space, space, space, time]
    return [*units[:ndim], *[_UNKNOWN_UNIT] * (ndim - len(units))]


def _stored_header(image: Any) -> dict[str, Any]:
    """Every field of the header as plain values.

    It is read again from the file: in the header of a loaded image nibabel has already
    replaced the fields that say how to read the voxels (scl_slope, scl_inter, vox_offset).
    """
    with image.file_map["image"].get_prepare_fileobj("rb") as file:
        header = image.header_class.from_fileobj(file, check=False)
    fields = {name: _plain(header[name]) for name in header}
    extensions = [_extension(extension) for extension in image.header.extensions]
    if extensions:
        fields["extensions"] = extensions
    return fields


def _plain(value: Any) -> Any:
    """A field of a NumPy record: numbers, lists, or text without its padding."""
    item = value.tolist()
    if isinstance(item, bytes):
        # The standard says ASCII; what else is met is mostly Latin-1, which cannot fail.
        return item.rstrip(b"\0").decode("latin-1")
    return item


def _extension(extension: Any) -> dict[str, Any]:
    """Code and content: as text where it is text, else in base64."""
    written = io.BytesIO()
    extension.write_to(written, byteswap=False)
    # Behind size and code, without the padding.
    content = written.getvalue()[8:].rstrip(b"\0")
    entry: dict[str, Any] = {"code": int(extension.get_code())}
    try:
        entry["text"] = content.decode("utf-8")
    except UnicodeDecodeError:
        entry["base64"] = base64.b64encode(content).decode("ascii")
    return entry


def write_nifti(path: str, exported: Exported) -> None:
    """Write a ``.nii`` or ``.nii.gz`` file, beside its place and renamed into it.

    Parameters
    ----------
    path : str
        An older file is replaced.
    exported : Exported
        Gets a note for everything that NIfTI cannot hold.

    Raises
    ------
    MissingPackageError
        Without nibabel.
    UnsupportedError
        For more than three axes of space or seven axes, and for voxels of another type.
    NotFoundError, FileAccessError
        If the file cannot be written.
    """
    nibabel = import_package("nibabel", "writing NIfTI")
    import numpy as np

    fields = exported.source_of(_KIND)
    if exported.voxels.dtype.names is None:  # colours are structures
        simple_voxels(exported, _STORED, "NIfTI")
    length_unit = convert_lengths(exported, LENGTHS)
    _space_first(exported, path)
    affine = _affine(exported)
    unscaled = _unscaled(exported.voxels, fields)
    voxels = exported.voxels if unscaled is None else unscaled
    if fields:
        voxels = _stored_axes(voxels, fields)

    large = fields.get("sizeof_hdr") == 540
    if not large and max(voxels.shape, default=0) > _NIFTI1_LENGTH:
        large = True
        exported.notes.append(
            f"written as NIfTI-2, {_WHO_READS}: NIfTI-1 has axes of {_NIFTI1_LENGTH} voxels "
            f"at most"
        )
    try:
        header, lost = _new_header(nibabel, large, voxels, fields)
        if affine is None:
            _take_position_away(header)
        elif not fields or not _says(header, affine):
            checked_affine(affine, path, _KIND, length_unit)
            _check_lengths(affine, path)
            if not large and not _fits_single_precision(affine, voxels.shape[:3]):
                large = True
                exported.notes.append(
                    f"written as NIfTI-2, {_WHO_READS}: the single precision of NIfTI-1 would "
                    f"move voxels by more than a twentieth of their size. '.nrrd' holds them "
                    f"for every reader"
                )
                header, lost = _new_header(nibabel, large, voxels, fields)
            _set_position(header, affine)
        if lost:
            exported.notes.append(f"fields that NIfTI does not have: {', '.join(sorted(lost))}")
        _set_units(header, exported, length_unit, from_source=bool(fields))
        # Without an affine, nibabel leaves the header as it is.
        kind = nibabel.Nifti2Image if large else nibabel.Nifti1Image
        image = kind(voxels, None, header, dtype=voxels.dtype)
    except nibabel.spatialimages.HeaderDataError as error:
        raise UnsupportedError(f"'{path}': NIfTI cannot hold this image ({error})") from error
    if unscaled is not None:
        image.header.set_slope_inter(fields["scl_slope"], fields["scl_inter"])
    note_other_steps(exported, _KIND)
    note_what_stays(exported, _KIND)
    with replacing(path) as beside:
        nibabel.save(image, beside)
    # What a reader will see, scaled values of the stored shape.
    exported.voxels = np.broadcast_to(exported.voxels.reshape(voxels.shape), voxels.shape)


def _space_first(exported: Exported, path: str) -> None:
    """Put the axes of space first, as NIfTI has them, and fill up to three."""
    space = [axis for axis, keep in enumerate(exported.spatial_axes) if keep]
    others = [axis for axis in range(exported.voxels.ndim) if axis not in space]
    if len(space) > 3:
        raise UnsupportedError(
            f"'{path}': the image has {len(space)} axes of space and NIfTI three; set "
            f"axis_labels to say which are something else"
        )
    missing = 3 - len(space)
    others.sort(key=lambda axis: exported.labels[axis] != "temporal")
    if len(others) + 3 > _MAX_AXES:
        raise UnsupportedError(
            f"'{path}': {len(others)} axes beside space, and NIfTI has {_MAX_AXES - 3}; "
            f"convert parts of the image"
        )
    if [*space, *others] != list(range(exported.voxels.ndim)):
        exported.voxels = exported.voxels.transpose([*space, *others])
        exported.notes.append(
            f"axes are reordered to {[*space, *others]}: NIfTI has the axes of space first"
        )
    moved = [exported.labels[axis] for axis in others]
    exported.labels = [*(exported.labels[axis] for axis in space), *moved]
    exported.units = [exported.units[axis] for axis in [*space, *others]]
    exported.spatial_axes = [*[True] * len(space), *[False] * len(others)]
    if missing and (others or exported.affine is not None):
        fill_space(exported, len(space), _KIND)
    for position, axis in enumerate(others):
        label, meant = moved[position], [*_AXIS_LABELS[3:], "non_spatial", "non_spatial"]
        if label != meant[position]:
            exported.notes.append(
                f"axis {axis} ('{label}') is NIfTI's axis {position + 4}, which readers take "
                f"for '{meant[position]}'"
            )


def _affine(exported: Exported) -> Any:
    """The affine in RAS, or None where the image says nothing of its position."""
    if exported.affine is None:
        exported.notes.append(
            "the image has no spacing, origin or affine: NIfTI shows a default"
        )
        return None
    if exported.frame is None:
        named = exported.meta.spatial.coord_system
        exported.notes.append(
            f"coord_system is {named!r}, which names no frame: positions are written as RAS "
            f"as they are; set it to 'RAS' or 'LPS' to say what they are"
        )
        return exported.affine
    return in_frame(exported.affine, exported.frame, "RAS")


def _new_header(
    nibabel: Any, large: bool, voxels: Any, fields: dict[str, Any]
) -> tuple[Any, list[str]]:
    """A header for these voxels with the fields of the source, and which it does not have."""
    kind = nibabel.Nifti2Image if large else nibabel.Nifti1Image
    order = voxels.dtype.byteorder
    header = kind.header_class(endianness=order if order in "<>" else None)
    lost = [name for name, value in fields.items() if not _restore(header, name, value)]
    dim = fields.get("dim") or [0]
    if list(voxels.shape) == dim[1 : 1 + dim[0]]:
        # As they were, with the entries that are not used.
        _restore(header, "dim", dim, derived=True)
    if header.get_data_shape() != voxels.shape:
        header.set_data_shape(voxels.shape)
    header.set_data_dtype(voxels.dtype)
    _restore_extensions(nibabel, header, fields.get("extensions") or [])
    return header, lost


def _says(header: Any, affine: Any) -> bool:
    """Whether this is the header's position, as far as the digits of the format go."""
    import numpy as np

    theirs = header.get_best_affine()
    number = header["srow_x"].dtype
    with np.errstate(over="ignore"):
        return bool(
            np.array_equal(theirs.astype(number), affine.astype(number), equal_nan=True)
        )


def _column_lengths(affine: Any) -> Any:
    """The lengths of voxels along their axes, also where squares would overflow."""
    import numpy as np

    reduce: Any = np.hypot.reduce  # NumPy 2.5 says that it wants `out`
    return reduce(affine[:3, :3])


def _fits_single_precision(affine: Any, shape: tuple[int, ...]) -> bool:
    """Whether no voxel is moved by more than a twentieth of its size."""
    import numpy as np

    lengths = _column_lengths(affine)
    least = min((length for length in lengths if length), default=1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = affine.astype(np.float32).astype(float)
        ends = [*(max(size - 1, 1) for size in shape), *[1] * (3 - len(shape)), 1]
        moved = np.abs(rounded - affine)[:3] @ np.array(ends, float)
    return bool((moved <= 0.05 * least).all())


def _check_lengths(affine: Any, path: str) -> None:
    """NIfTI has the length of each axis beside the affine."""
    import numpy as np

    with np.errstate(over="ignore"):
        lengths = _column_lengths(affine)
    if not np.isfinite(lengths).all():
        raise UnsupportedError(
            f"'{path}': voxels are {lengths.tolist()} long, which no number of NIfTI holds; "
            f"set affine or spacing to smaller numbers"
        )


def _set_position(header: Any, affine: Any) -> None:
    """Write it as the sform, and as near to it as it can be as the qform, without a code."""
    import numpy as np

    header.set_sform(affine, code="aligned")
    lengths = _column_lengths(affine)
    if lengths.all():
        unit = affine.copy()
        unit[:3, :3] /= lengths
        header.set_qform(unit, code="unknown")
    else:  # an axis of no length has no direction
        header.set_qform(None, code="unknown")
    header["pixdim"][1:4] = np.where(lengths, lengths, 1.0)  # 0 is not allowed there


def _take_position_away(header: Any) -> None:
    """What the source had is not what the image says."""
    header["sform_code"] = header["qform_code"] = 0
    header["pixdim"][1:4] = 1


def _unscaled(voxels: Any, fields: dict[str, Any]) -> Any:
    """The integers that the file of the source had, if they give exactly these voxels."""
    import numpy as np

    slope, inter = fields.get("scl_slope"), fields.get("scl_inter")
    types = {2: "u1", 4: "i2", 8: "i4", 256: "i1", 512: "u2", 768: "u4"}
    kind = types.get(fields.get("datatype", 0))
    if voxels.dtype.kind != "f" or kind is None or not slope or inter is None:
        return None
    if slope != slope or inter != inter:
        return None
    with np.errstate(all="ignore"):
        stored = np.rint((voxels - inter) / slope)
        limits = np.iinfo(kind)
        if not bool(np.all((stored >= limits.min) & (stored <= limits.max))):
            return None
        stored = stored.astype(kind)
        same = np.array_equal(stored * float(slope) + float(inter), voxels)
    return stored if same else None


def _stored_axes(voxels: Any, fields: dict[str, Any]) -> Any:
    """Without the axes of length 1 that the reader has added to an image of the plane."""
    dim = fields.get("dim") or [0]
    axes = dim[0] if isinstance(dim[0], int) else 0
    if 0 < axes < voxels.ndim and all(length == 1 for length in voxels.shape[axes:]):
        return voxels.reshape(voxels.shape[:axes])
    return voxels


def _restore(header: Any, name: str, value: Any, derived: bool = False) -> bool:
    """Put back a field of the header; whether it could be put back, or need not be."""
    if name == "extensions" or name.startswith("scl_"):
        return True
    if name in _DERIVED_FIELDS and not derived:
        return True
    if name not in header:
        return False
    try:
        header[name] = value.encode("latin-1") if isinstance(value, str) else value
    except (TypeError, ValueError, UnicodeEncodeError):
        return False
    return True


def _restore_extensions(nibabel: Any, header: Any, extensions: Any) -> None:
    for entry in extensions:
        if isinstance(entry, dict) and "code" in entry:
            content = (
                base64.b64decode(entry["base64"])
                if "base64" in entry
                else str(entry.get("text", "")).encode()
            )
            header.extensions.append(nibabel.nifti1.Nifti1Extension(entry["code"], content))


def _set_units(
    header: Any, exported: Exported, length_unit: str | None, from_source: bool
) -> None:
    """Write the units, and the time from volume to volume in one that NIfTI has."""
    of_space = [u for u, keep in zip(exported.units, exported.spatial_axes) if keep]
    code = int(header["xyzt_units"])
    said = _axis_units(header, 4)
    if length_unit is None and any(map(is_named, of_space)):
        exported.notes.append(
            f"axis_units of the axes of space are {of_space}, which NIfTI does not have: no "
            f"unit is written, and positions as they are"
        )
    # Codes of the source that mean the same stay, with those that mean nothing.
    if (length_unit or _UNKNOWN_UNIT) != said[0]:
        code = (code & ~_SPACE_BITS) | _UNIT_CODES.get(length_unit or "", 0)
    if "temporal" in exported.labels:
        named = _set_times(header, exported, from_source)
        if (named or _UNKNOWN_UNIT) != said[3]:
            code = (code & ~_TIME_BITS) | _UNIT_CODES.get(named or "", 0)
    header["xyzt_units"] = code


def _set_times(header: Any, exported: Exported, from_source: bool) -> str | None:
    """Write the times of the source; NIfTI's name of their unit, None where it has none."""
    import numpy as np

    unit = exported.units[exported.labels.index("temporal")]
    named = _time_unit(unit)
    times = times_of(exported)
    if times is None:
        if from_source:  # which does not know it either
            return named
        exported.notes.append(
            "the time from volume to volume is not known: pixdim[4] is NIfTI's default, 1"
            + (f", and its unit, '{unit}', is not written" if is_named(unit) else "")
        )
        return None
    size = time(unit)
    further = size / TIMES[named] if size is not None and named in TIMES else Fraction(1)
    fields = ["pixdim[4]", "toffset", *(["slice_duration"] if from_source else [])]
    if is_named(unit) and named is None:
        exported.notes.append(
            f"the unit of time, '{unit}', is none of NIfTI's: no unit is written, and "
            f"{', '.join(fields)} as they are"
        )
    elif further != 1:
        exported.notes.append(
            f"{', '.join(fields)} are written in {named}: the unit of time is '{unit}'"
        )
    elif from_source and times.factor != 1:
        exported.notes.append(f"{', '.join(fields)} are converted to {named}")
    if from_source and times.factor * further == 1:
        return named  # as they lie in the header
    step, start = (times.scaled(number, further) for number in (times.step, times.start))
    number = header["pixdim"].dtype.type
    with np.errstate(over="ignore", under="ignore"):
        held = 0 < number(step) < math.inf and math.isfinite(number(start))
    if not held:
        exported.notes.append(
            f"the time from volume to volume is {step:g} {named or unit}, the first at "
            f"{start:g}, which NIfTI cannot hold: pixdim[4] is its default, 1, without a unit"
        )
        step, start, named = 1.0, 0.0, None
    header["pixdim"][4], header["toffset"] = step, start
    if from_source:
        duration = times.scaled(float(header["slice_duration"]), further)
        header["slice_duration"] = duration if held else 0
    return named


def _time_unit(unit: str) -> str | None:
    """NIfTI's name of a unit of its fourth axis, or of the one that it is converted to."""
    size = time(unit)
    if size is None:
        return unit.lower() if unit.lower() in ("hz", "ppm", "rads") else None
    for name, seconds in TIMES.items():
        if seconds == size:
            return name
    return "usec" if size < TIMES["usec"] else "sec"
