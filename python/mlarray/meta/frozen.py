"""Lists and dicts that are to be looked at, not to be edited."""

from __future__ import annotations

import copy
from typing import Any, NoReturn

__all__ = ["MANAGED", "frozen"]

MANAGED = "this part of the metadata is managed by MLArray and is read-only"


class _Frozen:
    """Refuses edits, saying why. Copies and pickles are plain."""

    _reason: str = MANAGED

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise AttributeError(self._reason)

    def __copy__(self) -> Any:
        return self.__reduce__()[1][0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return copy.deepcopy(self.__copy__(), memo)

    def __reduce__(self) -> tuple[Any, ...]:
        plain: type[Any] = type(self).__mro__[2]
        return plain, (plain(self),)


class _FrozenList(_Frozen, list[Any]):
    append = clear = extend = insert = pop = remove = reverse = sort = _Frozen._refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _Frozen._refuse


class _FrozenDict(_Frozen, dict[Any, Any]):
    clear = pop = popitem = setdefault = update = _Frozen._refuse
    __setitem__ = __delitem__ = __ior__ = _Frozen._refuse


def frozen(value: Any, reason: str = MANAGED) -> Any:
    """Return `value`; lists and dicts as such that refuse edits (``AttributeError``)."""
    new: _FrozenList | _FrozenDict
    if isinstance(value, list):
        new = _FrozenList(frozen(item, reason) for item in value)
    elif isinstance(value, dict):
        new = _FrozenDict({key: frozen(item, reason) for key, item in value.items()})
    else:
        return value
    if reason is not MANAGED:
        new._reason = reason
    return new
