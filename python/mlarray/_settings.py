"""What holds for the whole process: how many threads, and whether reads are verified."""

from __future__ import annotations

import operator

from . import _core
from .errors import InvalidTypeError

__all__ = ["num_threads", "set_num_threads", "set_verification", "verification"]

_MOST = 2**31 - 1  # what the core counts with


def set_num_threads(n: int) -> None:
    """Let one call use at most so many threads, where it does not say it itself.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    InvalidTypeError
        For what is no integer.
    InvalidValueError
        For a number below 1.
    """
    try:
        count = operator.index(n)
    except TypeError:
        raise InvalidTypeError(
            f"n={n!r} is a {type(n).__name__}; give the number of threads, an int of at least 1"
        ) from None
    _core.set_num_threads(max(min(count, _MOST), -_MOST))


def num_threads() -> int:
    """How many threads one call may use, where it does not say it itself."""
    return _core.num_threads()


def set_verification(on: bool) -> None:
    """Let seals and checksums be verified, or not, where no call says it.

    Parameters
    ----------
    on : bool
        True, unless the environment says ``MLARRAY_VERIFY=0``, is the default.

    Raises
    ------
    InvalidTypeError
        For what is no bool.
    """
    if type(on).__name__ not in ("bool", "bool_"):  # NumPy's is called so
        raise InvalidTypeError(f"on={on!r} is a {type(on).__name__}; give True or False")
    _core.set_verification(bool(on))


def verification() -> bool:
    """Whether seals and checksums are verified where no call says it."""
    return _core.verification()
