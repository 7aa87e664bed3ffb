"""Lists and dicts of fields that the library manages: to be looked at, not to be edited."""

from __future__ import annotations

import copy
from typing import Any, NoReturn

__all__ = ["frozen"]


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise AttributeError("this part of the metadata is managed by MLArray and is read-only")


class _Plain:
    """Copies and pickles of a frozen container are plain ones."""

    def __copy__(self) -> Any:
        return self.__reduce__()[1][0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__copy__(), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        plain: type[Any] = type(self).__mro__[2]
        return plain, (plain(self),)


class _FrozenList(_Plain, list[Any]):
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class _FrozenDict(_Plain, dict[Any, Any]):
    clear = pop = popitem = setdefault = update = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse


def frozen(value: Any) -> Any:
    """Return `value`; lists and dicts as such that refuse edits (``AttributeError``)."""
    if isinstance(value, list):
        return _FrozenList(map(frozen, value))
    if isinstance(value, dict):
        return _FrozenDict({key: frozen(item) for key, item in value.items()})
    return value
