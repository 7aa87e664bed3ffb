"""What readers and writers of other formats share."""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import (
    AccessDeniedError,
    CorruptionError,
    FileAccessError,
    InvalidUseError,
    MLArrayError,
    NotFoundError,
    UnsupportedError,
)
from ..orientation import frame_letters, frame_signs, world_rows

__all__ = [
    "Converted",
    "Exported",
    "MissingPackageError",
    "export_geometry",
    "import_package",
    "plain",
    "read_error",
    "replacing",
    "simple_voxels",
]

_NAMES = {"nifti": "NIfTI", "nrrd": "NRRD"}
SPATIAL_LABELS = ("spatial_x", "spatial_y", "spatial_z")


class MissingPackageError(MLArrayError, ImportError):
    """A package that only some users need is not installed."""


class Converted(NamedTuple):
    """What a reader of another format hands over."""

    voxels: Any  # numpy.ndarray
    metadata: dict[str, Any]  # as Meta.from_mapping takes it
    notes: tuple[str, ...] = ()  # what the file says and an image does not


@dataclass
class Exported:
    """What a writer of another format is given."""

    voxels: Any  # numpy.ndarray
    labels: list[str]  # role of each axis, one per axis
    spatial_axes: list[bool]
    affine: Any  # numpy.ndarray, homogeneous, rows x, y, z; None where nothing is known
    frame: str | None  # three letters, or None
    meta: Any  # mlarray.Meta
    notes: list[str] = field(default_factory=list)

    def source_of(self, kind: str) -> dict[str, Any]:
        """The kept header, if the image comes from this format."""
        same = self.meta._image_meta_format.image_meta_format == kind
        return dict(self.meta.source.data or {}) if same else {}


def import_package(name: str, purpose: str) -> Any:
    """Import a package of the extra ``convert``."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = {"nrrd": "pynrrd"}.get(name, name)
        raise MissingPackageError(
            f"{purpose} needs {package}, which is not installed: pip install 'mlarray[convert]'"
        ) from None


def export_geometry(image: Any) -> Exported:
    """An image with its affine in the order x, y, z."""
    import numpy as np

    spatial = image.meta.spatial
    axes = image._spatial_axes()
    count = sum(axes)
    labels = list(spatial.axis_labels or ["spatial"] * image.ndim)
    of_space = [label for label, keep in zip(labels, axes) if keep]
    parts = (spatial.affine, spatial.origin, spatial.direction, spatial.spacing)
    affine = None
    notes = []
    if any(part is not None for part in parts) and count:
        affine = np.asarray(image.affine, float)
        rows = world_rows(of_space)
        affine = affine[[*rows, count]]
        if sorted(of_space) != sorted(SPATIAL_LABELS[:count]):
            notes.append(
                "axis_labels do not say which axis is x, y and z: positions are taken in the "
                "order of the array's axes"
            )
    return Exported(
        voxels=image.to_numpy(),
        labels=labels,
        spatial_axes=axes,
        affine=affine,
        frame=frame_letters(spatial.coord_system),
        meta=image.meta,
        notes=notes,
    )


def in_frame(affine: Any, source: str, target: str) -> Any:
    """The affine with positions in another frame."""
    import numpy as np

    count = len(affine) - 1
    signs = frame_signs(source, target)[:count]
    return np.diag([*signs, 1]).astype(float) @ affine


def simple_voxels(exported: Exported, stored: str, kind: str) -> None:
    """Turn the voxels into a type that the format has.

    Parameters
    ----------
    exported : Exported
        Changed: voxels, and a note where their type changes.
    stored : str
        Kinds and sizes that the format stores, separated by spaces: ``"u1 i2 f4"``.
    kind : str
        The format's name.

    Raises
    ------
    UnsupportedError
        Where no type of the format holds every value.
    """
    dtype = exported.voxels.dtype
    wanted = {"b1": "u1", "f2": "f4"}.get(dtype.str[1:])
    if dtype.str[1:] in stored.split():
        return
    if wanted is None or wanted not in stored.split():
        raise UnsupportedError(
            f"{kind} has no voxels of type {dtype}; it has {stored}. Save a copy with one of "
            f"these: MLArray(image.to_numpy().astype(...), copy=image)"
        )
    exported.notes.append(
        f"voxels are stored as {wanted}, with the same values: {dtype} is none"
    )
    exported.voxels = exported.voxels.astype(wanted)


def note_what_stays(exported: Exported, kind: str) -> None:
    """Say which metadata the format has no place for."""
    meta = exported.meta
    lost = [
        name
        for name in ("source", "extra", "stats", "bbox", "is_seg")
        if not getattr(meta, name).is_default()
        and not (name == "source" and exported.source_of(kind))
    ]
    if lost:
        exported.notes.append(
            f"not written, {_NAMES[kind]} has no place for it: {', '.join(lost)}"
        )


def plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's; rows of NaN only, NRRD's "none", as None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        rows = items and all(isinstance(item, list) for item in items)
        if rows:
            return [None if item and all(x != x for x in item) else item for item in items]
        return items
    return value


def read_error(path: str, error: OSError) -> MLArrayError:
    """Ours for an error of a reader, which raises bare OSErrors for damaged content."""
    if error.errno is None:
        return CorruptionError(f"'{path}': {error}", path=path)
    return _access_error(path, error)


def _access_error(path: str, error: OSError) -> FileAccessError:
    kind = AccessDeniedError if isinstance(error, PermissionError) else FileAccessError
    return kind(f"'{path}': {error.strerror or error}", path=path, errno=error.errno)


@contextlib.contextmanager
def replacing(target: str) -> Iterator[str]:
    """A path beside the target, renamed into it on success and removed on error.

    Raises
    ------
    NotFoundError
        If there is no such folder.
    FileAccessError
        If the file cannot be written.
    """
    final = os.path.realpath(target)
    folder, name = os.path.split(final)
    if not os.path.isdir(folder):
        raise NotFoundError(
            f"'{target}': the folder '{folder}' does not exist; make it first", path=target
        )
    if os.path.isdir(final):
        raise InvalidUseError(f"'{target}' is a folder; name a file")
    # The suffix stays last: writers of other formats go by it.
    stem, dot, suffix = name.partition(".")
    beside = os.path.join(folder, f".{stem}.{secrets.token_hex(4)}{dot}{suffix}")
    try:
        yield beside
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, os.stat(final).st_mode & 0o7777)
        os.replace(beside, final)
    except OSError as error:
        if isinstance(error, MLArrayError):
            raise
        raise _access_error(target, error) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
