"""The errors of mlarray.

Every error of the library is a :class:`MLArrayError` and, besides, the built-in class
that Python code already catches for that kind of mistake. Messages name the path, the
value, the limit and the way out.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "ClosedError",
    "CorruptionError",
    "FileAccessError",
    "InvalidTypeError",
    "InvalidUseError",
    "InvalidValueError",
    "LayoutError",
    "MLArrayError",
    "NotFoundError",
    "OutOfBoundsError",
    "ReadOnlyError",
    "UnsupportedError",
]


class MLArrayError(Exception):
    """Base class of every error of the library."""


class InvalidValueError(MLArrayError, ValueError):
    """An argument of the right type has a wrong value."""


class InvalidTypeError(MLArrayError, TypeError):
    """An argument or a metadata field has a wrong type."""


class InvalidUseError(MLArrayError, RuntimeError):
    """A call that this object, mode or combination of arguments does not allow."""


class ClosedError(InvalidUseError, TypeError):
    """The array was closed."""


class ReadOnlyError(InvalidUseError, ValueError):
    """Voxels of an array that was opened for reading were assigned to."""


class LayoutError(InvalidUseError, ValueError):
    """Patch, chunk and block sizes do not fit each other or the array."""


class OutOfBoundsError(MLArrayError, IndexError):
    """An index lies outside the array."""


class NotFoundError(MLArrayError, FileNotFoundError, RuntimeError):
    """There is no such file or folder."""


class BusyError(MLArrayError, RuntimeError):
    """Another process has the file open for writing."""


class FileAccessError(MLArrayError, OSError, RuntimeError):
    """The operating system refused a read or a write."""


class CorruptionError(MLArrayError, RuntimeError):
    """The bytes of the file contradict the format."""


class UnsupportedError(MLArrayError, RuntimeError):
    """Valid elsewhere, but refused here: plug-in codecs, object dtypes, sizes."""
