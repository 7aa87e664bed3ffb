"""The arguments of MLArray, checked, and metadata on its way to the core."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _core
from ._dtypes import dtype_to_text
from .errors import (
    InvalidTypeError,
    InvalidUseError,
    InvalidValueError,
    MLArrayError,
    NotFoundError,
    UnsupportedError,
)
from .typing import UNSET

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .meta import Meta
    from .typing import PathLike

__all__ = [
    "Naming",
    "as_dtype",
    "as_shape",
    "as_voxels",
    "check",
    "check_64_bits",
    "checked_path",
    "filled_from",
    "given_names",
    "is_of_metadata",
    "new_meta",
    "no_attribute",
    "state_facts",
    "to_core",
]

_SUFFIXES = (".mla", ".b2nd")
_LARGEST = 2**63 - 1


def as_voxels(array: Any) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray) and not hasattr(array, "__array__"):
        raise InvalidTypeError(
            f"array is a {type(array).__name__}; give a NumPy array, a path or an MLArray"
        )
    voxels = np.asarray(array)
    dtype_to_text(voxels.dtype)
    return voxels


def as_shape(shape: int | Sequence[int]) -> list[int]:
    lengths = np.atleast_1d(np.asarray(shape, dtype=object)).tolist()
    if not all(isinstance(length, (int, np.integer)) for length in lengths):
        raise InvalidTypeError(
            f"shape={shape!r} is not an int or a sequence of ints; give one int per axis"
        )
    lengths = [int(length) for length in lengths]
    check_64_bits("shape", lengths)
    if any(length < 0 for length in lengths):
        raise InvalidValueError(
            f"shape={tuple(lengths)} has a negative length; lengths are 0 or more"
        )
    return lengths


def as_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        return np.dtype(dtype)
    except (TypeError, ValueError) as error:
        raise InvalidTypeError(
            f"dtype={dtype!r} is not a dtype that NumPy knows ({error}); give one such as "
            f"'int16' or array.dtype"
        ) from None


def check_64_bits(name: str, numbers: Sequence[int]) -> None:
    if any(not -_LARGEST <= number <= _LARGEST for number in numbers):
        raise UnsupportedError(
            f"{name}={tuple(numbers)} is beyond 64 bits: a length is at most 2^63 - 1 "
            f"({_LARGEST}); use smaller ones"
        )


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
        path = os.fsdecode(filepath)
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
        if not isinstance(error, MLArrayError) or error.path is not None:
            return
        text = str(error)
        if f"'{self.path}'" not in text and repr(self.path) not in text:
            named = copy.copy(error)
            named.args = (f"{self.path!r}: {text}",)
            named.path = self.path
            raise named from error


def given_names(arguments: Mapping[str, Any]) -> list[str]:
    """Which optional arguments were given, and not as the defaults of some version."""
    return [
        name
        for name, value in arguments.items()
        if value is not None
        and value is not UNSET
        and not (name == "patch_size" and isinstance(value, str) and value == "default")
    ]


def no_attribute(cls: type, name: str) -> str:
    """What to say where an attribute is set that there is not, and what may be meant."""
    import difflib  # here, because few need it

    names = [known for known in dir(cls) if not known.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    meant = f"did you mean {near[0]!r}?" if near else "put what is your own into meta.extra"
    return f"{cls.__name__} has no attribute {name!r}: {meant}"


def new_meta(meta: Any) -> Meta:
    from .meta import Meta

    if meta is None:
        return Meta()
    if isinstance(meta, Meta):
        return copy.deepcopy(meta)
    if isinstance(meta, Mapping):
        return Meta(source=dict(meta))
    raise InvalidValueError(f"meta is a {type(meta).__name__}; give None, a dict or a Meta")


def state_facts(meta: Meta, shape: tuple[int, ...] | None) -> None:
    """Let the fields that the library manages say what is true of an array in memory."""
    meta.blosc2.reset()
    meta.spatial._store("shape", None if shape is None else list(shape))
    meta._has_array._store("has_array", shape is not None)


def to_core(meta: Meta) -> _core.Metadata:
    return _core.Metadata(meta._tree())


def is_of_metadata(error: Exception) -> bool:
    """Whether storing metadata failed because of the metadata, not of the file."""
    if isinstance(error, MLArrayError):
        return isinstance(error, (InvalidTypeError, InvalidValueError, UnsupportedError))
    return not isinstance(error, MemoryError)


def check(meta: Meta, ndim: int) -> None:
    _core.metadata_check(meta._tree(), ndim)


def filled_from(meta: Meta, base: Meta) -> Meta:
    """`meta` with what it does not say itself taken from `base`.

    The rule is the core's, `Metadata::fill_from`. Neither is changed, or shares anything with
    the result.
    """
    filled = to_core(meta).filled_from(to_core(base))
    return type(meta)._from_stored(filled.to_tree())
