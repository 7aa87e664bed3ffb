"""Positional arguments in the order of 0.0.33, which is another one than that of 0.0.54.

The newer order is that of the signatures. Where the type of an argument can only be meant for
the older order, the arguments are taken in that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

__all__ = ["OLDER_ORDER", "in_either_order"]

P = ParamSpec("P")
R = TypeVar("R")

_LAYOUT: Final = ("patch_size", "chunk_size", "block_size", "num_threads", "cparams", "dparams")
_CACHES: Final = (
    "bytes_per_pixel",
    "l1_cache_size_per_core_in_bytes",
    "l3_cache_size_per_core_in_bytes",
    "safety_factor",
)
OLDER_ORDER: Final = {
    "MLArray": (
        *("array", "spacing", "origin", "direction"),
        *("meta", "channel_axis", "num_threads", "copy"),
    ),
    "open": ("filepath", "shape", "dtype", "channel_axis", "mmap", *_LAYOUT),
    "load": ("filepath", "num_threads"),
    "comp_blosc2_params": ("image_size", "patch_size", "channel_axis", *_CACHES),
    "MetaSpatial": ("spacing", "origin", "direction", "shape", "channel_axis"),
}


def _is_int(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and _is_flat(value)


def _is_flat(value: Any) -> bool:
    return getattr(value, "ndim", 0) == 0


def _is_metadata(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "to_mapping")


def _is_shape(value: Any) -> bool:
    try:
        return all(map(_is_int, value))
    except TypeError:
        return False


# What no argument of the newer order can be: position and test.
_SIGNS: Final[dict[str, dict[int, Callable[[Any], bool]]]] = {
    "MLArray": {4: _is_metadata, 5: _is_int, 6: _is_int},
    "open": {1: lambda value: not isinstance(value, str)},
    "load": {1: _is_int},
    "comp_blosc2_params": {2: _is_int},
    "MetaSpatial": {3: _is_shape, 4: _is_int},
}


def in_either_order(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method take its positional arguments in the order of 0.0.33, too.

    Parameters
    ----------
    name : str
        A key of `OLDER_ORDER`.

    Returns
    -------
    callable
        A decorator; the signature stays that of the newer order.
    """
    older, signs = OLDER_ORDER[name], _SIGNS[name]
    first = min(signs)

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            owner, *given = args
            if len(given) <= first or not any(
                at < len(given) and is_older(given[at]) for at, is_older in signs.items()
            ):
                return method(*args, **kwargs)
            if len(given) > len(older):
                raise TypeError(
                    f"{name}() in the order of 0.0.33 takes {len(older)} positional "
                    f"arguments ({', '.join(older)}), got {len(given)}"
                )
            named: dict[str, Any] = dict(zip(older, given))
            if twice := sorted(set(named) & set(kwargs)):
                raise TypeError(f"{name}() got {', '.join(twice)} twice")
            call_by_name: Callable[..., R] = method
            return call_by_name(owner, **named, **kwargs)

        return call

    return decorate
