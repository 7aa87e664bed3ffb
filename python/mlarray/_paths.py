"""Paths of images, checked, and in front of errors that do not name theirs."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING

from .errors import (
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    MLArrayError,
    NotFoundError,
)

if TYPE_CHECKING:
    from .typing import PathLike

__all__ = ["Naming", "checked_path", "raise_named"]

_SUFFIXES = (".mla", ".b2nd")


def checked_path(filepath: PathLike, *, writes: bool = False) -> str:
    """The path of an image as text; bytes are decoded as file names are.

    Parameters
    ----------
    filepath : path
        Ends in .mla or .b2nd.
    writes : bool
        Whether the image is saved there; another suffix is explained by it.

    Raises
    ------
    InvalidTypeError
        For what is no path.
    InvalidValueError
        For a path that no file can have.
    InvalidUseError
        For another suffix.
    NotFoundError
        For a URL.
    """
    try:
        path = filepath if type(filepath) is str else os.fsdecode(filepath)
    except TypeError:
        raise InvalidTypeError(
            f"the path is {filepath!r}, a {type(filepath).__name__}; give a str, bytes or "
            f"pathlib.Path"
        ) from None
    if "\0" in path:
        raise InvalidValueError(f"the path {path!r} has a zero byte; no file name has one")
    if "://" in path and not os.path.exists(path):
        raise NotFoundError(
            f"{path!r} is a URL, not the path of a file; download it first", path=path
        )
    if not path.endswith(_SUFFIXES):
        from ._foreign import fault_of_path

        raise InvalidUseError(fault_of_path(path, writes))
    return path


class Naming:
    """Put the path in front of errors that do not name it."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, MLArrayError):
            raise_named(error, self.path)


def raise_named(error: MLArrayError, path: str) -> None:
    """Raise `error` with the path in front; nothing happens where it names one already."""
    text = str(error)
    if error.path is None and f"'{path}'" not in text and repr(path) not in text:
        named = copy.copy(error)
        named.args = (f"{path!r}: {text}",)
        named.path = path
        raise named from error
