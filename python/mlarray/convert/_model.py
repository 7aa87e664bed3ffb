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
from ..orientation import frame_letters, frame_signs, world_axes

__all__ = [
    "Converted",
    "Exported",
    "MissingPackageError",
    "axes_of_length_1",
    "checked_affine",
    "export_geometry",
    "fill_space",
    "import_package",
    "in_frame",
    "kept_header",
    "note_what_stays",
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


def kept_header(meta: Any, kind: str) -> dict[str, Any]:
    """The header of the source, if the image comes from the format `kind`; else empty."""
    same = meta._image_meta_format.image_meta_format == kind
    return dict(meta.source.data or {}) if same else {}


@dataclass
class Exported:
    """What a writer of another format is given."""

    voxels: Any  # numpy.ndarray
    labels: list[str]  # role of each axis, one per axis
    spatial_axes: list[bool]
    units: list[str]  # of each axis, "unknown" where the image has none
    # numpy.ndarray, homogeneous, one row for each entry of `world`; None where nothing is known
    affine: Any
    world: list[int]  # which world axis each row is, ascending: 0 is x, 1 is y, 2 is z
    axis_of_row: list[int]  # which axis of space, counted among these, has the row's label
    frame: str | None  # three letters, or None
    meta: Any  # mlarray.Meta
    notes: list[str] = field(default_factory=list)

    def source_of(self, kind: str) -> dict[str, Any]:
        """The kept header, if the image comes from this format."""
        return kept_header(self.meta, kind)


def import_package(name: str, purpose: str, extra: str = "convert") -> Any:
    """Import a package that an extra of ours names."""
    try:
        return importlib.import_module(name)
    except ImportError:
        package = {"nrrd": "pynrrd"}.get(name, name)
        raise MissingPackageError(
            f"{purpose} needs {package}, which is not installed: pip install 'mlarray[{extra}]'"
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
    world, named = world_axes(of_space, count)
    axis_of_row = sorted(range(count), key=lambda axis: world[axis])
    units = list(spatial.axis_units or [])
    if any(part is not None for part in parts) and count:
        affine = np.asarray(image.affine, float)
        affine = affine[[*axis_of_row, count]]
        if not named:
            notes.append(
                "axis_labels do not say which axis is x, y and z: positions are taken in the "
                "order of the array's axes"
            )
    return Exported(
        voxels=image.to_numpy(),
        labels=labels,
        spatial_axes=axes,
        units=units if len(units) == image.ndim else ["unknown"] * image.ndim,
        affine=affine,
        world=sorted(world),
        axis_of_row=axis_of_row,
        frame=frame_letters(spatial.coord_system),
        meta=image.meta,
        notes=notes,
    )


def fill_space(exported: Exported, position: int, kind: str) -> None:
    """Make it an image of three axes of space, by axes of length 1.

    Parameters
    ----------
    exported : Exported
        Changed: voxels, axes, affine and a note. It has at most three axes of space.
    position : int
        Where the new axes go. They are behind all axes of space.
    kind : str
        The format's name.
    """
    import numpy as np

    count = sum(exported.spatial_axes)
    missing = 3 - count
    if not missing:
        return
    shape = exported.voxels.shape
    exported.voxels = exported.voxels.reshape(
        shape[:position] + (1,) * missing + shape[position:]
    )
    new = [axis for axis in range(3) if axis not in exported.world]
    exported.labels[position:position] = [SPATIAL_LABELS[axis] for axis in new]
    of_space = {unit for unit, keep in zip(exported.units, exported.spatial_axes) if keep}
    unit = of_space.pop() if len(of_space) == 1 else "unknown"
    exported.units[position:position] = [unit] * missing
    exported.spatial_axes[position:position] = [True] * missing
    if exported.affine is not None:
        affine = np.zeros((4, 4))
        affine[np.ix_([*exported.world, 3], [*range(count), 3])] = exported.affine
        affine[new, range(count, 3)] = 1.0
        exported.affine = affine
    world = [*(exported.world[row] for row in np.argsort(exported.axis_of_row)), *new]
    exported.axis_of_row = sorted(range(3), key=lambda axis: world[axis])
    exported.world = [0, 1, 2]
    exported.notes.append(
        f"{axes_of_length_1(missing)} added: {_NAMES[kind]} has three axes of space"
    )


def axes_of_length_1(count: int) -> str:
    """So many of them.

    Examples
    --------
    >>> axes_of_length_1(1), axes_of_length_1(2)
    ('1 axis of length 1', '2 axes of length 1')
    """
    return f"{count} {'axis' if count == 1 else 'axes'} of length 1"


def checked_affine(affine: Any, path: str, kind: str, unit: str | None = None) -> Any:
    """The affine, if every voxel has a position by it.

    Parameters
    ----------
    affine : numpy.ndarray
        Homogeneous.
    path, kind : str
        What is written, and the format's name.
    unit : str, optional
        What the positions are in by now.

    Raises
    ------
    UnsupportedError
        For numbers that are not finite, and a last row that is not 0, ..., 0, 1.
    """
    import numpy as np

    last = affine[-1].tolist()
    if last != [*[0.0] * (len(last) - 1), 1.0]:
        raise UnsupportedError(
            f"'{path}': spatial.affine has the last row {last}, which {_NAMES[kind]} cannot "
            f"hold; it has to be 0, ..., 0, 1"
        )
    if not np.isfinite(affine).all():
        raise UnsupportedError(
            f"'{path}': {_NAMES[kind]} holds no position that is nan or inf: "
            f"{affine[:-1].tolist()}; set spacing, origin, direction or affine to numbers"
            + (f" that are finite in {unit}" if unit else "")
        )
    return affine


def in_frame(affine: Any, source: str, target: str) -> Any:
    """The affine with positions in another frame."""
    import numpy as np

    count = len(affine) - 1
    signs = [*frame_signs(source, target)[:count], 1]
    return affine * np.array(signs, float)[:, None] + 0.0  # no -0.0


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
