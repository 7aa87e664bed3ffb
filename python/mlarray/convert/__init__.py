"""Files of other formats become ``.mla``, and back.

Examples
--------
>>> import mlarray
>>> mlarray.convert.convert("ct.nii.gz", "ct.mla")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from .._foreign import NIFTI_SUFFIXES, NRRD_SUFFIXES
from ..errors import InvalidUseError
from ._model import Converted, MissingPackageError

__all__ = ["Converted", "MissingPackageError", "Report", "convert"]

# What is read, and what is written.
_OURS = ".mla"
SUFFIXES = (*NIFTI_SUFFIXES, *NRRD_SUFFIXES, _OURS)
TARGETS = (_OURS, *NIFTI_SUFFIXES, ".nrrd")


class Report(NamedTuple):
    """What a conversion did."""

    source: str
    target: str
    shape: tuple[int, ...]
    dtype: str
    source_bytes: int
    target_bytes: int
    notes: tuple[str, ...]  # what changed or could not be kept, one sentence each


def split_suffix(path: str) -> tuple[str, str]:
    """The path and the suffix of a supported format; an empty suffix for any other.

    Examples
    --------
    >>> split_suffix("a/ct.nii.gz"), split_suffix("a/ct.png")
    (('a/ct', '.nii.gz'), ('a/ct.png', ''))
    """
    for suffix in SUFFIXES:
        if path.lower().endswith(suffix):
            return path[: -len(suffix)], suffix
    return path, ""


def convert(
    src: str | os.PathLike[str], dst: str | os.PathLike[str], **save_options: Any
) -> Report:
    """Convert a file, in one step that leaves either the old or the new file at `dst`.

    Voxels keep their order and their values, and every voxel its position. An image that
    comes from the format of `dst` gets the fields of its own header back.

    Parameters
    ----------
    src : path
        NIfTI (``.nii``, ``.nii.gz``), NRRD (``.nrrd``, or ``.nhdr`` with its data file), or
        ``.mla``.
    dst : path
        ``.mla``, or for a `src` of ``.mla``: ``.nii``, ``.nii.gz`` or ``.nrrd``. An older
        file is replaced; the folder must exist.
    **save_options : Any
        Only for ``.mla``; passed on to `MLArray.save`: ``patch_size``, ``chunk_size``,
        ``block_size``, ``cparams``, ...

    Returns
    -------
    Report
        With a note for everything that the target cannot hold.

    Raises
    ------
    InvalidUseError
        For a pair of suffixes that is not supported.
    MissingPackageError
        If the package that reads or writes the other format is not installed.
    UnsupportedError
        If the target's format cannot hold the image.
    NotFoundError, FileAccessError, CorruptionError
        If `src` cannot be read, or `dst` cannot be written.
    """
    source, target = os.fspath(src), os.fspath(dst)
    kind, wanted = split_suffix(source)[1], split_suffix(target)[1]
    if (kind == _OURS) == (wanted == _OURS) or wanted not in TARGETS or not kind:
        raise InvalidUseError(
            f"'{source}' to '{target}': {', '.join(SUFFIXES[:-1])} files can be converted to "
            f"{_OURS}, and {_OURS} files to {', '.join(TARGETS[1:])}"
        )
    if wanted == _OURS:
        shape, dtype, notes = _import(source, kind, target, save_options)
    else:
        if save_options:
            raise InvalidUseError(
                f"'{target}': {', '.join(save_options)} is only for {_OURS} files"
            )
        shape, dtype, notes = _export(source, target, wanted)
    return Report(
        source, target, shape, dtype, os.path.getsize(source), os.path.getsize(target), notes
    )


def _import(
    source: str, kind: str, target: str, save_options: dict[str, Any]
) -> tuple[tuple[int, ...], str, tuple[str, ...]]:
    if kind in NIFTI_SUFFIXES:
        from .nifti import read_nifti

        converted = read_nifti(source)
    else:
        from .nrrd import read_nrrd

        converted = read_nrrd(source)

    from ..array import MLArray
    from ..meta import Meta

    image = MLArray(converted.voxels, meta=Meta.from_mapping(converted.metadata))
    image.save(target, **save_options)
    return tuple(image.shape), str(image.dtype), converted.notes


def _export(
    source: str, target: str, wanted: str
) -> tuple[tuple[int, ...], str, tuple[str, ...]]:
    from ..array import MLArray
    from ._model import export_geometry

    with MLArray.open(source) as image:
        exported = export_geometry(image)
    if wanted in NIFTI_SUFFIXES:
        from .nifti import write_nifti

        write_nifti(target, exported)
    else:
        from .nrrd import write_nrrd

        write_nrrd(target, exported)
    return tuple(exported.voxels.shape), str(exported.voxels.dtype), tuple(exported.notes)
