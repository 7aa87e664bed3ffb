"""The errors of mlarray.

Every error of the library is a :class:`MLArrayError` and, besides, the built-in class
that Python code already catches for that kind of mistake. Messages name the path, the
value, the limit and the way out.

Those of files are an :class:`OSError` too, and have ``errno``, ``strerror`` and ``filename``.
"""

from __future__ import annotations

import errno as _codes
import os
from collections.abc import Iterable
from typing import Any, ClassVar

__all__ = [
    "AccessDeniedError",
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
    """Base class of every error of the library.

    Attributes
    ----------
    path : str or None
        The file or folder that the error is about.
    """

    def __init__(self, *args: object, path: str | None = None) -> None:
        super().__init__(*args)
        self.path: str | None = path


class _SystemCallError(MLArrayError, OSError):
    # Python keeps the three fields of an OSError beside __dict__. Its own __str__ would show
    # nothing else, and its own pickling drops them for an error with one argument.
    _usual_errno: ClassVar[int | None] = None

    def __init__(
        self, *args: object, path: str | None = None, errno: int | None = None
    ) -> None:
        super().__init__(*args, path=path)
        self.errno = self._usual_errno if errno is None else errno
        self.strerror = None if self.errno is None else os.strerror(self.errno)

    @property
    def path(self) -> str | None:
        name: str | None = self.filename
        return name

    @path.setter
    def path(self, name: str | None) -> None:
        self.filename = name

    def __str__(self) -> str:
        return str(self.args[0]) if len(self.args) == 1 else str(self.args or "")

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: getattr(self, name) for name in ("errno", "strerror", "filename")}
        return type(self), self.args, {**self.__dict__, **fields}


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


class NotFoundError(_SystemCallError, FileNotFoundError, RuntimeError):
    """There is no such file or folder."""

    _usual_errno = _codes.ENOENT


class BusyError(_SystemCallError, BlockingIOError, RuntimeError):
    """Another process has the file open for writing."""

    _usual_errno = _codes.EWOULDBLOCK


class FileAccessError(_SystemCallError, RuntimeError):
    """The operating system refused a read or a write."""


class AccessDeniedError(FileAccessError, PermissionError):
    """The permissions of the file or of its folder do not allow it."""

    _usual_errno = _codes.EACCES


class CorruptionError(MLArrayError, RuntimeError):
    """The bytes of the file contradict the format."""


class UnsupportedError(MLArrayError, RuntimeError):
    """Valid elsewhere, but refused here: plug-in codecs, object dtypes, sizes."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What was probably meant by a word that is none of the known ones."""
    import difflib  # here, because few need it

    near = difflib.get_close_matches(word, list(known), 1)
    return near[0] if near else None
