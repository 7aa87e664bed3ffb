"""Reading NIfTI by nibabel, as it lies in the file.

Voxels keep the order in which they are stored: no axis is flipped or permuted, so that
the affine of the file stays true. Their type is the stored one, unless the header scales
them: then they are the scaled values in nibabel's floating-point type (float64), which is
what every NIfTI reader shows. An image with fewer than three axes gets axes of length 1,
because NIfTI places every image in three dimensions.
"""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

from ..errors import CorruptionError, FileAccessError, NotFoundError, UnsupportedError
from . import Converted, MissingPackageError

__all__ = ["read_nifti"]

# What nibabel calls RAS+: x grows to the right, y to the front, z to the head.
_COORD_SYSTEM = "RAS+"
# NIfTI's fourth axis is time, its fifth holds several values per voxel.
_AXIS_LABELS = ("spatial_x", "spatial_y", "spatial_z", "temporal", "channel")
_UNKNOWN_UNIT = "unknown"


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
    try:
        import nibabel
    except ImportError:
        raise MissingPackageError(
            "reading NIfTI needs nibabel, which is not installed: "
            "pip install 'mlarray[convert]'"
        ) from None
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
        raise NotFoundError(f"'{path}': no such file") from None
    except nibabel.filebasedimages.ImageFileError:
        raise UnsupportedError(f"'{path}' is not a NIfTI file") from None
    except (EOFError, ValueError, zlib.error, nibabel.spatialimages.HeaderDataError) as error:
        raise CorruptionError(
            f"'{path}': damaged or cut short ({error}); copy it again from its source"
        ) from error
    except OSError as error:
        # gzip and nibabel raise bare OSErrors for damaged content, the system adds errno.
        kind = CorruptionError if error.errno is None else FileAccessError
        raise kind(f"'{path}': {error.strerror or error}") from error

    voxels = voxels.reshape(voxels.shape + (1,) * (3 - voxels.ndim))
    metadata = {
        "source": header,
        "spatial": {
            "affine": [[float(item) for item in row] for row in image.affine],
            "axis_labels": _axis_labels(voxels.ndim),
            "axis_units": _axis_units(image.header, voxels.ndim),
            "coord_system": _COORD_SYSTEM,
        },
        "_image_meta_format": "nifti",
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
