"""Metadata of any content, through both encodings, edits, and the reference."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from making import Place, Rng, Story, chance, one_of

from mlarray import Meta, MLArray, MLArrayError

UNIT = "trees"
NEW, OLD = "mlarray-0.0.54", "mlarray-0.0.33"
LABELS = ["spatial", "spatial_x", "spatial_y", "spatial_z", "channel", "temporal", "my axis"]


def check(rng: Rng, place: Place) -> int:
    """One image, saved, edited, and read by the reference."""
    story = Story()
    ndim = int(rng.integers(1, 5))
    voxels = np.arange(2**ndim, dtype="i2").reshape((2,) * ndim)
    legacy = chance(rng, 0.4)
    shared = chance(rng, 0.4)  # what the reference is asked for must be what JSON holds
    meta = _meta(rng, ndim, legacy=legacy, shared=shared)
    story.say(f"meta = Meta(**{meta!r})")
    image = MLArray(voxels, meta=Meta(**meta))
    before = _sections(image)
    _same(story, "Meta", before, _sections(MLArray(voxels, meta=Meta.from_mapping(
        image.meta.to_mapping()))))  # fmt: skip
    path = place.file("case.mla")
    story.say(f"MLArray(np.zeros({voxels.shape}, 'i2'), meta=meta).save('case.mla'"
              f"{', metadata_format=' + repr('legacy') if legacy else ''})")  # fmt: skip
    try:
        image.save(path, metadata_format="legacy" if legacy else "current")
    except MLArrayError as error:
        if not legacy:
            story.fail("refused", f"{type(error).__name__}: {error}")
        return 1
    expected = _in_legacy(before, ndim) if legacy else before
    with MLArray.open(path) as opened:
        _same(story, "legacy" if legacy else "current", _sections(opened), expected)
    count = 2
    if shared:
        count += _read_by_reference(place, path, legacy, story)
    if chance(rng, 0.5):
        count += _edited(rng, path, expected, story)
    return count


# --- trees --------------------------------------------------------------------------------


def _number(rng: Rng, shared: bool) -> Any:
    kind = rng.random()
    if kind < 0.4:
        return int(rng.integers(-(2**63), 2**63)) >> int(rng.integers(0, 64))
    if kind < 0.5:
        edges = [0, -1, 127, 128, 255, 256, 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63)]
        edges += [2**63, 2**64 - 1] + ([] if shared else [2**64, -(2**63) - 1, 2**200])
        return one_of(rng, edges)
    if kind < 0.9:
        return float(rng.normal() * 10.0 ** rng.integers(-300, 300))
    return one_of(
        rng, [0.0, -0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]
    )


def _text(rng: Rng, shared: bool) -> str:
    letters = ["a", "Z", "é", "β", "漢", "\U0001f9e0", " ", "\n", "\0", "'", '"', "\\"]
    if not shared:
        letters.append("\ud800")
    length = int(one_of(rng, [0, 1, 3, 31, 32, 255, 256, 70000])) if chance(rng, 0.2) else 5
    if length > 1000 and chance(rng, 0.9):
        length = 33
    return "".join(one_of(rng, letters) for _ in range(length))


def _value(rng: Rng, depth: int, shared: bool) -> Any:
    kind = rng.random()
    if depth > 0 and kind < 0.5:
        count = int(rng.integers(0, 5)) if chance(rng, 0.97) else int(rng.integers(15, 40))
        if kind < 0.2:
            return [_value(rng, depth - 1, shared) for _ in range(count)]
        if kind < 0.28 and not shared:
            return tuple(_value(rng, depth - 1, shared) for _ in range(count))
        if kind < 0.32:
            return ["__tuple__", *(_value(rng, depth - 1, shared) for _ in range(count % 3))]
        return _mapping(rng, depth - 1, shared, count)
    if kind < 0.6:
        return one_of(rng, [None, True, False])
    return _number(rng, shared) if kind < 0.85 else _text(rng, shared)


def _mapping(rng: Rng, depth: int, shared: bool, count: int) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for _ in range(count):
        key: Any = _text(rng, shared)
        if not shared and chance(rng, 0.1):
            key = one_of(rng, [1, -7, 2.5, None, True, 2**70])
        found[key] = _value(rng, depth, shared)
    return found


def _meta(rng: Rng, ndim: int, *, legacy: bool, shared: bool) -> dict[str, Any]:
    """Arguments of `Meta`."""
    sections: dict[str, Any] = {}
    for name in ("source", "extra"):
        if chance(rng, 0.7):
            sections[name] = _mapping(rng, 3, shared, int(rng.integers(0, 5)))
    if legacy and shared and chance(rng, 0.5):
        sections.pop("source", None)
    space, spatial = ndim, {}
    if chance(rng, 0.5):
        labels = [one_of(rng, LABELS if chance(rng, 0.4) else LABELS[:1]) for _ in range(ndim)]
        spatial["axis_labels"] = labels
        space = sum(label.startswith("spatial") for label in labels)
    if chance(rng, 0.3) and space:
        affine = rng.normal(size=(space + 1, space + 1))
        affine[-1] = [0] * space + [1]
        spatial["affine"] = affine.tolist()
    elif space:
        for name in ("spacing", "origin"):
            if chance(rng, 0.6):
                spatial[name] = [one_of(rng, [0.5, 3, 1e-9, -7.25]) for _ in range(space)]
        if chance(rng, 0.5):
            spatial["direction"] = rng.normal(size=(space, space)).tolist()
    if chance(rng, 0.3):
        spatial["axis_units"] = [one_of(rng, ["mm", "um", "unknown"]) for _ in range(ndim)]
    if chance(rng, 0.3):
        spatial["coord_system"] = one_of(rng, ["RAS", "LPS+", "scanner β"])
    if spatial:
        sections["spatial"] = spatial
    if chance(rng, 0.4):
        names = ["min", "max", "mean", "median", "std", "percentile_min", "percentile_max_key"]
        sections["stats"] = {n: _number(rng, shared) for n in names if chance(rng, 0.5)}
    if chance(rng, 0.4):
        boxes = np.sort(rng.integers(-5, 99, (int(rng.integers(1, 4)), ndim, 2)), axis=-1)
        box: dict[str, Any] = {"bboxes": boxes.tolist()}
        if chance(rng, 0.5):
            box["scores"] = rng.random(len(boxes)).tolist()
            box["labels"] = [one_of(rng, [1, "tumour", "β"]) for _ in boxes]
        sections["bbox"] = box
    if chance(rng, 0.3):
        sections["is_seg"] = chance(rng, 0.5)
    return sections


# --- comparing ----------------------------------------------------------------------------


def _sections(image: MLArray) -> dict[str, Any]:
    """What a user has set."""
    mapping = image.meta.to_mapping()
    names = ("source", "extra", "spatial", "stats", "bbox", "is_seg")
    found = {name: mapping[name] for name in names}
    spatial = found["spatial"]
    for name in [n for n in spatial if n.startswith("_") or n == "shape"]:
        del spatial[name]
    return found


def _in_legacy(sections: dict[str, Any], ndim: int) -> dict[str, Any]:
    """What docs/metadata.md says that the older generation keeps."""
    spatial = dict(sections["spatial"])
    affine = spatial.pop("affine", None)
    if affine is not None:
        matrix = np.array(affine)[:-1, :-1]
        spatial["spacing"] = np.linalg.norm(matrix, axis=0).tolist()
        spatial["origin"] = [row[-1] for row in affine[:-1]]
        spatial["direction"] = (matrix / np.linalg.norm(matrix, axis=0)).tolist()
    spatial["affine"] = None
    labels = spatial.get("axis_labels")
    if labels is not None:
        others = [i for i, label in enumerate(labels) if not label.startswith("spatial")]
        spatial["axis_labels"] = [
            "channel" if i in others else "spatial" for i in range(ndim)
        ] if others else None  # fmt: skip
    spatial["axis_units"] = spatial["coord_system"] = None
    return {**sections, "spatial": spatial}


def _same(story: Story, what: str, found: Any, expected: Any) -> None:
    where = _unlike(found, expected, "meta")
    if where is not None:
        story.fail(f"{what}: other metadata", where)


def _unlike(found: Any, expected: Any, at: str) -> str | None:
    """Where two trees differ in value, type or order; floats of affines to the last digits."""
    if isinstance(expected, dict) and isinstance(found, dict):
        mine = [(type(key), key) for key in expected]
        if ".spatial" not in at and mine != [(type(key), key) for key in found]:
            return f"{at} has keys {list(found)}, not {list(expected)}"
        for key, value in expected.items():
            if (where := _unlike(found.get(key), value, f"{at}.{key}")) is not None:
                return where
        return None
    if type(found) is type(expected) and isinstance(expected, list | tuple):
        if len(found) != len(expected):
            return f"{at} is {found!r}, not {expected!r}"
        for i, (a, b) in enumerate(zip(found, expected)):
            if (where := _unlike(a, b, f"{at}[{i}]")) is not None:
                return where
        return None
    if type(found) is type(expected) is float:
        if at.startswith("meta.spatial") and math.isclose(found, expected, rel_tol=1e-12):
            return None
        if math.copysign(1, found) != math.copysign(1, expected) and found == found:
            return f"{at} is {found!r}, not {expected!r}"
        if found == expected or (found != found and expected != expected):
            return None
    elif type(found) is type(expected) and found == expected:
        return None
    return f"{at} is {found!r}, not {expected!r}"


def _edited(rng: Rng, path: Any, expected: dict[str, Any], story: Story) -> int:
    """An edit changes what it is about, and nothing else."""
    value = _value(rng, 2, False)
    story.say(f"with MLArray.open('case.mla', mmap='r+') as image: "
              f"image.meta.extra['edited'] = {value!r}")  # fmt: skip
    with MLArray.open(path, mmap="r+") as image:
        image.meta.extra["edited"] = value
        wanted = _sections(image)
    kept = {**wanted, "extra": expected["extra"]}
    _same(story, "before the edit is saved", kept, expected)
    with MLArray.open(path) as image:
        _same(story, "after an edit", _sections(image), wanted)
    return 1


# --- the reference ------------------------------------------------------------------------


def _read_by_reference(place: Place, path: Any, legacy: bool, story: Story) -> int:
    """What 0.0.54, or 0.0.33, reads, which comes here as JSON."""
    with MLArray.open(path) as image:
        mapping = image.meta.to_mapping()
    spatial, bbox = mapping["spatial"], mapping["bbox"]
    peer = place.peer(OLD if legacy else NEW)
    story.say(f"{peer.name} reads it")
    try:
        theirs = peer.do("reference_metadata", path=path, mapped=True)
    except AssertionError as error:
        last = str(error).strip().splitlines()[-1]
        story.fail(f"{peer.name} cannot read it: {last[:60]}", str(error)[-900:])
    pairs = {"extra": "extra", "stats": "stats", "is_seg": "is_seg",
             "original" if legacy else "source": "source"}  # fmt: skip
    for name, ours in pairs.items():
        # A section of one value may be that value.
        mine, other = (_unwrapped(tree) for tree in (mapping[ours], theirs[name]))
        _same(story, f"{peer.name} reads {ours}", _as_json(other), _as_json(mine))
    names = ["spacing", "origin", "direction"]
    for name in names if legacy else [*names, "affine", "axis_labels", "axis_units"]:
        _same(story, f"{peer.name} reads spatial.{name}", _as_json(theirs["spatial"][name]),
              _as_json(spatial[name]))  # fmt: skip
    _same(story, f"{peer.name} reads bbox", _as_json(theirs["bbox"]["bboxes"]),
          _as_json(bbox["bboxes"]))  # fmt: skip
    return 1


def _unwrapped(tree: Any) -> Any:
    if isinstance(tree, dict) and len(tree) == 1 and next(iter(tree)) in ("data", "is_seg"):
        return next(iter(tree.values()))
    return tree


def _as_json(tree: Any) -> Any:
    found = json.loads(json.dumps(tree))
    return {} if found is None else found
