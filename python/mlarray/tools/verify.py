"""Whether a file is as it was written."""

from __future__ import annotations

import os

from .. import _core
from .._reports import VerifyReport, report_of

__all__ = ["verify_file"]


def verify_file(
    filepath: str | os.PathLike[str], decode: bool = True, num_threads: int | None = None
) -> VerifyReport:
    """Look at the seal, the metadata, every checksum, and whether every block decodes.

    Works for files that are too damaged to be opened, and for those of other writers, of
    which only structure and decoding can be looked at.

    Parameters
    ----------
    filepath : path
        A ``.mla`` or ``.b2nd`` file.
    decode : bool
        False looks at checksums and structure only, which is several times faster.
    num_threads : int, optional
        At most so many; default: as `set_num_threads` says.

    Returns
    -------
    VerifyReport
        Damage is in it; it is no error.

    Raises
    ------
    NotFoundError, FileAccessError
        If there is no such file, or it cannot be read.

    Examples
    --------
    >>> verify_file("image.mla").status
    'verified'
    """
    path = os.fspath(filepath)
    return report_of(_core.verify_file(path, decode, num_threads or 0), path)
