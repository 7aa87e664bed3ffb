"""What every section of the metadata can do. The sections themselves are in `mlarray.meta`.

A section's fields, their types and their rules come from one table in the C++ core
(``_core.metadata_fields()``). Values are plain Python objects: lists and dicts can be edited in
place, and such edits are checked when the image is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, NoReturn, TypeVar, overload

from . import _core
from ._frozen import frozen

__all__ = ["BaseMeta", "Field", "SingleKeyBaseMeta"]

T = TypeVar("T")
Self = TypeVar("Self", bound="BaseMeta")
Single = TypeVar("Single", bound="SingleKeyBaseMeta")

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


def _refuse_managed(path: str) -> NoReturn:
    raise AttributeError(f"meta.{path} is managed by MLArray and is read-only")


class Field(Generic[T]):
    """One field of a section: reads as T, and takes whatever the core's rule accepts."""

    def __init__(self, row: _Row) -> None:
        self.row = row
        self.__doc__ = row.doc

    @overload
    def __get__(self, section: None, owner: type[BaseMeta]) -> Field[T]: ...
    @overload
    def __get__(self, section: BaseMeta, owner: type[BaseMeta]) -> T: ...
    def __get__(self, section: BaseMeta | None, owner: type[BaseMeta]) -> Any:
        if section is None:
            return self
        value = section._values[self.row.name]
        return frozen(value) if self.row.read_only else value

    def __set__(self, section: BaseMeta, value: Any) -> None:
        if self.row.read_only:
            _refuse_managed(f"{self.row.section}.{self.row.name}")
        before = section._values[self.row.name]
        section._store(self.row.name, value)
        try:
            section._check_together()
        except Exception:
            section._values[self.row.name] = before
            raise

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
    *args, **kwargs
        Values of the fields, in the order of the table or by name.
    """

    _section: ClassVar[str] = ""
    _fields: ClassVar[dict[str, Field[Any]]] = {}
    _values: dict[str, Any]
    # Keys of a file that no field has: kept, and written back.
    _unknown: dict[str, Any]

    def __init_subclass__(cls, section: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not section:
            return
        cls._section = section
        cls._fields = {row.name: Field[Any](row) for row in _TABLE[section]}
        for name, field in cls._fields.items():
            setattr(cls, name, field)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = list(self._fields)
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, got {len(args)}")
        given = dict(zip(names, args, strict=False))
        if twice := sorted(set(given) & set(kwargs)):
            raise TypeError(f"{type(self).__name__} got {', '.join(twice)} twice")
        given.update(kwargs)
        if unknown := [name for name in given if name not in self._fields]:
            raise TypeError(
                f"{type(self).__name__} has no field {unknown[0]!r}; it has {', '.join(names)}"
            )
        self._clear()
        self._fill(given)

    def _clear(self) -> None:
        object.__setattr__(
            self, "_values", {name: field.row.default for name, field in self._fields.items()}
        )
        object.__setattr__(self, "_unknown", {})

    def _fill(self, values: Mapping[str, Any]) -> None:
        """Store several fields, also managed ones, then check them together."""
        for name, value in values.items():
            self._store(name, value)
        self._check_together()

    def _store(self, name: str, value: Any) -> None:
        """Check and store one field, also a managed one. None unsets it."""
        if value is None:
            self._values[name] = self._fields[name].row.default
        else:
            self._values[name] = _core.metadata_check_field(self._section, name, value)

    def _check_together(self) -> None:
        """Check what fields demand of each other; each alone was checked when it was set."""
        _core.metadata_check_section(self._section, self._tree())

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
        object.__setattr__(self, "_values", copy.deepcopy(other._values))
        object.__setattr__(self, "_unknown", copy.deepcopy(other._unknown))

    @classmethod
    def _from_stored(cls: type[Self], values: Mapping[Any, Any]) -> Self:
        """Make an instance of what a file holds, wrong values and unknown keys included."""
        new = cls()
        for key, value in values.items():
            if key not in cls._fields:
                new._unknown[key] = value
            elif value is not None:
                new._values[key] = value
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__} has no field {name!r}; it has {', '.join(self._fields)}"
            )
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
        new = type(self)()
        new._take(self)
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self)._from_stored, ({**self._values, **self._unknown},))

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
        fields = self._values if include_none else {}
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
            raise KeyError(
                f"{cls.__name__} has no field {unknown[0]!r}; it has {', '.join(cls._fields)}"
            )
        new = cls()
        new._fill(mapping)
        return new

    def to_plain(self, *, include_none: bool = False) -> Any:
        """Return the section as plain data; unset fields are left out unless asked for."""
        return self.to_mapping(include_none=include_none)

    def is_default(self) -> bool:
        """Return whether nothing is set."""
        return not self._unknown and all(
            self._values[name] == field.row.default for name, field in self._fields.items()
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
            is_unset = self._values[name] in (None, {}, [], ())
            if not field.row.read_only and (overwrite or is_unset):
                self._values[name] = copy.deepcopy(other._values[name])
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
        return cls() if value is None else cls.from_mapping(value)


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
        new = cls()
        if isinstance(mapping, Mapping):
            inner = mapping.get(key)
            is_dict = isinstance(new.value, dict)  # then {"data": 5} is user data as well
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
        return copy.deepcopy(self.value)

    def __repr__(self) -> str:
        return repr(self.value)

    def __str__(self) -> str:
        return str(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return 0 if self.value is None else len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(() if self.value is None else self.value)

    def __contains__(self, item: Any) -> bool:
        return self.value is not None and item in self.value

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        # Checked as a dict of this one entry, so that long dicts are not walked each time.
        if self._fields[self._key()].row.read_only:
            _refuse_managed(self._section)
        checked = _core.metadata_check_field(self._section, self._key(), {key: value})
        self.value.update(checked)

    def __delitem__(self, key: Any) -> None:
        del self.value[key]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SingleKeyBaseMeta):
            return bool(self.value == other.value)
        return bool(self.value == other)

    __hash__ = None

    def __getattr__(self, name: str) -> Any:
        # keys(), items(), get(), update() ... of the value.
        if not name.startswith("_") and "_values" in self.__dict__:
            return getattr(self.value, name)
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
