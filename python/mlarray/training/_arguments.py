"""Arguments of this package, checked: errors name argument, value, and what is right."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import InvalidTypeError, InvalidValueError

__all__ = ["folder_path", "groups", "number", "text_bytes", "truth", "whole", "wholes"]

_LEAST, _MOST = -(2**63), 2**63 - 1


def whole(value: Any, argument: str, most: int | None = _MOST) -> int:
    """An int, of 64 bits or up to `most`; None: of any size."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidTypeError(
            f"{argument}={value!r} is a {type(value).__name__}; give an int"
        ) from None
    if most is not None and not _LEAST <= number <= most:
        raise InvalidValueError(f"{argument}={number} is out of range; it is at most {most}")
    return number


def wholes(values: Any, argument: str) -> list[int]:
    """Ints of 64 bits."""
    try:
        given = [operator.index(value) for value in values]
    except TypeError:
        raise InvalidTypeError(f"{argument}={values!r} is no sequence of ints") from None
    return [whole(value, argument) for value in given]


def groups(values: Any, argument: str, single: bool = False) -> list[list[int]]:
    """Sequences of ints; if `single`, an int stands for a sequence of one."""
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)):
        raise InvalidTypeError(
            f"{argument}={values!r} is no sequence of sequences of ints, as [(1, 2), (3,)]"
        )
    return [
        wholes(
            [value] if single and hasattr(value, "__index__") else value, f"{argument}[{place}]"
        )
        for place, value in enumerate(values)
    ]


def number(value: Any, argument: str) -> float:
    """A float."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidTypeError(f"{argument}={value!r} is no number") from None


def truth(value: Any, argument: str) -> bool:
    """A bool, and no other thing: "no" is true in Python."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidTypeError(
            f"{argument}={value!r} is a {type(value).__name__}; give True or False"
        )
    return bool(value)


def folder_path(folder: Any, argument: str = "the folder") -> str:
    """The path of a folder as text."""
    try:
        return os.fsdecode(folder)
    except TypeError:
        raise InvalidTypeError(
            f"{argument} is {folder!r}, a {type(folder).__name__}; give a path"
        ) from None


def text_bytes(text: str) -> bytes:
    """Text as the core has it: names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")
