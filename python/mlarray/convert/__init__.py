"""Files of other formats become ``.mla``.

Examples
--------
>>> from mlarray.convert import convert
>>> convert("ct.nii.gz", "ct.mla")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..errors import InvalidUseError, MLArrayError

__all__ = ["Converted", "MissingPackageError", "convert"]

_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_TARGET_SUFFIX = ".mla"


class MissingPackageError(MLArrayError, ImportError):
    """A package that only some users need is not installed."""


class Converted(NamedTuple):
    """What a reader of another format hands over."""

    voxels: Any  # numpy.ndarray
    metadata: dict[str, Any]  # as Meta.from_mapping takes it


def convert(
    src: str | os.PathLike[str], dst: str | os.PathLike[str], **save_options: Any
) -> None:
    """Convert a file to ``.mla``, in one step that leaves either the old or the new file.

    Parameters
    ----------
    src : path
        A NIfTI file, ``.nii`` or ``.nii.gz``.
    dst : path
        The ``.mla`` file to write; its folder must exist.
    **save_options : Any
        Passed on to `MLArray.save`: ``patch_size``, ``chunk_size``, ``block_size``,
        ``cparams``, ...

    Raises
    ------
    InvalidUseError
        For a pair of suffixes that is not supported.
    MissingPackageError
        If the package that reads `src` is not installed.
    NotFoundError, FileAccessError, CorruptionError, UnsupportedError
        If `src` cannot be read, or `dst` cannot be written.
    """
    source, target = os.fspath(src), os.fspath(dst)
    if not target.lower().endswith(_TARGET_SUFFIX):
        raise InvalidUseError(f"'{target}': the output must end in {_TARGET_SUFFIX}")
    if not source.lower().endswith(_NIFTI_SUFFIXES):
        raise InvalidUseError(
            f"'{source}': only {' and '.join(_NIFTI_SUFFIXES)} files can be converted to "
            f"{_TARGET_SUFFIX}"
        )
    from .nifti import read_nifti

    converted = read_nifti(source)

    from .. import Meta, MLArray

    image = MLArray(converted.voxels, meta=Meta.from_mapping(converted.metadata))
    image.save(target, **save_options)
