"""The metadata of an image, as Python objects.

Fields, types and rules come from one table in the C++ core; docs/metadata.md shows it. The
annotations of the classes below are written by ``tools/generate_meta_fields.py`` from that
table; at run time the classes take their fields from it directly.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Generic, TypeVar, overload

from . import _core
from ._meta_base import BaseMeta, Field, SingleKeyBaseMeta, _refuse_managed

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
]


class AxisLabel(str, Enum):
    """Roles of axes. Any other text is allowed as a label and is not an axis of space."""

    spatial = "spatial"
    spatial_x = "spatial_x"
    spatial_y = "spatial_y"
    spatial_z = "spatial_z"
    non_spatial = "non_spatial"
    channel = "channel"
    temporal = "temporal"
    continuous = "continuous"
    components = "components"


class CoordSystem(str, Enum):
    """Conventions of world coordinates. Any other text is allowed as well."""

    RAS = "RAS"
    LPS = "LPS"
    RAS_PLUS = "RAS+"
    LPS_PLUS = "LPS+"
    unknown = "unknown"
    other = "other"


AxisLabelEnum = AxisLabel
CoordSystemEnum = CoordSystem


class MetaSource(SingleKeyBaseMeta, section="source"):
    """Metadata of the image's original file, a dict (``meta.original`` in older versions)."""

    # fields: source
    data: Field[dict[str, Any]]
    # end of fields


class MetaExtra(SingleKeyBaseMeta, section="extra"):
    """Anything else, a dict."""

    # fields: extra
    data: Field[dict[str, Any]]
    # end of fields


class MetaSpatial(BaseMeta, section="spatial"):
    """Where the voxels are, and what the axes mean."""

    AxisLabel = AxisLabel
    CoordSystem = CoordSystem

    # fields: spatial
    spacing: Field[list[float] | None]
    origin: Field[list[float] | None]
    direction: Field[list[list[float]] | None]
    affine: Field[list[list[float]] | None]
    shape: Field[list[int] | None]
    axis_labels: Field[list[str] | None]
    coord_system: Field[str | None]
    axis_units: Field[list[str] | None]
    _num_spatial_axes: Field[int | None]
    _num_non_spatial_axes: Field[int | None]
    # end of fields

    def __init__(self, *args: Any, channel_axis: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if channel_axis is not None:
            if self.axis_labels is not None:
                raise ValueError(
                    "spatial.channel_axis and spatial.axis_labels say the same; give only one"
                )
            self.channel_axis = channel_axis

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> MetaSpatial:
        """Make an instance of a dict, which may have the older key ``channel_axis``."""
        if isinstance(mapping, Mapping) and "channel_axis" in mapping:
            if mapping["channel_axis"] is not None:
                mapping = _core.Metadata.from_value({"spatial": mapping}).to_tree()["spatial"]
            mapping = {key: value for key, value in mapping.items() if key != "channel_axis"}
        return super().from_mapping(mapping)

    @property
    def channel_axis(self) -> int | None:
        """The only axis that is not spatial; None if there is none or more than one.

        The older way to say `axis_labels`: setting it labels that axis 'channel' and the
        others 'spatial'.

        Raises
        ------
        ValueError
            On setting, if the number of axes is not known, or it is not one of them.
        """
        return _core.channel_axis_of(self.axis_labels)

    @channel_axis.setter
    def channel_axis(self, value: int | None) -> None:
        if value is None:
            self.axis_labels = None
            return
        tree = {name: v for name, v in self._tree().items() if name != "axis_labels"}
        strict = _core.Metadata.from_value({"spatial": {**tree, "channel_axis": value}})
        self.axis_labels = strict.to_tree()["spatial"]["axis_labels"]


class MetaStatistics(BaseMeta, section="stats"):
    """Statistics of the voxel values; the library does not compute them."""

    # fields: stats
    min: Field[float | None]
    max: Field[float | None]
    mean: Field[float | None]
    median: Field[float | None]
    std: Field[float | None]
    percentile_min: Field[float | None]
    percentile_max: Field[float | None]
    percentile_mean: Field[float | None]
    percentile_median: Field[float | None]
    percentile_std: Field[float | None]
    percentile_min_key: Field[float | None]
    percentile_max_key: Field[float | None]
    # end of fields


class MetaBbox(BaseMeta, section="bbox"):
    """Boxes with scores and labels."""

    # fields: bbox
    bboxes: Field[list[list[list[float]]] | None]
    scores: Field[list[float] | None]
    labels: Field[list[str | float] | None]
    # end of fields


class MetaIsSeg(SingleKeyBaseMeta, section="is_seg"):
    """Whether the image is a segmentation; None: not known."""

    # fields: is_seg
    is_seg: Field[bool | None]
    # end of fields


class MetaBlosc2(BaseMeta, section="blosc2"):
    """How the voxels are stored; managed by `MLArray`."""

    # fields: blosc2
    chunk_size: Field[list[int] | None]
    block_size: Field[list[int] | None]
    patch_size: Field[list[int] | None]
    cparams: Field[dict[str, Any] | None]
    dparams: Field[dict[str, Any] | None]
    # end of fields


class MetaHasArray(SingleKeyBaseMeta, section="_has_array"):
    """Whether there are voxels; managed by `MLArray`."""

    # fields: _has_array
    has_array: Field[bool]
    # end of fields


class MetaImageFormat(SingleKeyBaseMeta, section="_image_meta_format"):
    """Name of the format that the source metadata is from; managed by `MLArray`."""

    # fields: _image_meta_format
    image_meta_format: Field[str | None]
    # end of fields


class MetaVersion(SingleKeyBaseMeta, section="_mlarray_version"):
    """Version of the metadata's layout; managed by `MLArray`."""

    # fields: _mlarray_version
    mlarray_version: Field[str | None]
    # end of fields


MetaOriginal = MetaSource

S = TypeVar("S", bound=BaseMeta)


class _Section(Generic[S]):
    """A section of `Meta`: reads as S, and takes whatever ``S.ensure`` does."""

    def __init__(self, cls: type[S]) -> None:
        self.cls = cls
        self.__doc__ = cls.__doc__

    @overload
    def __get__(self, meta: None, owner: type[Meta]) -> _Section[S]: ...
    @overload
    def __get__(self, meta: Meta, owner: type[Meta]) -> S: ...
    def __get__(self, meta: Meta | None, owner: type[Meta]) -> Any:
        return self if meta is None else meta._sections[self.cls._section]

    def __set__(self, meta: Meta, value: Any) -> None:
        if self.cls._section in _MANAGED:
            _refuse_managed(self.cls._section)
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


class Meta:
    """All metadata of an image.

    Sections: ``source`` (older name ``original``), ``extra``, ``spatial``, ``stats``,
    ``bbox``, ``is_seg``; managed by `MLArray`: ``blosc2`` (older name ``_blosc2``),
    ``_has_array``, ``_image_meta_format``, ``_mlarray_version``.

    Parameters
    ----------
    *args, **sections
        Instances of the sections' classes, or what they are made of. Dicts are copied.

    Examples
    --------
    >>> meta = Meta(source={"patient_id": "123"}, is_seg=True)
    >>> meta.source["study_id"] = "study-001"
    >>> print(meta.is_seg)
    True
    """

    source = original = _Section(MetaSource)
    extra = _Section(MetaExtra)
    spatial = _Section(MetaSpatial)
    stats = _Section(MetaStatistics)
    bbox = _Section(MetaBbox)
    is_seg = _Section(MetaIsSeg)
    blosc2 = _blosc2 = _Section(MetaBlosc2)
    _has_array = _Section(MetaHasArray)
    _image_meta_format = _Section(MetaImageFormat)
    _mlarray_version = _Section(MetaVersion)

    _sections: dict[str, BaseMeta]
    # Sections of a file that are unknown or no dicts: kept, and written back.
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
        object.__setattr__(
            self,
            "_sections",
            {name: cls.ensure(given.get(name)) for name, cls in _CLASSES.items()},
        )
        object.__setattr__(self, "_unknown", {})

    def _replace(self, name: str, section: BaseMeta) -> None:
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
            raise AttributeError(f"Meta has no section {name!r}; it has {', '.join(_CLASSES)}")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Meta):
            return self._sections == other._sections and self._unknown == other._unknown
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

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
            raise KeyError(f"Meta has no section {unknown[0]!r}; it has {', '.join(_CLASSES)}")
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

    def set_source(self, value: Any) -> Meta:
        """Replace ``source``; returns self."""
        self.source = value
        return self

    def set_extra(self, value: Any) -> Meta:
        """Replace ``extra``; returns self."""
        self.extra = value
        return self

    def set_spatial(self, value: Any) -> Meta:
        """Replace ``spatial``; returns self."""
        self.spatial = value
        return self

    def set_stats(self, value: Any) -> Meta:
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
        self.source.data.update(MetaSource(value).data)
        return self

    def update_extra(self, value: Mapping[str, Any]) -> Meta:
        """Add entries to ``extra``; returns self."""
        self.extra.data.update(MetaExtra(value).data)
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
