"""The metadata of an image, as Python objects."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from .. import _core
from .base import BaseMeta, SingleKeyBaseMeta, no_such, refuse_managed
from .fields import (
    MetaBbox,
    MetaBlosc2,
    MetaExtra,
    MetaHasArray,
    MetaImageFormat,
    MetaIsSeg,
    MetaSource,
    MetaSpatial,
    MetaStatistics,
    MetaVersion,
)
from .words import AxisLabel, AxisLabelEnum, CoordSystem, CoordSystemEnum

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "AxisLabel",
    "AxisLabelEnum",
    "BaseMeta",
    "CoordSystem",
    "CoordSystemEnum",
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
    "is_serializable",
    "validate_and_cast_axis_labels",
]

MetaOriginal = MetaSource

S = TypeVar("S", bound=BaseMeta)
V = TypeVar("V")


class _Section(Generic[S, V]):
    """A section of `Meta`: reads as S, and takes V: whatever ``S.ensure`` does."""

    def __init__(self, cls: type[S]) -> None:
        self.cls = cls
        self.__doc__ = cls.__doc__

    @overload
    def __get__(self, meta: None, owner: type[Meta]) -> _Section[S, V]: ...
    @overload
    def __get__(self, meta: Meta, owner: type[Meta]) -> S: ...
    def __get__(self, meta: Meta | None, owner: type[Meta]) -> Any:
        return self if meta is None else meta._sections[self.cls._section]

    def __set__(self, meta: Meta, value: V) -> None:
        if self.cls._section in _MANAGED:
            refuse_managed(self.cls._section)
        meta._replace(self.cls._section, self.cls.ensure(value))

    def __delete__(self, meta: Meta) -> None:
        raise AttributeError(f"meta.{self.cls._section} cannot be removed; set it to None")


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
    section.legacy_name: section.name
    for section in _core.metadata_sections()
    if section.legacy_name != section.name
}
_MANAGED = ("blosc2", "_has_array", "_image_meta_format", "_mlarray_version")


class Meta(BaseMeta):
    """All metadata of an image.

    Sections: ``source`` (older name ``original``), ``extra``, ``spatial``, ``stats``,
    ``bbox``, ``is_seg``; managed by `MLArray`: ``blosc2`` (older name ``_blosc2``),
    ``_has_array``, ``_image_meta_format``, ``_mlarray_version``.

    Parameters
    ----------
    source, extra, spatial, stats, bbox, is_seg
        Instances of the sections' classes, or what they are made of. Dicts are copied.
    blosc2, _has_array, _image_meta_format, _mlarray_version
        The same; `MLArray` replaces them.
    original, _blosc2
        The older names of `source` and `blosc2`.

    Examples
    --------
    >>> meta = Meta(source={"patient_id": "123"}, is_seg=True)
    >>> meta.source["study_id"] = "study-001"
    >>> print(meta.is_seg)
    True
    """

    source: _Section[MetaSource, Mapping[str, Any] | None] = _Section(MetaSource)
    original: _Section[MetaSource, Mapping[str, Any] | None] = _Section(MetaSource)
    extra: _Section[MetaExtra, Mapping[str, Any] | None] = _Section(MetaExtra)
    spatial: _Section[MetaSpatial, MetaSpatial | Mapping[str, Any] | None] = _Section(
        MetaSpatial
    )
    stats: _Section[MetaStatistics, MetaStatistics | Mapping[str, Any] | None] = _Section(
        MetaStatistics
    )
    bbox: _Section[MetaBbox, MetaBbox | Mapping[str, Any] | None] = _Section(MetaBbox)
    is_seg: _Section[MetaIsSeg, bool | np.bool_ | MetaIsSeg | Mapping[str, Any] | None] = (
        _Section(MetaIsSeg)
    )
    blosc2: _Section[MetaBlosc2, NoReturn] = _Section(MetaBlosc2)
    _blosc2: _Section[MetaBlosc2, NoReturn] = _Section(MetaBlosc2)
    _has_array: _Section[MetaHasArray, NoReturn] = _Section(MetaHasArray)
    _image_meta_format: _Section[MetaImageFormat, NoReturn] = _Section(MetaImageFormat)
    _mlarray_version: _Section[MetaVersion, NoReturn] = _Section(MetaVersion)

    _sections: dict[str, BaseMeta]
    # Sections of a file that are unknown or no dicts: kept, and written back.
    _unknown: dict[str, Any]
    # How many axes the image has that this is the metadata of; None if that is not known.
    _ndim: int | None

    def __init__(
        self,
        source: Mapping[str, Any] | None = None,
        extra: Mapping[str, Any] | None = None,
        spatial: MetaSpatial | Mapping[str, Any] | None = None,
        stats: MetaStatistics | Mapping[str, Any] | None = None,
        bbox: MetaBbox | Mapping[str, Any] | None = None,
        is_seg: bool | np.bool_ | MetaIsSeg | Mapping[str, Any] | None = None,
        blosc2: MetaBlosc2 | Mapping[str, Any] | None = None,
        _has_array: MetaHasArray | Mapping[str, Any] | bool | None = None,
        _image_meta_format: MetaImageFormat | Mapping[str, Any] | str | None = None,
        _mlarray_version: MetaVersion | Mapping[str, Any] | str | None = None,
        *,
        original: Mapping[str, Any] | None = None,
        _blosc2: MetaBlosc2 | Mapping[str, Any] | None = None,
        **misspelt: NoReturn,
    ) -> None:
        for name in misspelt:
            raise TypeError(no_such("Meta", "section", name, _CLASSES))
        for name, value, older in (
            ("source", source, original),
            ("blosc2", blosc2, _blosc2),
        ):
            if value is not None and older is not None:
                raise TypeError(f"Meta got {name} twice")
        given = {
            "source": original if source is None else source,
            "extra": extra,
            "spatial": spatial,
            "stats": stats,
            "bbox": bbox,
            "is_seg": is_seg,
            "blosc2": _blosc2 if blosc2 is None else blosc2,
            "_has_array": _has_array,
            "_image_meta_format": _image_meta_format,
            "_mlarray_version": _mlarray_version,
        }
        sections = {name: cls.ensure(given[name]) for name, cls in _CLASSES.items()}
        object.__setattr__(self, "_sections", sections)
        object.__setattr__(self, "_unknown", {})
        object.__setattr__(self, "_ndim", None)

    def _bind(self, ndim: int | None) -> None:
        """Say how many axes the image has: lengths are checked when they are set."""
        object.__setattr__(self, "_ndim", ndim)
        self.spatial._ndim = ndim

    def _replace(self, name: str, section: BaseMeta) -> None:
        if isinstance(section, MetaSpatial):
            if self._ndim is not None:
                _core.metadata_check({name: section._tree()}, self._ndim)
            section._ndim = self._ndim
        self._sections[name] = section
        self._unknown.pop(name, None)

    @classmethod
    def _from_stored(cls, tree: Mapping[Any, Any]) -> Meta:
        """Make metadata of what a file holds, wrong values and unknown keys included."""
        new = cls()
        for key, value in tree.items():
            if key in _CLASSES and isinstance(value, Mapping):
                new._sections[key] = _CLASSES[key]._from_stored(value)
            else:
                new._unknown[key] = value
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(getattr(type(self), name, None), _Section):
            raise AttributeError(no_such("Meta", "section", name, _CLASSES))
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Meta):
            return self._sections == other._sections and self._unknown == other._unknown
        return NotImplemented

    __hash__ = None

    def __repr__(self) -> str:
        sections = ", ".join(
            f"{name}={section!r}"
            for name, section in self._sections.items()
            if not section.is_default()
        )
        return f"Meta({sections})"

    def __str__(self) -> str:
        return str(self.to_plain())

    def __copy__(self) -> Meta:
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Meta:
        return _unpickled(copy.deepcopy(self._sections), copy.deepcopy(self._unknown))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickled, (self._sections, self._unknown))

    def to_mapping(self, *, include_none: bool = True) -> dict[str, Any]:
        """Return nested dicts, one per section, that share nothing with the metadata."""
        mapping: dict[str, Any] = {
            name: section.to_mapping(include_none=include_none)
            for name, section in self._sections.items()
        }
        for key, value in self._unknown.items():
            # What a file has in a section's place, until something is set there.
            if key not in self._sections or self._sections[key].is_default():
                mapping[key] = copy.deepcopy(value)
        return mapping

    def _tree(self) -> dict[str, Any]:
        """What is set, in nested dicts, not copied: errors of the core can name a value."""
        tree: dict[str, Any] = {key: one._tree() for key, one in self._sections.items()}
        for key, value in self._unknown.items():
            # What a file has in a section's place, until something is set there.
            if key not in self._sections or self._sections[key].is_default():
                tree[key] = value
        return tree

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
        if not isinstance(mapping, Mapping):
            raise TypeError(f"Meta is made of a dict, got {type(mapping).__name__}")
        sections = {_BY_OLDER_NAME.get(key, key): value for key, value in mapping.items()}
        if unknown := [key for key in sections if key not in _CLASSES]:
            raise KeyError(no_such("Meta", "section", unknown[0], _CLASSES))
        return cls(**sections)

    def to_plain(self, *, include_none: bool = False) -> dict[str, Any]:
        """Return plain data: sections of one field as their value, empty ones as None."""
        plain: dict[str, Any] = {}
        for name, section in self._sections.items():
            if not section.is_default():
                plain[name] = section.to_plain(include_none=include_none)
            elif include_none:
                plain[name] = None
        return plain

    def is_default(self) -> bool:
        """Return whether nothing is set."""
        return not self._unknown and all(s.is_default() for s in self._sections.values())

    def reset(self) -> None:
        """Unset everything that is not managed by `MLArray`."""
        for name, section in self._sections.items():
            if name not in _MANAGED:
                section.reset()

    def copy_from(self, other: Meta, *, overwrite: bool = False) -> None:
        """Take from `other` what is unset here; with `overwrite` everything.

        What `MLArray` manages is a matter of the array and is left as it is, but for the name
        of the format that the source metadata comes from, and the patch size: a wish of the
        user's.

        Parameters
        ----------
        other : Meta
            Left as it is; nothing is shared with it afterwards.
        overwrite : bool
            Whether what is set here is replaced, also by what is unset there.

        Raises
        ------
        TypeError
            If `other` is no `Meta`.
        """
        if not isinstance(other, Meta):
            raise TypeError(f"Meta cannot be filled from a {type(other).__name__}")
        for name, section in self._sections.items():
            section.copy_from(other._sections[name], overwrite=overwrite)
        if overwrite or self._image_meta_format.value is None:
            self._image_meta_format._take(other._image_meta_format)
        if overwrite or self.blosc2.patch_size is None:
            self.blosc2._store("patch_size", other.blosc2.patch_size)

    @classmethod
    def ensure(cls, value: Any) -> Meta:
        """Return `value` if it is a `Meta`, else make one of it; None gives an empty one."""
        if isinstance(value, cls):
            return value
        return cls() if value is None else cls.from_mapping(value)

    def set_source(self, value: Mapping[str, Any] | None) -> Meta:
        """Replace ``source``; returns self."""
        self.source = value
        return self

    def set_extra(self, value: Mapping[str, Any] | None) -> Meta:
        """Replace ``extra``; returns self."""
        self.extra = value
        return self

    def set_spatial(self, value: MetaSpatial | Mapping[str, Any] | None) -> Meta:
        """Replace ``spatial``; returns self."""
        self.spatial = value
        return self

    def set_stats(self, value: MetaStatistics | Mapping[str, Any] | None) -> Meta:
        """Replace ``stats``; returns self."""
        self.stats = value
        return self

    def set_bbox(self, value: Any) -> Meta:
        """Replace ``bbox`` by a section, a dict or a list of boxes; returns self."""
        is_section = value is None or isinstance(value, MetaBbox | Mapping)
        self.bbox = value if is_section else MetaBbox(bboxes=value)
        return self

    def set_is_seg(self, value: Any) -> Meta:
        """Replace ``is_seg``; returns self."""
        self.is_seg = value
        return self

    def update_source(self, value: Mapping[str, Any]) -> Meta:
        """Add entries to ``source``; returns self."""
        self.source.update(value)
        return self

    def update_extra(self, value: Mapping[str, Any]) -> Meta:
        """Add entries to ``extra``; returns self."""
        self.extra.update(value)
        return self

    def add_bbox(
        self,
        bbox: Sequence[Sequence[float]],
        score: float | None = None,
        label: str | float | None = None,
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
        count = len(self.bbox.bboxes or ())
        new: dict[str, Any] = {"bboxes": [*(self.bbox.bboxes or ()), bbox]}
        for name, item in (("scores", score), ("labels", label)):
            before = getattr(self.bbox, name) or []
            if count and bool(before) != (item is not None):
                raise ValueError(
                    f"bbox.{name}: {len(before)} for {count} boxes; give every box one or none"
                )
            new[name] = None if item is None else [*before, item]
        self.bbox._take(MetaBbox(**new))
        return self


def _unpickled(sections: dict[str, BaseMeta], unknown: dict[str, Any]) -> Meta:
    new = Meta()
    new._sections.update(sections)
    new._unknown.update(unknown)
    return new


def is_serializable(d: Any) -> bool:
    """Return whether `d` may be put into ``source`` and ``extra``.

    Parameters
    ----------
    d : Any
        A dict, as a rule.

    Returns
    -------
    bool
        False for what is no JSON-like data, such as bytes, sets and dates.

    Examples
    --------
    >>> is_serializable({"spacing": (1, 2.5)}), is_serializable({"raw": b"x"})
    (True, False)
    """
    try:
        _core.metadata_check_field("extra", "data", {"": d})
    except (TypeError, ValueError):
        return False
    return True


def validate_and_cast_axis_labels(
    value: Any, label: str, ndims: int | None = None
) -> tuple[list[str] | None, int, int]:
    """Check labels of axes and count them by their role.

    Parameters
    ----------
    value : sequence of str, optional
        A label for each axis.
    label : str
        What errors call them.
    ndims : int, optional
        How many there must be.

    Returns
    -------
    labels : list of str or None
        As plain text.
    spatial, non_spatial : int
        How many axes of either kind; 0 and 0 for None.

    Raises
    ------
    TypeError
        If `value` is no sequence of texts.
    ValueError
        If there are not `ndims`.

    Examples
    --------
    >>> validate_and_cast_axis_labels((AxisLabel.channel, "spatial_x"), "axis_labels", 2)
    (['channel', 'spatial_x'], 1, 1)
    """
    if value is None:
        return None, 0, 0
    try:
        labels = MetaSpatial(axis_labels=value).axis_labels or []
        spatial = {"axis_labels": labels}
        _core.metadata_check({"spatial": spatial}, -1 if ndims is None else ndims)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("spatial.axis_labels", label)) from None
    count = _core.Metadata({"spatial": spatial}).spatial_ndim() or 0
    return labels, count, len(labels) - count
