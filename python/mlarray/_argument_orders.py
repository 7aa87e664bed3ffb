"""Positional arguments in the orders of other versions.

The order of 0.0.49 to 0.0.54 is that of the signatures. Where the types of the arguments can
only be meant for the order of an earlier version, they are taken in that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

__all__ = ["OLDER_ORDERS", "in_either_order"]

P = ParamSpec("P")
R = TypeVar("R")
Arguments = tuple[Any, ...]


class Order:
    """The positional parameters of an earlier version, and how to tell that they are meant.

    A plain class: a named tuple takes a good part of a millisecond to make at each import.
    """

    __slots__ = ("is_meant", "names")

    def __init__(self, names: tuple[str, ...], is_meant: Callable[[Arguments], bool]) -> None:
        self.names = names
        self.is_meant = is_meant


def _is_int(value: Any) -> bool:
    is_index = hasattr(value, "__index__") and not isinstance(value, bool)
    return is_index and getattr(value, "ndim", 0) == 0


def _is_metadata(value: Any) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "to_mapping")


def _is_image(value: Any) -> bool:
    return hasattr(value, "support_metadata")


def _are(items: Any, kind: Callable[[Any], bool]) -> bool:
    if isinstance(items, (str, Mapping)):
        return False
    try:
        return len(items) > 0 and all(map(kind, items))
    except TypeError:
        return False


def _are_labels(value: Any) -> bool:
    return _are(value, lambda item: isinstance(item, str))


def _is_shape(value: Any) -> bool:
    return _are(value, _is_int)


def _at(arguments: Arguments, position: int, test: Callable[[Any], bool]) -> bool:
    return len(arguments) > position and test(arguments[position])


_GEOMETRY: Final = ("array", "spacing", "origin", "direction")
_SIZES: Final = ("patch_size", "chunk_size", "block_size")
_LAYOUT: Final = (*_SIZES, "num_threads", "cparams", "dparams")
_CACHES: Final = (
    "bytes_per_pixel",
    "l1_cache_size_per_core_in_bytes",
    "l3_cache_size_per_core_in_bytes",
    "safety_factor",
)
_MAPPINGS: Final = ("r", "r+", "w+", "c")

# By the name of a method: earlier orders, the first that is meant counts.
OLDER_ORDERS: Final[dict[str, tuple[Order, ...]]] = {
    "MLArray": (
        Order(  # to 0.0.33
            (*_GEOMETRY, "meta", "channel_axis", "num_threads", "copy"),
            lambda given: (
                _at(given, 5, _is_int)
                or _at(given, 6, _is_int)
                or (_at(given, 4, _is_metadata) and _at(given, 7, _is_image))
            ),
        ),
        Order(  # to 0.0.48
            (
                *(*_GEOMETRY, "meta", "axis_labels", "copy", *_SIZES),
                *("cparams", "dparams", "compressed"),
            ),
            lambda given: (
                _at(given, 4, _is_metadata)
                or _at(given, 5, _are_labels)
                or _at(given, 6, _is_image)
            ),
        ),
    ),
    "open": (
        Order(  # to 0.0.41
            ("filepath", "shape", "dtype", "axis_labels", "mode", "mmap_mode", *_LAYOUT),
            lambda given: (
                _at(given, 1, lambda shape: not isinstance(shape, str))
                and (
                    _at(given, 3, _are_labels)
                    or _at(given, 4, lambda mode: mode in ("a", "w"))
                    or _at(
                        given,
                        5,
                        lambda mapping: isinstance(mapping, str) and mapping in _MAPPINGS,
                    )
                )
            ),
        ),
        Order(  # to 0.0.33
            ("filepath", "shape", "dtype", "channel_axis", "mmap", *_LAYOUT),
            lambda given: _at(given, 1, lambda shape: not isinstance(shape, str)),
        ),
        Order(  # to 0.0.47
            ("filepath", "mode", "mmap_mode", "num_threads", "dparams"),
            lambda given: _at(given, 3, _is_int),
        ),
    ),
    "create": (
        Order(  # to 0.0.47
            ("filepath", "shape", "dtype", "meta", "mode", "mmap_mode", *_LAYOUT),
            lambda given: _at(given, 9, _is_int),
        ),
    ),
    "load": (Order(("filepath", "num_threads"), lambda given: _at(given, 1, _is_int)),),
    "asarray": (
        Order(
            ("array", "memory_compressed", *_SIZES, "meta", "cparams", "dparams"),
            lambda given: _at(given, 1, lambda value: isinstance(value, bool)),
        ),
    ),
    "comp_blosc2_params": (
        Order(
            ("image_size", "patch_size", "channel_axis", *_CACHES),
            lambda given: _at(given, 2, _is_int),
        ),
    ),
    "MetaSpatial": (
        Order(
            ("spacing", "origin", "direction", "shape", "channel_axis"),
            lambda given: _at(given, 4, _is_int) or (len(given) == 4 and _is_shape(given[3])),
        ),
        Order(
            ("spacing", "origin", "direction", "shape", "axis_labels", "axis_units"),
            lambda given: _at(given, 3, _is_shape) or _at(given, 4, _are_labels),
        ),
    ),
}


def in_either_order(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a method take its positional arguments in earlier orders, too.

    Parameters
    ----------
    name : str
        A key of `OLDER_ORDERS`.

    Returns
    -------
    callable
        A decorator; the signature stays that of the newest order.
    """
    orders = OLDER_ORDERS[name]

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if len(args) < 3:  # no order differs in the first one
                return method(*args, **kwargs)
            owner, *given = args
            order = next((one for one in orders if one.is_meant(tuple(given))), None)
            if order is None:
                return method(*args, **kwargs)
            if len(given) > len(order.names):
                raise TypeError(
                    f"{name}() in the order of an earlier version takes {len(order.names)} "
                    f"positional arguments ({', '.join(order.names)}), got {len(given)}"
                )
            named: dict[str, Any] = dict(zip(order.names, given))
            if twice := sorted(set(named) & set(kwargs)):
                raise TypeError(f"{name}() got {', '.join(twice)} twice")
            call_by_name: Callable[..., R] = method
            return call_by_name(owner, **named, **kwargs)

        return call

    return decorate
