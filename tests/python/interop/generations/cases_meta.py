"""The cases of the metadata classes; see cases.py."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any

import numpy as np
from cases import (
    AFFINE,
    BOXES,
    DATA,
    LABELS,
    NEWER,
    OLDER,
    TURN,
    Context,
    Steps,
    assigned,
    case,
)

CLASSES = {
    "MetaSpatial": {"spacing": [1, 2], "origin": [3, 4]},
    "MetaStatistics": {"min": -1.5, "percentile_min_key": 0.5},
    "MetaBbox": {"bboxes": BOXES, "scores": [0.5, 0.25], "labels": ["a", 1]},
}
SINGLE: dict[str, tuple[str, Any]] = {
    "MetaExtra": ("data", DATA),
    "MetaIsSeg": ("is_seg", True),
    "MetaHasArray": ("has_array", True),
    "MetaImageFormat": ("image_meta_format", "nifti"),
    "MetaVersion": ("mlarray_version", "v0"),
}


def source_class(c: Context) -> Any:
    """The class of the section ``source`` or ``original``."""
    return getattr(c.package, "MetaOriginal", None) or c.package.MetaSource


@case("BaseMeta")
def sections(c: Context) -> Steps:
    for name, values in CLASSES.items():
        cls = getattr(c.package, name)
        one = cls(**values)
        fields = list(cls().to_mapping())
        yield (
            f"{name}: by name",
            lambda one=one, values=values: [getattr(one, k) for k in values],
        )
        yield f"{name}: mapping", lambda one=one: _known(one.to_mapping())
        yield f"{name}: set alone", lambda one=one: one.to_mapping(include_none=False)
        yield f"{name}: plain", lambda one=one: one.to_plain()
        yield (
            f"{name}: back",
            lambda cls=cls, one=one: cls.from_mapping(one.to_mapping()) == one,
        )
        yield (
            f"{name}: default",
            lambda cls=cls, one=one: [cls().is_default(), one.is_default()],
        )
        yield (
            f"{name}: ensure",
            lambda cls=cls, values=values, one=one: [
                cls.ensure(None).is_default(),
                cls.ensure(values) == one,
                cls.ensure(one) is one,
            ],
        )
        other = cls()
        other.copy_from(one)
        yield f"{name}: copied", lambda other=other, one=one: other == one
        yield f"{name}: reset", lambda other=other: [other.reset(), other.is_default()]
        yield f"{name}: unknown key", lambda cls=cls: cls.from_mapping({"no such": 1})
        yield f"{name}: unknown argument", lambda cls=cls: cls(no_such=1)
        yield f"{name}: no mapping", lambda cls=cls: cls.from_mapping([1])
        yield f"{name}: ensure a number", lambda cls=cls: cls.ensure(5)
        yield f"{name}: of another class", lambda cls=cls: cls().copy_from(c.Meta())
        yield f"{name}: twin", lambda one=one: [copy.deepcopy(one) == one]
        yield f"{name}: pickled", lambda one=one: [pickle.loads(pickle.dumps(one)) == one]
        yield (
            f"{name}: known fields",
            lambda fields=fields, values=values: set(values) <= set(fields),
        )


@case("BaseMeta", "SingleKeyBaseMeta")
def kinds(c: Context) -> Steps:
    module = importlib.import_module("mlarray.meta")
    for name in ("Meta", *CLASSES, *SINGLE):
        yield (
            name,
            lambda name=name: [
                issubclass(getattr(c.package, name), module.BaseMeta),
                issubclass(getattr(c.package, name), module.SingleKeyBaseMeta),
            ],
        )


def _known(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value is not None}


@case("BaseMeta.copy_from")
def copy_from(c: Context) -> Steps:
    mine = c.package.MetaSpatial(spacing=[1, 2])
    other = c.package.MetaSpatial(spacing=[3, 4], origin=[5, 6])
    mine.copy_from(other)
    yield "fills", lambda: [mine.spacing, mine.origin]
    mine.copy_from(other, overwrite=True)
    yield "overwrites", lambda: [mine.spacing, mine.origin]
    mine.spacing[0] = 9
    yield "shares nothing", lambda: other.spacing
    meta = c.Meta(extra={"a": 1})
    meta.copy_from(c.Meta(extra={"b": 2}, is_seg=True))
    yield "of everything", lambda: [meta.extra.data, meta.is_seg.is_seg]
    meta.copy_from(c.Meta(extra={"b": 2}), overwrite=True)
    yield "over everything", lambda: [meta.extra.data, meta.is_seg.is_seg]


@case(
    *("SingleKeyBaseMeta", "MetaExtra", "MetaIsSeg"),
    *("MetaHasArray", "MetaImageFormat", "MetaVersion"),
)
def single_sections(c: Context) -> Steps:
    for name, (field, value) in SINGLE.items():
        cls = getattr(c.package, name)
        one = cls(value)
        yield f"{name}: value", lambda one=one, field=field: [one.value, getattr(one, field)]
        yield f"{name}: mapping", lambda one=one: one.to_mapping()
        yield f"{name}: plain", lambda one=one: one.to_plain()
        yield f"{name}: of the value", lambda cls=cls, value=value: cls.ensure(value) == value
        yield (
            f"{name}: of a mapping",
            lambda cls=cls, value=value, field=field: cls.from_mapping({field: value}) == value,
        )
        yield f"{name}: default", lambda cls=cls: [cls().value, cls().is_default()]
        yield f"{name}: truth", lambda cls=cls, one=one: [bool(cls()), bool(one)]
        yield f"{name}: wrong", lambda cls=cls: cls(object())
    extra = c.package.MetaExtra({"a": 1})
    extra["b"] = [2]
    yield "dict: items", lambda: [extra["b"], len(extra), "a" in extra, sorted(extra)]
    yield "dict: equal", lambda: [extra == {"a": 1, "b": [2]}, extra != {}]
    yield "dict: missing", lambda: extra["c"]
    yield "dict: set", lambda: [extra.set({"c": 3}), extra.value]
    yield "dict: value set", lambda: assigned(extra, "value", {"d": 4})
    yield "dict: data", lambda: assigned(extra, "data", {"e": 5})
    yield "dict: no JSON", lambda: assigned(extra, "data", {"e": {1}})
    yield "dict: no dict", lambda: assigned(extra, "data", [1])
    yield "dict: as it was", lambda: extra.data
    given = {"a": 1}
    section = c.package.MetaExtra(given)
    given["a"] = 2
    yield "dict: not shared", lambda: section["a"]
    seg = c.package.MetaIsSeg(True)
    yield "flag: equal", lambda: [seg == True, seg.value]  # noqa: E712
    yield "flag: set", lambda: [seg.set(False), bool(seg)]
    yield "flag: wrong", lambda: seg.set("yes")


@case("Meta")
def meta(c: Context) -> Steps:
    one = c.Meta(extra=DATA, is_seg=True, spatial={"spacing": [1, 2]}, stats={"min": 1})
    yield "sections", lambda: [one.extra.data, one.is_seg.is_seg, one.spatial.spacing]
    yield "plain", lambda: one.to_plain()
    yield "plain with none", lambda: _known(one.to_plain(include_none=True))
    yield "mapping", lambda: [sorted(_known(v)) for _, v in sorted(one.to_mapping().items())]
    yield "back", lambda: c.Meta.from_mapping(one.to_mapping()) == one
    yield "default", lambda: c.Meta().is_default()
    yield "ensure", lambda: [c.Meta.ensure(one) is one, c.Meta.ensure(None).is_default()]
    yield "twin", lambda: copy.deepcopy(one) == one
    one.stats = {"max": 2}
    yield "section of a dict", lambda: one.stats.max
    one.is_seg = False
    yield "section of a value", lambda: one.is_seg.is_seg
    one.spatial.spacing = [4, 5]
    yield "field", lambda: one.spatial.spacing
    yield "unknown section", lambda: c.Meta.from_mapping({"no such": 1})
    yield "unknown argument", lambda: c.Meta(no_such=1)
    yield "unknown attribute", lambda: assigned(one, "no_such", 1)
    yield "no mapping", lambda: c.Meta.from_mapping([1])
    yield "wrong section", lambda: c.Meta(stats=5).to_plain()
    yield "wrong field", lambda: c.Meta(stats={"min": "low"}).to_plain()
    yield "reset", lambda: [one.reset(), one.is_default()]


@case("Meta", "MetaOriginal", only=OLDER)
def meta_older(c: Context) -> Steps:
    one = c.Meta(original={"a": 1})
    one.original["b"] = 1
    yield "original", lambda: one.original.data
    yield "by position", lambda: c.Meta({"a": 1}, {"b": 2}).to_plain()
    yield "_blosc2", lambda: one._blosc2.chunk_size
    yield "MetaOriginal", lambda: c.package.MetaOriginal({"a": 1})["a"]
    yield (
        "as a section",
        lambda: c.Meta(original=c.package.MetaOriginal({"a": 1})).original["a"],
    )
    yield "read", lambda: c.MLArray(c.saved(meta={"a": 1})).meta.original["a"]


@case(
    *("Meta", "MetaSource", "Meta.set_source", "Meta.set_extra", "Meta.set_spatial"),
    *("Meta.set_stats", "Meta.set_bbox", "Meta.set_is_seg"),
    *("Meta.update_source", "Meta.update_extra", "Meta.add_bbox"),
    only=NEWER,
)
def meta_newer(c: Context) -> Steps:
    one = c.Meta(source={"a": 1})
    yield "by position", lambda: c.Meta({"a": 1}, {"b": 2}).to_plain()
    yield "chain", lambda: one.set_source({"b": 2}).set_extra({"c": 3}).set_is_seg(True) is one
    yield "set", lambda: [one.source.data, one.extra.data, one.is_seg.is_seg]
    one.set_spatial({"spacing": [1, 2]}).set_stats({"min": 1}).set_bbox({"bboxes": BOXES})
    yield "set sections", lambda: [one.spatial.spacing, one.stats.min, one.bbox.bboxes]
    yield "boxes", lambda: one.set_bbox(BOXES).bbox.bboxes
    yield "update", lambda: [one.update_source({"d": 4}) is one, one.source.data]
    yield "update extra", lambda: one.update_extra({"c": 5}).extra.data
    boxes = c.Meta()
    boxes.add_bbox(BOXES[0], 0.5, "a").add_bbox(BOXES[1], score=0.25, label=1)
    yield "add_bbox", lambda: boxes.bbox.to_plain()
    yield "add_bbox without score", lambda: boxes.add_bbox(BOXES[0])
    yield "add_bbox after it", lambda: len(boxes.bbox.bboxes)
    yield "set_stats wrong", lambda: one.set_stats({"min": "low"})
    yield "update_source wrong", lambda: one.update_source({"a": {1}})
    for name in ("blosc2", "_has_array", "_image_meta_format", "_mlarray_version"):
        yield f"{name} is managed", lambda name=name: setattr(one, name, None)
    yield "shape is managed", lambda: setattr(one.spatial, "shape", [1])
    yield "counts are managed", lambda: setattr(one.spatial, "_num_spatial_axes", 1)
    image = c.MLArray(c.voxels(3, 6, 7), axis_labels=LABELS)
    image.save(c.path())
    back = c.MLArray(c.path())
    yield "shape", lambda: back.meta.spatial.shape
    yield (
        "counts",
        lambda: [
            back.meta.spatial._num_spatial_axes,
            back.meta.spatial._num_non_spatial_axes,
        ],
    )
    yield "shape in place", lambda: back.meta.spatial.shape.append(3)
    yield "chunks in place", lambda: back.meta.blosc2.chunk_size.__setitem__(0, 3)
    yield "read", lambda: c.MLArray(c.saved(meta={"a": 1})).meta.source["a"]


@case("MetaOriginal", only=OLDER)
@case("MetaSource", only=NEWER)
def source(c: Context) -> Steps:
    cls = source_class(c)
    yield "data", lambda: cls(DATA).data
    yield "no JSON", lambda: cls({"a": b"x"})
    yield "not a dict", lambda: cls([1, 2])
    yield "plain", lambda: cls({"a": 1}).to_plain()


@case("MetaSpatial")
def spatial(c: Context) -> Steps:
    cls = c.package.MetaSpatial
    one = cls([1, 2], (3, 4), np.eye(2))
    yield "by position", lambda: [one.spacing, one.origin, one.direction]
    yield "None", lambda: assigned(one, "spacing", None)
    for name, (field, wrong) in {
        "text": ("spacing", "abc"),
        "texts": ("spacing", ["a"]),
        "number": ("spacing", 5),
        "matrix of texts": ("direction", [["a"]]),
        "flat matrix": ("direction", [1, 2]),
    }.items():
        yield name, lambda field=field, wrong=wrong: cls(**{field: wrong})


@case("MetaSpatial", only=OLDER)
def spatial_older(c: Context) -> Steps:
    cls = c.package.MetaSpatial
    one = cls([1, 2], None, None, [3, 6, 7], 0)
    yield "by position", lambda: [one.spacing, one.shape, one.channel_axis]
    yield "by name", lambda: cls(shape=[3, 6], channel_axis=1).channel_axis
    yield "back", lambda: cls.from_mapping(one.to_mapping()).channel_axis


@case(
    *("MetaSpatial", "MetaSpatial.AxisLabel", "MetaSpatial.CoordSystem"),
    *("AxisLabel", "CoordSystem", "meta.AxisLabelEnum", "meta.CoordSystemEnum"),
    "meta.validate_and_cast_axis_labels",
    only=NEWER,
)
def spatial_newer(c: Context) -> Steps:
    import mlarray.meta as module

    cls = c.package.MetaSpatial
    one = cls(affine=AFFINE, coord_system="LPS", axis_units=["mm"] * 3)
    yield "fields", lambda: [one.affine, one.coord_system, one.axis_units]
    yield "by position", lambda: cls(None, None, None, AFFINE).affine
    yield "enum", lambda: cls(axis_labels=[cls.AxisLabel.channel, "spatial_x"]).axis_labels
    yield "any label", lambda: cls(axis_labels=["my own", "spatial"]).axis_labels
    yield "coordinates", lambda: cls(coord_system=cls.CoordSystem.RAS_PLUS).coord_system
    yield "any coordinates", lambda: cls(coord_system="my own").coord_system
    for name, wrong in {
        "affine and spacing": {"affine": AFFINE, "spacing": [1, 1, 1]},
        "affine not square": {"affine": [[1, 0]]},
        "label no text": {"axis_labels": [1]},
        "labels a text": {"axis_labels": "spatial"},
        "coordinates no text": {"coord_system": 5},
    }.items():
        yield name, lambda wrong=wrong: cls(**wrong)
    yield "affine beside spacing", lambda: assigned(cls(spacing=[1, 1, 1]), "affine", AFFINE)
    yield "AxisLabelEnum", lambda: [label.value for label in module.AxisLabelEnum]
    yield "CoordSystemEnum", lambda: [system.value for system in module.CoordSystemEnum]
    yield (
        "the class's enums",
        lambda: [
            cls.AxisLabel is module.AxisLabelEnum,
            cls.CoordSystem is module.CoordSystemEnum,
        ],
    )
    yield "AxisLabel", lambda: isinstance(module.AxisLabelEnum.channel, c.package.AxisLabel)
    yield "CoordSystem", lambda: isinstance(module.CoordSystemEnum.RAS, c.package.CoordSystem)
    for name, arguments in {
        "labels": (LABELS, "labels", 3),
        "enums": ([module.AxisLabelEnum.channel, "spatial"], "labels"),
        "None": (None, "labels", 3),
        "too few": (LABELS, "labels", 4),
        "numbers": ([1, 2], "labels"),
        "text": ("spatial", "labels"),
    }.items():
        yield (
            f"validate: {name}",
            lambda arguments=arguments: module.validate_and_cast_axis_labels(*arguments),
        )
    for name, units in {"units": ["mm", "mm", "s"], "units too few": ["mm"]}.items():
        yield (
            name,
            lambda units=units: (
                c.MLArray(
                    c.voxels(4, 5, 6), meta=c.Meta(spatial={"axis_units": units})
                ).meta.spatial.axis_units
            ),
        )


@case("MetaStatistics")
def statistics(c: Context) -> Steps:
    cls = c.package.MetaStatistics
    one = cls(1, 2.5, 3)
    yield "by position", lambda: one.to_plain()
    yield "fields", lambda: sorted(cls().to_mapping())
    yield "np.float64", lambda: float(assigned(one, "mean", np.float64(2)))
    yield "np.float32", lambda: float(assigned(one, "mean", np.float32(2)))
    yield "text", lambda: assigned(one, "mean", "low")
    yield "left as it was", lambda: one.mean
    image = c.MLArray(c.voxels(4, 5), meta=c.Meta(stats=one))
    image.save(c.path())
    yield "saved", lambda: c.MLArray(c.path()).meta.stats.max


@case("MetaBbox")
def boxes(c: Context) -> Steps:
    cls = c.package.MetaBbox
    one = cls(BOXES, [0.5, 1], ["a", 2])
    yield "by position", lambda: one.to_plain()
    yield "arrays", lambda: cls(bboxes=np.array(BOXES)).bboxes
    yield "empty", lambda: cls(bboxes=[]).bboxes
    for name, wrong in {
        "scores too few": {"bboxes": BOXES, "scores": [1]},
        "labels too many": {"bboxes": BOXES, "labels": [1, 2, 3]},
        "no pair": {"bboxes": [[[1, 2, 3]]]},
        "no boxes": {"bboxes": 5},
        "texts": {"bboxes": [[["a", "b"]]]},
        "score a text": {"bboxes": BOXES, "scores": ["a", "b"]},
        "axes differ": {"bboxes": [[[0, 1]], [[0, 1], [0, 1]]]},
        "lower above upper": {"bboxes": [[[2, 1]]]},
    }.items():
        yield name, lambda wrong=wrong: cls(**wrong).to_plain()
    yield (
        "for other axes",
        lambda: c.MLArray(c.voxels(4, 5), meta=c.Meta(bbox={"bboxes": BOXES})).meta.bbox.bboxes,
    )
    image = c.MLArray(c.voxels(4, 5, 6), meta=c.Meta(bbox=one))
    image.save(c.path())
    yield "saved", lambda: c.MLArray(c.path()).meta.bbox.to_plain()


@case("MetaBlosc2")
def layout(c: Context) -> Steps:
    cls = c.package.MetaBlosc2
    yield "by position", lambda: cls([2, 2], [1, 1], [2, 2]).to_plain()
    yield "unset", lambda: cls().is_default()


@case("MetaBlosc2", only=NEWER)
def layout_newer(c: Context) -> Steps:
    blosc2 = c.MLArray(c.saved(chunk_size=(3, 4, 8), block_size=(1, 2, 4))).meta.blosc2
    yield "of a file", lambda: [blosc2.chunk_size, blosc2.block_size, blosc2.patch_size]
    yield "cparams", lambda: sorted(blosc2.cparams)
    yield "read-only", lambda: setattr(blosc2, "chunk_size", [1])


@case("MLArray.meta")
def kept_in_a_file(c: Context) -> Steps:
    given = c.Meta(
        extra=DATA,
        spatial={"spacing": [1, 2, 3], "origin": [4, 5, 6], "direction": TURN},
        stats={"min": 1, "std": 2.5},
        bbox={"bboxes": BOXES, "scores": [0.5, 0.25], "labels": ["a", "b"]},
        is_seg=False,
    )
    c.MLArray(c.voxels(9, 9, 9), meta=given).save(c.path())
    back = c.MLArray(c.path()).meta
    for section in ("extra", "spatial", "stats", "bbox", "is_seg", "_has_array"):
        yield section, lambda section=section: _known(getattr(back, section).to_mapping())
