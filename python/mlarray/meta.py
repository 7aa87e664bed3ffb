"""The metadata of an image, as Python objects.

Fields, types and rules come from one table in the C++ core (``_core.metadata_fields()``): the
classes here only hold the values. Lists and dicts are plain ones that can be edited in place;
such edits are checked when the image is saved.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, ClassVar, TypeVar

from . import _core

__all__ = [
    "AxisLabel",
    "BaseMeta",
    "CoordSystem",
    "Meta",
    "MetaBbox",
    "MetaBlosc2",
    "MetaExtra",
    "MetaHasArray",
    "MetaImageFormat",
    "MetaIsSeg",
    "MetaOriginal",
    "MetaSource",
    "MetaSpatial",
    "MetaStatistics",
    "MetaVersion",
    "SingleKeyBaseMeta",
]

_FIELDS: dict[str, dict[str, _core.MetadataField]] = {}
for _field in _core.metadata_fields():
    _FIELDS.setdefault(_field.section, {})[_field.name] = _field
_SECTIONS = {section.name: section for section in _core.metadata_sections()}

# "RAS+" is no Python name.
AxisLabel = Enum("AxisLabel", {name: name for name in _core.axis_roles()}, type=str)
CoordSystem = Enum(
    "CoordSystem",
    {name.replace("+", "_PLUS"): name for name in _core.coord_systems()},
    type=str,
)

Self = TypeVar("Self", bound="BaseMeta")


def _plain(value: Any) -> Any:
    """Replace enum members by their values, also inside lists."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return value


class BaseMeta:
    """One section of the metadata: a few fields, None where unset.

    Assigning validates: ``TypeError`` for a wrong type, ``ValueError`` for a wrong value, both
    naming the field. Fields that the library manages refuse assignment (``AttributeError``).
    """

    _section: ClassVar[str] = ""
    _values: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = list(self._fields())
        if len(args) > len(names):
            raise TypeError(f"{type(self).__name__} has {len(names)} fields, got {len(args)}")
        given = dict(zip(names, args, strict=False))
        if twice := sorted(set(given) & set(kwargs)):
            raise TypeError(f"{type(self).__name__} got {', '.join(twice)} twice")
        object.__setattr__(self, "_values", dict.fromkeys(names))
        self.reset()
        for name, value in {**given, **kwargs}.items():
            if name not in self._values:
                raise TypeError(
                    f"{type(self).__name__} has no field {name!r}; it has {', '.join(names)}"
                )
            if value is not None:
                self._store(name, value)

    @classmethod
    def _fields(cls) -> dict[str, _core.MetadataField]:
        return _FIELDS[cls._section]

    def _store(self, name: str, value: Any) -> None:
        self._values[name] = _core.metadata_check_field(self._section, name, _plain(value))

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"{type(self).__name__!r} has no field {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        field = self._fields().get(name)
        if field is None:
            raise AttributeError(f"{type(self).__name__!r} has no field {name!r}")
        if field.read_only:
            raise AttributeError(f"{self._section}.{name} is managed by MLArray and is read-only")
        self._store(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self._section}.{name} cannot be removed; set it to None")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._fields()})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BaseMeta):
            return type(self) is type(other) and self._values == other._values
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({fields})"

    def __copy__(self: Self) -> Self:
        return copy.deepcopy(self)

    def __deepcopy__(self: Self, memo: dict[int, Any]) -> Self:
        return self._made_of(copy.deepcopy(self._values, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self)._made_of, (self._values,))

    @classmethod
    def _made_of(cls: type[Self], values: Mapping[str, Any]) -> Self:
        """Make an instance of values that are known, without checking them."""
        new = cls()
        new._values.update(values)
        return new

    def to_mapping(self, *, include_none: bool = True) -> dict[str, Any]:
        """Return the fields as a new dict, unset ones as None or left out."""
        return {
            name: copy.deepcopy(value)
            for name, value in self._values.items()
            if include_none or value is not None
        }

    @classmethod
    def from_mapping(cls: type[Self], mapping: Mapping[str, Any]) -> Self:
        """Make an instance of a dict such as `to_mapping` returns.

        Raises
        ------
        TypeError
            If it is no mapping.
        KeyError
            For a key that is no field.
        """
        if isinstance(mapping, cls):
            return copy.deepcopy(mapping)
        if not isinstance(mapping, Mapping):
            raise TypeError(f"{cls.__name__} is made of a dict, not of {mapping!r}")
        if unknown := [key for key in mapping if key not in cls._fields()]:
            raise KeyError(f"{cls.__name__} has no field {unknown[0]!r}")
        new = cls()
        for name, value in mapping.items():
            if value is not None:
                new._store(name, value)
        return new

    def to_plain(self, *, include_none: bool = False) -> Any:
        """Return the section as plain data, or None if nothing is set."""
        plain = self.to_mapping(include_none=include_none)
        return None if self.is_default() else plain

    def is_default(self) -> bool:
        """Return whether nothing is set."""
        return self._values == type(self)()._values

    def reset(self) -> None:
        """Unset every field."""
        for name in self._values:
            self._values[name] = None

    def copy_from(self: Self, other: Self, *, overwrite: bool = False) -> None:
        """Take from `other` what is unset here; with `overwrite` all that is set there.

        Raises
        ------
        TypeError
            If `other` is of another class.
        """
        if type(other) is not type(self):
            raise TypeError(f"{type(self).__name__} cannot be filled from {other!r}")
        default = type(self)()._values
        for name, value in other._values.items():
            if value != default[name] and (overwrite or self._values[name] == default[name]):
                self._values[name] = copy.deepcopy(value)

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
        return next(iter(cls._fields()))

    @property
    def value(self) -> Any:
        """The value itself."""
        return self._values[self._key()]

    @value.setter
    def value(self, value: Any) -> None:
        self.__setattr__(self._key(), value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(self._key() if name == "value" else name, value)

    def set(self, value: Any) -> None:
        """Replace the value."""
        self.__setattr__(self._key(), value)

    def to_plain(self, *, include_none: bool = False) -> Any:
        """Return the value, or None if nothing is set."""
        return None if self.is_default() else copy.deepcopy(self.value)

    @classmethod
    def from_mapping(cls: type[Self], mapping: Any) -> Self:
        """Make an instance of ``{field: value}`` or of the value itself."""
        key = next(iter(cls._fields()))
        is_wrapped = isinstance(mapping, Mapping) and (not mapping or set(mapping) == {key})
        if is_wrapped or isinstance(mapping, cls):
            return super().from_mapping(mapping)
        new = cls()
        new._store(key, mapping)
        return new

    def __str__(self) -> str:
        return str(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __contains__(self, item: Any) -> bool:
        return item in self.value

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.value[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.value[key]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SingleKeyBaseMeta):
            return bool(self.value == other.value)
        return bool(self.value == other)

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        # keys(), items(), get(), update() ... of the value.
        if values and not name.startswith("_"):
            return getattr(self.value, name)
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")


class _DictMeta(SingleKeyBaseMeta):
    """A section that holds a dict of anything JSON-like; it copies what it is given."""

    def reset(self) -> None:
        self._values[self._key()] = {}


class MetaSource(_DictMeta):
    """Metadata of the image's original file (``meta.original`` in older versions)."""

    _section = "source"


class MetaExtra(_DictMeta):
    """Anything else."""

    _section = "extra"


class MetaSpatial(BaseMeta):
    """Where the voxels are, and what the axes mean."""

    _section = "spatial"
    AxisLabel = AxisLabel
    CoordSystem = CoordSystem


class MetaStatistics(BaseMeta):
    """Statistics of the voxel values."""

    _section = "stats"


class MetaBbox(BaseMeta):
    """Boxes with scores and labels."""

    _section = "bbox"


class MetaIsSeg(SingleKeyBaseMeta):
    """Whether the image is a segmentation."""

    _section = "is_seg"


class MetaBlosc2(BaseMeta):
    """How the voxels are stored; managed by `MLArray`."""

    _section = "blosc2"


class MetaHasArray(SingleKeyBaseMeta):
    """Whether there are voxels; managed by `MLArray`."""

    _section = "_has_array"

    def reset(self) -> None:
        self._values[self._key()] = False


class MetaImageFormat(SingleKeyBaseMeta):
    """Name of the format that the source metadata is from; managed by `MLArray`."""

    _section = "_image_meta_format"


class MetaVersion(SingleKeyBaseMeta):
    """Version of the metadata's layout; managed by `MLArray`."""

    _section = "_mlarray_version"


MetaOriginal = MetaSource

_CLASSES: dict[str, type[BaseMeta]] = {
    cls._section: cls
    for cls in (
        MetaSource,
        MetaExtra,
        MetaSpatial,
        MetaStatistics,
        MetaBbox,
        MetaIsSeg,
        MetaBlosc2,
        MetaHasArray,
        MetaImageFormat,
        MetaVersion,
    )
}
_BY_OLDER_NAME = {
    section.legacy_name: name
    for name, section in _SECTIONS.items()
    if section.legacy_name and section.legacy_name != name
}
_MANAGED = ("blosc2", "_has_array", "_image_meta_format", "_mlarray_version")


class Meta:
    """All metadata of an image.

    Sections: ``source`` (older name ``original``), ``extra``, ``spatial``, ``stats``,
    ``bbox``, ``is_seg``; managed by `MLArray`: ``blosc2`` (older name ``_blosc2``),
    ``_has_array``, ``_image_meta_format``, ``_mlarray_version``.

    Parameters
    ----------
    **sections
        Instances of the sections' classes, or what they are made of.

    Examples
    --------
    >>> meta = Meta(source={"patient_id": "123"}, is_seg=True)
    >>> meta.source["study_id"] = "study-001"
    >>> print(meta.is_seg)
    True
    """

    _sections: dict[str, BaseMeta]
    _unknown: dict[str, Any]

    def __init__(self, *args: Any, **sections: Any) -> None:
        if len(args) > len(_CLASSES):
            raise TypeError(f"Meta has {len(_CLASSES)} sections, got {len(args)}")
        given = dict(zip(_CLASSES, args, strict=False))
        for key, value in sections.items():
            name = _BY_OLDER_NAME.get(key, key)
            if name not in _CLASSES:
                raise TypeError(f"Meta has no section {key!r}; it has {', '.join(_CLASSES)}")
            if name in given:
                raise TypeError(f"Meta got {name} twice")
            given[name] = value
        object.__setattr__(self, "_sections", {name: cls() for name, cls in _CLASSES.items()})
        # Keys of a file that this version does not know: kept, and written back.
        object.__setattr__(self, "_unknown", {})
        for name, value in given.items():
            self._sections[name] = _CLASSES[name].ensure(value)

    def __getattr__(self, name: str) -> Any:
        sections = self.__dict__.get("_sections", {})
        name_today = _BY_OLDER_NAME.get(name, name)
        if name_today in sections:
            return sections[name_today]
        raise AttributeError(f"'Meta' has no section {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        today = _BY_OLDER_NAME.get(name, name)
        if today not in _CLASSES:
            raise AttributeError(f"'Meta' has no section {name!r}")
        if today in _MANAGED:
            raise AttributeError(f"meta.{name} is managed by MLArray and is read-only")
        self._sections[today] = _CLASSES[today].ensure(value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_CLASSES, *_BY_OLDER_NAME})

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Meta):
            return self._sections == other._sections and self._unknown == other._unknown
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        sections = ", ".join(f"{name}={value!r}" for name, value in self._sections.items())
        return f"Meta({sections})"

    def __copy__(self) -> Meta:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Meta:
        new = Meta()
        for name, section in self._sections.items():
            new._sections[name] = copy.deepcopy(section, memo)
        new._unknown.update(copy.deepcopy(self._unknown, memo))
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickled, (self._sections, self._unknown))

    def to_mapping(self, *, include_none: bool = True) -> dict[str, Any]:
        """Return nested dicts, one per section."""
        mapping: dict[str, Any] = {
            name: section.to_mapping(include_none=include_none)
            for name, section in self._sections.items()
        }
        return {**mapping, **copy.deepcopy(self._unknown)}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Meta:
        """Make metadata of nested dicts with the names of either generation.

        Raises
        ------
        TypeError
            If it is no mapping, or a value is of the wrong type.
        KeyError
            For a section or a field that there is not.
        ValueError
            For a wrong value.
        """
        if isinstance(mapping, Meta):
            return copy.deepcopy(mapping)
        if not isinstance(mapping, Mapping):
            raise TypeError(f"Meta is made of a dict, not of {mapping!r}")
        new = cls()
        for key, value in mapping.items():
            name = _BY_OLDER_NAME.get(key, key)
            if name not in _CLASSES:
                raise KeyError(f"Meta has no section {key!r}; it has {', '.join(_CLASSES)}")
            if value is not None:
                new._sections[name] = _CLASSES[name].from_mapping(value)
        return new

    @classmethod
    def _from_stored(cls, tree: Mapping[str, Any]) -> Meta:
        """Make metadata of what a file holds, wrong values and unknown keys included."""
        new = cls()
        for key, value in tree.items():
            section = new._sections.get(key)
            if section is None or not isinstance(value, Mapping):
                new._unknown[key] = value
                continue
            section._values.update({k: v for k, v in value.items() if v is not None})
        return new

    def to_plain(self, *, include_none: bool = False) -> dict[str, Any]:
        """Return plain data: sections of one field as their value, empty ones as None."""
        plain = {
            name: section.to_plain(include_none=include_none)
            for name, section in self._sections.items()
        }
        return {name: value for name, value in plain.items() if include_none or value is not None}

    def is_default(self) -> bool:
        """Return whether nothing is set."""
        return not self._unknown and all(s.is_default() for s in self._sections.values())

    def reset(self) -> None:
        """Unset everything that is not managed by `MLArray`."""
        for name, section in self._sections.items():
            if name not in _MANAGED:
                section.reset()

    def copy_from(self, other: Meta, *, overwrite: bool = False) -> None:
        """Take from `other` what is unset here; with `overwrite` all that is set there.

        How the voxels are stored is a matter of the array and is not taken.

        Raises
        ------
        TypeError
            If `other` is no `Meta`.
        """
        if not isinstance(other, Meta):
            raise TypeError(f"Meta cannot be filled from {other!r}")
        for name, section in self._sections.items():
            if name not in _MANAGED or name == "_image_meta_format":
                section.copy_from(other._sections[name], overwrite=overwrite)
        # The patch is a wish of the user's, not a fact of the array.
        if overwrite or self.blosc2.patch_size is None:
            self.blosc2._values["patch_size"] = copy.deepcopy(other.blosc2.patch_size)

    @classmethod
    def ensure(cls, value: Any) -> Meta:
        """Return `value` if it is a `Meta`, else make one of it; None gives an empty one."""
        if isinstance(value, cls):
            return value
        return cls() if value is None else cls.from_mapping(value)

    def set_source(self, value: Any) -> Meta:
        """Replace ``source``; returns self."""
        self.source = value
        return self

    def set_extra(self, value: Any) -> Meta:
        """Replace ``extra``; returns self."""
        self.extra = value
        return self

    def set_spatial(self, value: Any = None, **fields: Any) -> Meta:
        """Replace ``spatial``, or set fields of it; returns self."""
        return self._set_section("spatial", value, fields)

    def set_stats(self, value: Any = None, **fields: Any) -> Meta:
        """Replace ``stats``, or set fields of it; returns self."""
        return self._set_section("stats", value, fields)

    def set_bbox(self, value: Any = None, **fields: Any) -> Meta:
        """Replace ``bbox``, or set fields of it; returns self."""
        return self._set_section("bbox", value, fields)

    def set_is_seg(self, value: bool | None) -> Meta:
        """Replace ``is_seg``; returns self."""
        self.is_seg = value
        return self

    def update_source(self, value: Mapping[str, Any]) -> Meta:
        """Add entries to ``source``; returns self."""
        self.source = {**self.source.value, **value}
        return self

    def update_extra(self, value: Mapping[str, Any]) -> Meta:
        """Add entries to ``extra``; returns self."""
        self.extra = {**self.extra.value, **value}
        return self

    def add_bbox(
        self,
        bbox: Sequence[Sequence[float]],
        score: float | None = None,
        label: str | int | float | None = None,
    ) -> Meta:
        """Append a box; returns self.

        Parameters
        ----------
        bbox : sequence of pairs
            Lower and upper bound per axis, in voxels.
        score : float, optional
            Confidence. Either every box has one or none.
        label : str, int or float, optional
            Class. Either every box has one or none.

        Raises
        ------
        ValueError
            If boxes with and without score or label would be mixed.
        """
        values = {name: list(value or ()) for name, value in self.bbox.to_mapping().items()}
        before = len(values["bboxes"])
        for name, item in (("scores", score), ("labels", label)):
            if before and (len(values[name]) == before) != (item is not None):
                raise ValueError(
                    f"bbox.{name} has {len(values[name])} entries for {before} boxes; give every "
                    f"box one or none"
                )
            if item is not None:
                values[name].append(item)
        values["bboxes"].append(bbox)
        self.bbox = {name: value or None for name, value in values.items()}
        return self

    def _set_section(self, name: str, value: Any, fields: Mapping[str, Any]) -> Meta:
        section = copy.deepcopy(self._sections[name]) if value is None else value
        section = _CLASSES[name].ensure(section)
        for key, item in fields.items():
            setattr(section, key, item)
        self._sections[name] = section
        return self


def _unpickled(sections: dict[str, BaseMeta], unknown: dict[str, Any]) -> Meta:
    new = Meta()
    new._sections.update(sections)
    new._unknown.update(unknown)
    return new
