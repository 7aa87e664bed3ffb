"""Keyword arguments of both generations of the interface (docs/compatibility.md).

The generation of 0.0.33 and that of 0.0.54 call some things differently. Both spellings work
everywhere; two spellings of one thing may be given together only if they agree.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .. import _core
from ..errors import InvalidTypeError, InvalidUseError, InvalidValueError, LayoutError
from ..typing import UNSET

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MLARRAY_SUFFIX",
    "MLARRAY_VERSION",
    "Access",
    "agreed",
    "param",
    "resolve_access",
    "resolve_axis_labels",
    "resolve_compressed",
    "resolve_threads",
]

MLARRAY_SUFFIX: Final = "mla"
MLARRAY_VERSION: Final = "v0"  # of the layout of metadata; written by the core


def agreed(**spellings: Any) -> Any:
    """The value that one or several spellings of one argument give.

    Parameters
    ----------
    **spellings : Any
        Values by argument name; UNSET for those that were not given.

    Returns
    -------
    Any
        The one value, or UNSET.

    Raises
    ------
    InvalidUseError
        If two of them differ; the text names both.
    """
    given = {name: value for name, value in spellings.items() if value is not UNSET}
    if not given:
        return UNSET
    (first, value), *others = given.items()
    for other, other_value in others:
        if other_value != value:
            raise InvalidUseError(
                f"{first}={value!r} and {other}={other_value!r} are two spellings of one "
                f"argument and contradict each other; give only one of them"
            )
    return value


class Access(NamedTuple):
    """How a path is opened, in our own terms."""

    mode: str  # 'r', 'r+', 'c' or 'w+'
    mapped: bool


_MODES: Final = {"r": "r", "a": "r+", "r+": "r+", "c": "c", "w": "w+", "w+": "w+"}
_MOST_THREADS: Final = 2**31 - 1
# What `mmap` and `mmap_mode` mean where they are given alone.
_MAPPED: Final[dict[str | None, Access]] = {
    **{mode: Access(mode, True) for mode in ("r", "r+", "c", "w+")},
    None: Access("r", False),
}


def resolve_access(mode: Any, mmap_mode: Any, mmap: Any) -> Access:
    """Unite `mode`, `mmap_mode` and the older `mmap`.

    A memory map's mode says everything; `mode` alone decides where it is given alone or
    with ``mmap_mode=None``, which asks for plain reads.

    Parameters
    ----------
    mode : {'r', 'a', 'r+', 'c', 'w', 'w+'}, optional
        'a' is 'r+', 'w' is 'w+'.
    mmap_mode, mmap : {'r', 'r+', 'c', 'w+', None}, optional
        Two spellings of one argument.

    Returns
    -------
    Access
        Default: 'r', mapped.

    Raises
    ------
    InvalidUseError
        For other values, and for spellings that contradict each other.
    """
    if mode is UNSET and mmap is UNSET and mmap_mode is UNSET:
        return _MAPPED["r"]
    if mode is not UNSET and (not isinstance(mode, str) or mode not in _MODES):
        raise InvalidUseError(
            f"mode={mode!r} is not one of 'r', 'a', 'r+', 'c', 'w', 'w+'; leave it out to read"
            + ("" if isinstance(mode, str) else ", and give shape= and dtype= by name")
        )
    if mmap is UNSET or mmap_mode is UNSET:
        mapping = mmap_mode if mmap is UNSET else mmap
    else:
        mapping = agreed(mmap_mode=mmap_mode, mmap=mmap)
    known = mapping is None or (isinstance(mapping, str) and mapping in _MAPPED)
    if mapping is not UNSET and not known:
        raise InvalidUseError(
            f"mmap_mode={mapping!r} is not one of 'r', 'r+', 'c', 'w+', None; leave it out to "
            f"read"
        )
    if mode is UNSET:
        return _MAPPED[mapping]
    asked = _MODES[mode]
    if mapping is UNSET:
        return Access(asked, True)
    if mapping is None:
        return Access(asked, False)
    # mode='r' is the newer generation's default beside any map of an existing file.
    implied = {"r": ("r", "r+", "c"), "r+": ("r+", "c"), "c": ("c",), "w+": ("w+",)}
    if mapping not in implied[asked]:
        raise InvalidUseError(
            f"mode={mode!r} and mmap_mode={mapping!r} contradict each other; give only one"
        )
    return Access(mapping, True)


def resolve_threads(num_threads: Any, params: Any, name: str = "dparams") -> int:
    """Unite ``num_threads`` and ``dparams={'nthreads': n}`` (or cparams, for writing).

    Parameters
    ----------
    num_threads : int, optional
        At least 1.
    params : dict or object with attributes, optional
        Blosc2's parameters.
    name : str
        Name of that argument, for messages.

    Returns
    -------
    int
        At most so many threads per call; 0 for the process-wide number.

    Raises
    ------
    InvalidUseError
        If both are given and differ.
    InvalidValueError
        For a number below 1.
    """
    if num_threads is None and params is None:
        return 0
    nthreads = param(params, "nthreads", name)
    if num_threads is None:
        num_threads = UNSET
    # An object such as blosc2.DParams always carries a number, asked for or not.
    if nthreads is None or (num_threads is not UNSET and not isinstance(params, Mapping)):
        nthreads = UNSET
    threads = agreed(**{"num_threads": num_threads, f"{name}['nthreads']": nthreads})
    if threads is UNSET:
        return 0
    try:
        count = operator.index(threads)
    except TypeError:
        raise InvalidTypeError(
            f"num_threads={threads!r} is not a whole number; leave it out to use all"
        ) from None
    if count < 1:
        raise InvalidValueError(f"num_threads={count} is below 1; leave it out to use all")
    if count > _MOST_THREADS:
        raise InvalidValueError(
            f"num_threads={count} is above {_MOST_THREADS}; leave it out to use all"
        )
    return count


def param(params: Any, key: str, name: str) -> Any:
    """One entry of a dict of parameters, or attribute of an object of them, or UNSET."""
    if params is None:
        return UNSET
    if isinstance(params, Mapping):
        return params.get(key, UNSET)
    if isinstance(params, (str, bytes, int, float, list, tuple)):
        raise InvalidTypeError(
            f"{name}={params!r} is a {type(params).__name__}; give a dict such as "
            f"{{'nthreads': 4}}"
        )
    return getattr(params, key, UNSET)


def resolve_compressed(compressed: bool | None, memory_compressed: bool | None) -> bool | None:
    """Unite `compressed` and `memory_compressed`, its name in 0.0.35 to 0.0.47."""
    if memory_compressed is None:
        return compressed
    united: bool = agreed(
        compressed=UNSET if compressed is None else compressed,
        memory_compressed=memory_compressed,
    )
    return united


def resolve_axis_labels(
    axis_labels: Sequence[str] | None, channel_axis: int | None, ndim: int
) -> Sequence[str] | None:
    """Unite ``axis_labels`` and the older ``channel_axis``.

    Parameters
    ----------
    axis_labels : sequence of str, optional
        Role of each axis.
    channel_axis : int, optional
        The axis of channels; negative counts from the end.
    ndim : int
        Number of axes.

    Returns
    -------
    sequence of str or None
        Labels, one per axis.

    Raises
    ------
    InvalidUseError
        If both are given and contradict each other.
    LayoutError
        If there is not one label per axis.
    """
    if axis_labels is not None and (
        isinstance(axis_labels, str) or not hasattr(axis_labels, "__len__")
    ):
        raise InvalidTypeError(
            f"axis_labels={axis_labels!r} is a {type(axis_labels).__name__}; give a list of "
            f"one label for each of the {ndim} axes"
        )
    if axis_labels is not None and len(axis_labels) != ndim:
        raise LayoutError(
            f"axis_labels={list(axis_labels)} has {len(axis_labels)} entries, but the array "
            f"has {ndim} axes; give one for each"
        )
    if channel_axis is None:
        return axis_labels
    if not hasattr(channel_axis, "__index__"):
        raise InvalidTypeError(f"channel_axis={channel_axis!r} is not an int; give one")
    channel_axis = operator.index(channel_axis)
    if not -ndim <= channel_axis < ndim:
        raise InvalidValueError(
            f"channel_axis={channel_axis} is no axis of an array of {ndim}; give {-ndim} to "
            f"{ndim - 1}"
        )
    if axis_labels is None:
        return _core.labels_for_channel_axis(channel_axis, ndim)
    if _core.channel_axis_of(axis_labels) != channel_axis % ndim:
        raise InvalidUseError(
            f"axis_labels={list(axis_labels)} and channel_axis={channel_axis} contradict each "
            f"other; give only one of them"
        )
    return axis_labels
