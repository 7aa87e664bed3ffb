"""What every section of the metadata can do. The sections themselves are in `fields`.

A section's fields, their types and their rules come from one table in the C++ core
(``_core.metadata_fields()``). Values are plain Python objects: lists and dicts can be edited in
place, and such edits are checked when the image is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    NoReturn,
    TypeVar,
    cast,
    overload,
)

from .. import _core
from ..errors import nearest
from .frozen import frozen

__all__ = [
    "BaseMeta",
    "DictMeta",
    "Field",
    "SingleKeyBaseMeta",
    "ValueMeta",
    "no_such",
    "refuse_managed",
]

T = TypeVar("T")
V = TypeVar("V")
Self = TypeVar("Self", bound="BaseMeta")
Single = TypeVar("Single", bound="SingleKeyBaseMeta")
Dict = TypeVar("Dict", bound="DictMeta")

_SINGLE = {section.name for section in _core.metadata_sections() if section.single}


class _Row(NamedTuple):
    """What a class needs of a row of the core's table."""

    section: str
    name: str
    kind: str
    doc: str
    read_only: bool

    @property
    def default(self) -> Any:
        """The value of an unset field; a new object each time."""
        if self.kind == "flag":
            return False
        return {} if self.kind == "json_object" and self.section in _SINGLE else None


_TABLE: dict[str, list[_Row]] = {}
for _row in _core.metadata_fields():
    _TABLE.setdefault(_row.section, []).append(
        _Row(_row.section, _row.name, _row.kind, _row.doc, _row.read_only)
    )
del _row


def refuse_managed(path: str) -> NoReturn:
    raise AttributeError(f"meta.{path} is managed by MLArray and is read-only")


def no_such(owner: str, what: str, name: object, names: Iterable[str]) -> str:
    """The text of an error: what there is, and what was probably meant."""
    names = list(names)
    near = nearest(str(name), names)
    meant = f" (did you mean {near!r}?)" if near else ""
    return f"{owner} has no {what} {name!r}{meant}; it has {', '.join(names)}"


class Field(Generic[T, V]):
    """One field of a section: reads as T, and takes V, which the core's rule checks."""

    def __init__(self, row: _Row) -> None:
        self.row = row
        self.__doc__ = row.doc

    @overload
    def __get__(self, section: None, owner: type[BaseMeta]) -> Field[T, V]: ...
    @overload
    def __get__(self, section: BaseMeta, owner: type[BaseMeta]) -> T: ...
    def __get__(self, section: BaseMeta | None, owner: type[BaseMeta]) -> Any:
        return self if section is None else section._shown(self.row)

    def __set__(self, section: BaseMeta, value: V) -> None:
        if self.row.read_only:
            refuse_managed(f"{self.row.section}.{self.row.name}")
        section._fill({self.row.name: value})

    def __delete__(self, section: BaseMeta) -> None:
        raise AttributeError(
            f"{self.row.section}.{self.row.name} cannot be removed; set it to None"
        )


class BaseMeta:
    """One section of the metadata: a few fields, None where unset.

    Assigning copies and checks: ``TypeError`` for a wrong type, ``ValueError`` for a wrong
    value or for one that contradicts another field of the section, naming the field. Fields
    that the library manages refuse assignment (``AttributeError``).

    Parameters
    ----------
    **values
        Values of the fields.
    """

    _section: ClassVar[str] = ""
    _fields: ClassVar[dict[str, Field[Any, Any]]] = {}
    _values: dict[str, Any]
    # Keys of a file that no field has: kept, and written back.
    _unknown: dict[str, Any]

    def __init_subclass__(cls, section: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not section:
            return
        cls._section = section
        cls._fields = {row.name: Field[Any, Any](row) for row in _TABLE[section]}
        for name, field in cls._fields.items():
            setattr(cls, name, field)

    def __init__(self, **values: Any) -> None:
        """Set fields by name; None leaves one unset."""
        for name in values:
            if name not in self._fields:
                raise TypeError(no_such(type(self).__name__, "field", name, self._fields))
        self._clear()
        self._fill({name: value for name, value in values.items() if value is not None})

    @classmethod
    def _blank(cls: type[Self]) -> Self:
        """Make an instance with nothing set."""
        new = cls.__new__(cls)
        new._clear()
        return new

    def _clear(self) -> None:
        object.__setattr__(
            self, "_values", {name: field.row.default for name, field in self._fields.items()}
        )
        object.__setattr__(self, "_unknown", {})

    def _get(self, name: str) -> Any:
        """A field as it is held."""
        return self._values[name]

    def _put(self, name: str, value: Any) -> None:
        """Hold a value that was checked, or that a file has."""
        self._values[name] = value

    def _shown(self, row: _Row) -> Any:
        """A field as its reader gets it."""
        value = self._values[row.name]
        return frozen(value) if row.read_only else value

    def _fill(self, values: Mapping[str, Any]) -> None:
        """Check several fields, also managed ones, alone and together, then store them."""
        checked = {name: self._checked(name, value) for name, value in values.items()}
        tree = {**self._tree(), **checked}
        tree = {name: value for name, value in tree.items() if value is not None}
        self._check_assigned(checked, tree)
        for name, value in checked.items():
            self._put(name, self._fields[name].row.default if value is None else value)

    def _checked(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        return _core.metadata_check_field(self._section, name, value)

    def _check_assigned(self, values: Mapping[str, Any], tree: Mapping[str, Any]) -> None:
        """Check what fields demand of each other: `values` are new, `tree` is everything."""
        _core.metadata_check_section(self._section, dict(tree))

    def _store(self, name: str, value: Any) -> None:
        """Check and store one field alone, also a managed one. None unsets it."""
        value = self._checked(name, value)
        self._put(name, self._fields[name].row.default if value is None else value)

    def _tree(self) -> dict[str, Any]:
        """The fields that are set, not copied, and what else a file held."""
        known = {
            name: value
            for name, value in self._values.items()
            if value is not None and value is not self._fields[name].row.default
        }
        return {**known, **self._unknown}

    def _take(self: Self, other: Self) -> None:
        """Hold copies of what `other` holds, which was checked there."""
        for name in self._fields:
            self._put(name, copy.deepcopy(other._get(name)))
        object.__setattr__(self, "_unknown", copy.deepcopy(other._unknown))

    @classmethod
    def _from_stored(cls: type[Self], values: Mapping[Any, Any]) -> Self:
        """Make an instance of what a file holds, wrong values and unknown keys included."""
        new = cls._blank()
        for key, value in values.items():
            if key not in cls._fields:
                new._unknown[key] = value
            elif value is not None:
                new._put(key, value)
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name):
            raise AttributeError(no_such(type(self).__name__, "field", name, self._fields))
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if type(other) is type(self) and isinstance(other, BaseMeta):
            return self._values == other._values and self._unknown == other._unknown
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{k}={v!r}" for k, v in self._values.items() if v is not None)
        return f"{type(self).__name__}({fields})"

    def __str__(self) -> str:
        return str(self.to_plain())

    def __copy__(self: Self) -> Self:
        return copy.deepcopy(self)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        new = self._blank()
        new._take(self)
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: self._get(name) for name in self._fields}
        return (type(self)._from_stored, ({**values, **self._unknown},))

    def to_mapping(self, *, include_none: bool = True) -> dict[str, Any]:
        """Return the fields as a new dict, unset ones as None or left out.

        Parameters
        ----------
        include_none : bool
            Whether unset fields are there.

        Returns
        -------
        dict
            Shares nothing with the metadata.
        """
        fields = {name: self._get(name) for name in self._fields} if include_none else {}
        return copy.deepcopy({**fields, **self._tree()})

    @classmethod
    def from_mapping(cls: type[Self], mapping: Mapping[str, Any]) -> Self:
        """Make an instance of a dict such as `to_mapping` returns.

        Raises
        ------
        TypeError
            If it is no mapping, or for a value of the wrong type.
        KeyError
            For a key that is no field.
        ValueError
            For a wrong value.
        """
        if not isinstance(mapping, Mapping):
            raise TypeError(f"{cls.__name__} is made of a dict, got {type(mapping).__name__}")
        if unknown := [key for key in mapping if key not in cls._fields]:
            raise KeyError(no_such(cls.__name__, "field", unknown[0], cls._fields))
        new = cls._blank()
        new._fill(mapping)
        return new

    def to_plain(self, *, include_none: bool = False) -> Any:
        """Return the section as plain data; unset fields are left out unless asked for."""
        return self.to_mapping(include_none=include_none)

    def is_default(self) -> bool:
        """Return whether nothing is set."""
        return not self._unknown and all(
            self._get(name) == field.row.default for name, field in self._fields.items()
        )

    def reset(self) -> None:
        """Unset every field."""
        self._clear()

    def copy_from(self: Self, other: Self, *, overwrite: bool = False) -> None:
        """Take from `other` what is unset here; with `overwrite` everything.

        Fields that the library manages are left as they are.

        Parameters
        ----------
        other : same class
            Left as it is; nothing is shared with it afterwards.
        overwrite : bool
            Whether fields that are set here are replaced, also by unset ones.

        Raises
        ------
        TypeError
            If `other` is of another class.
        """
        if type(other) is not type(self):
            raise TypeError(
                f"{type(self).__name__} cannot be filled from a {type(other).__name__}"
            )
        for name, field in self._fields.items():
            is_unset = self._get(name) in (None, {}, [], ())
            if not field.row.read_only and (overwrite or is_unset):
                self._put(name, copy.deepcopy(other._get(name)))
        self._unknown.update(
            {
                key: copy.deepcopy(value)
                for key, value in other._unknown.items()
                if overwrite or key not in self._unknown
            }
        )

    @classmethod
    def ensure(cls: type[Self], value: Any) -> Self:
        """Return `value` if it is an instance, else make one of it; None gives an empty one."""
        if isinstance(value, cls):
            return value
        return cls._blank() if value is None else cls.from_mapping(value)


class SingleKeyBaseMeta(BaseMeta):
    """A section of one field, which behaves like the field's value."""

    @classmethod
    def _key(cls) -> str:
        return next(iter(cls._fields))

    @property
    def value(self) -> Any:
        """The value itself."""
        return getattr(self, self._key())

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self, self._key(), value)

    def set(self, value: Any) -> None:
        """Replace the value."""
        setattr(self, self._key(), value)

    @classmethod
    def from_mapping(cls: type[Single], mapping: Any) -> Single:
        """Make an instance of ``{field: value}`` or of the value itself."""
        key = cls._key()
        new = cls._blank()
        if isinstance(mapping, Mapping):
            inner = mapping.get(key)
            is_dict = isinstance(new, dict)  # then {"data": 5} is user data as well
            if set(mapping) == {key} and (
                not is_dict or inner is None or isinstance(inner, Mapping)
            ):
                mapping = inner
            elif not mapping and not is_dict:
                mapping = None
        new._store(key, mapping)
        return new

    def to_plain(self, *, include_none: bool = False) -> Any:
        """Return the value as plain data."""
        return copy.deepcopy(self._get(self._key()))

    def __repr__(self) -> str:
        return repr(self._get(self._key()))

    def __str__(self) -> str:
        return str(self._get(self._key()))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SingleKeyBaseMeta):
            other = other._get(other._key())
        return bool(self._get(self._key()) == other)

    __hash__ = None

    def __bool__(self) -> bool:
        return bool(self.value)

    if not TYPE_CHECKING:
        # Type checkers are to refuse what is no use for a bool: other versions have it.

        def __len__(self) -> int:
            return 0 if self.value is None else len(self.value)

        def __iter__(self) -> Iterator[Any]:
            return iter(() if self.value is None else self.value)

        def __contains__(self, item: Any) -> bool:
            return self.value is not None and item in self.value

        def __getitem__(self, key: Any) -> Any:
            return self.value[key]

        def __setitem__(self, key: Any, value: Any) -> None:
            self.value[key] = value

        def __delitem__(self, key: Any) -> None:
            del self.value[key]

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("_") and "_values" in self.__dict__:
                return getattr(self.value, name)
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")


class ValueMeta(SingleKeyBaseMeta):
    """A section of one bool or text.

    It prints as its value; an unset one not as None, as ``is None`` is false of it.
    """

    def __repr__(self) -> str:
        value = self._get(self._key())
        if value is None:
            return f"{type(self).__name__}({self._key()}=None)"
        return repr(value)

    def __str__(self) -> str:
        value = self._get(self._key())
        return repr(self) if value is None else str(value)


class DictMeta(SingleKeyBaseMeta, dict[str, Any]):
    """A section of one dict, and that dict itself: ``json.dumps(meta.source)`` works.

    Assigning an entry checks it: ``TypeError`` for what is no JSON-like data.
    """

    if not TYPE_CHECKING:  # these are the dict's, not those of a section of one value
        __len__ = dict.__len__
        __iter__ = dict.__iter__
        __contains__ = dict.__contains__
        __getitem__ = dict.__getitem__
        __delitem__ = dict.__delitem__

    def __bool__(self) -> bool:
        return len(self) > 0

    # Instead of the dict: what a file holds that is none, in a tuple.
    _wrong: tuple[Any] | None

    def _clear(self) -> None:
        dict.clear(self)
        object.__setattr__(self, "_wrong", None)
        object.__setattr__(self, "_unknown", {})

    def _get(self, name: str) -> Any:
        return dict(self) if self._wrong is None else self._wrong[0]

    def _put(self, name: str, value: Any) -> None:
        is_dict = isinstance(value, dict)
        new: dict[str, Any] = dict(value) if is_dict else {}  # it may be this dict itself
        dict.clear(self)
        dict.update(self, new)
        object.__setattr__(self, "_wrong", None if is_dict else (value,))

    @classmethod
    def ensure(cls: type[Dict], value: Any) -> Dict:
        """Return a section made of `value`, a copy; None gives an empty one."""
        return copy.deepcopy(value) if isinstance(value, cls) else super().ensure(value)

    def _shown(self, row: _Row) -> Any:
        return self if self._wrong is None else self._wrong[0]

    def _tree(self) -> dict[str, Any]:
        value = self._get(self._key())
        return {**({} if value == {} else {self._key(): value}), **self._unknown}

    def _checked_items(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What is to be added, checked alone: long dicts are not walked each time."""
        if self._wrong is not None:
            raise TypeError(
                f"{self._section}: the file holds {self._wrong[0]!r}, which is no dict; "
                f"assign a dict to meta.{self._section} first"
            )
        items = dict(*args, **kwargs)
        checked = _core.metadata_check_field(self._section, self._key(), items)
        return cast("dict[str, Any]", checked)

    def __setitem__(self, key: str, value: Any) -> None:
        dict.update(self, self._checked_items({key: value}))

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add entries, as ``dict.update`` does, and check them."""
        dict.update(self, self._checked_items(*args, **kwargs))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return an entry, which is added if it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def __ior__(self: Dict, other: Any) -> Dict:  # type: ignore[override,misc]
        self.update(other)
        return self
