"""The cases of voxels and where they are; see cases.py."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import AFFINE, LABELS, NEWER, OLDER, TURN, Context, Steps, assigned, case


@case("MLArray.to_numpy", "MLArray.__array__")
def to_numpy(c: Context) -> Steps:
    array = c.voxels(4, 5, 6)
    images = {"memory": c.MLArray(array), "loaded": c.MLArray(c.saved("a.mla", 4, 5, 6))}
    images["open"] = c.MLArray.open(c.path())
    for name, image in images.items():
        yield f"{name}: to_numpy", lambda image=image: image.to_numpy()
        yield f"{name}: asarray", lambda image=image: np.asarray(image)
        yield f"{name}: asarray typed", lambda image=image: np.asarray(image, "f4")
        yield f"{name}: array", lambda image=image: _without_warnings(np.array, image)
        yield (
            f"{name}: array copy",
            lambda image=image: _without_warnings(np.array, image, copy=True),
        )
        yield f"{name}: sum", lambda image=image: int(np.sum(np.asarray(image)))
    yield "nothing", lambda: c.MLArray().to_numpy()


def _without_warnings(function: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = function(*arguments, **how)
    return [result, [entry.category.__name__ for entry in seen]]


KEYS: dict[str, Any] = {
    "int": 2,
    "negative int": -1,
    "ints": (1, 2, 3),
    "slice": slice(1, 3),
    "slices": (slice(1, 3), slice(None), slice(2, -1)),
    "step": (slice(None, None, 2), 0),
    "backwards": (0, slice(None, None, -1)),
    "beyond": slice(2, 99),
    "ellipsis": (..., 1),
    "newaxis": (None, 0),
    "list": [0, 2],
    "array": np.array([3, 1]),
    "two lists": ([0, 1], [2, 3]),
    "mask of an axis": np.array([True, False, True, False]),
    "nothing": slice(2, 2),
    "out of range": 9,
    "too many": (0, 0, 0, 0),
}


@case("MLArray.__getitem__", "MLArray.__setitem__", "MLArray.__iter__", "MLArray.__len__")
def indexing(c: Context) -> Steps:
    path = c.saved("a.mla", 4, 5, 6)
    for kind, image in {
        "memory": c.MLArray(c.voxels(4, 5, 6)),
        "open": c.MLArray.open(path),
    }.items():
        for name, key in KEYS.items():
            yield f"{kind}: {name}", lambda image=image, key=key: image[key]
        yield f"{kind}: mask", lambda image=image: image[c.voxels(4, 5, 6) > 60]
        yield f"{kind}: len", lambda image=image: len(image)
        yield f"{kind}: iter", lambda image=image: list(image)
    for name in ("int", "slice", "slices", "ints", "step", "list", "out of range"):
        image = c.MLArray(c.voxels(4, 5, 6))
        yield f"assign {name}", lambda image=image, name=name: _assigned(image, KEYS[name])
    image = c.MLArray.open(path, **_editing(c))
    yield "assign in the file", lambda: _assigned(image, (slice(1, 3), 2))
    yield "assign an array", lambda: _assigned(image, slice(0, 2), c.voxels(5, 6))
    yield "assign what does not fit", lambda: _assigned(image, slice(0, 2), c.voxels(4, 6))
    image.close()
    yield "the file", lambda: c.MLArray(path)[...]
    yield "len of nothing", lambda: len(c.MLArray())
    yield "index of nothing", lambda: c.MLArray()[0]
    yield "iter of nothing", lambda: list(c.MLArray())


def _editing(c: Context) -> dict[str, Any]:
    parameters = inspect.signature(c.MLArray.open).parameters
    return {"mmap_mode" if "mmap_mode" in parameters else "mmap": "r+"}


def _assigned(image: Any, key: Any, value: Any = 7) -> Any:
    image[key] = value
    return image[...]


@case("MLArray.shape", "MLArray.dtype", "MLArray.ndim")
def facts(c: Context) -> Steps:
    for name, image in {
        "loaded": c.MLArray(c.saved()),
        "open": c.MLArray.open(c.saved()),
        "memory": c.MLArray(c.voxels(6, 7)),
        "nothing": c.MLArray(),
    }.items():
        yield name, lambda image=image: [image.shape, image.dtype, image.ndim]
    c.MLArray(spacing=(1, 2)).save(c.path("n.mla"))
    only = c.MLArray(c.path("n.mla"))
    yield "metadata only", lambda: [only.shape, only.dtype, only.ndim, only.spacing]


@case("MLArray.meta")
def meta_of_an_image(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7))
    yield "a Meta", lambda: isinstance(image.meta, c.Meta)
    image.meta.extra["a"] = 1
    yield "edited", lambda: image.meta.extra["a"]
    yield "assigned", lambda: assigned(image, "meta", c.Meta(is_seg=True)).is_seg.is_seg


@case("MLArray.spacing", "MLArray.origin", "MLArray.direction")
def vectors_read(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8), (1, 2, 3), np.array([1.5, 2, 3]), TURN)
    yield "given", lambda: [image.spacing, image.origin, image.direction]
    image.spacing[0] = 5
    yield "in place", lambda: [image.spacing, image.affine]
    image.meta.spatial.origin = [7, 8, 9]
    yield "set in meta", lambda: image.origin
    yield "unset", lambda: c.MLArray(c.voxels(6, 7)).spacing
    image.spacing[0] = "bad"
    yield "bad in place, saved", lambda: image.save(c.path())


@case("MLArray.spacing", "MLArray.origin", "MLArray.direction", only=NEWER)
def vectors(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8))
    yield "unset", lambda: [image.spacing, image.origin, image.direction]
    yield "spacing", lambda: assigned(image, "spacing", (1, 2, 3))
    yield "origin", lambda: assigned(image, "origin", np.array([1.5, 2, 3]))
    yield "direction", lambda: assigned(image, "direction", TURN)
    image.spacing[0] = 5
    yield "in place", lambda: image.spacing
    yield "affine", lambda: image.affine
    for name, (field, wrong) in {
        "too short": ("spacing", (1, 2)),
        "text": ("spacing", "abc"),
        "texts": ("origin", ["a", "b", "c"]),
        "no matrix": ("direction", [1, 2, 3]),
        "too small": ("direction", [[1, 0], [0, 1]]),
    }.items():
        yield name, lambda field=field, wrong=wrong: assigned(image, field, wrong)
    yield "left as it was", lambda: [image.spacing, image.origin, image.direction]
    image.spacing[0] = "bad"
    yield "bad in place, saved", lambda: image.save(c.path())
    yield "unset again", lambda: assigned(image, "spacing", None)


@case(
    *("MLArray.affine", "MLArray.translation", "MLArray.scale"),
    *("MLArray.rotation", "MLArray.shear"),
)
def affines(c: Context) -> Steps:
    parts = ("affine", "translation", "scale", "rotation", "shear")
    images = {
        "plain": c.MLArray(c.voxels(6, 7, 8)),
        "3-D": c.MLArray(c.voxels(6, 7, 8), (1, 2, 3), (4, 5, 6), TURN),
        "2-D": c.MLArray(c.voxels(6, 7), (2, 3), (4, 5), [[0, -1], [1, 0]]),
    }
    for name, image in images.items():
        for part in parts:
            yield f"{name}: {part}", lambda image=image, part=part: getattr(image, part)
    yield "nothing", lambda: c.MLArray().affine


@case("MLArray.affine", "MLArray.spatial_ndim", only=NEWER)
def affines_newer(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8), affine=AFFINE)
    for part in ("affine", "translation", "scale", "rotation", "shear", "spacing", "origin"):
        yield part, lambda part=part: getattr(image, part)
    yield "spacing beside affine", lambda: assigned(image, "spacing", (1, 2, 3))
    yield "affine kept", lambda: image.affine
    yield "affine of wrong size", lambda: assigned(image, "affine", np.eye(3))
    yield "affine removed", lambda: assigned(image, "affine", None)
    yield "spacing then", lambda: assigned(image, "spacing", (1, 2, 3))
    yield "affine beside spacing", lambda: assigned(image, "affine", AFFINE)
    image = c.MLArray(c.voxels(3, 6, 7), spacing=(2, 3), axis_labels=LABELS)
    for part in ("affine", "translation", "scale", "rotation", "shear", "spatial_ndim"):
        yield f"with channels: {part}", lambda part=part: getattr(image, part)
    yield "spatial_ndim", lambda: c.MLArray(c.voxels(6, 7, 8)).spatial_ndim
    image = c.MLArray(c.voxels(6, 7, 8), affine=AFFINE)
    image.save(c.path())
    yield "saved", lambda: c.MLArray(c.path()).affine


@case("MLArray._spatial_ndim", only=OLDER)
def spatial_ndim_older(c: Context) -> Steps:
    path = c.saved("a.mla", 3, 6, 7, channel_axis=0)
    yield "channels", lambda: c.MLArray(path)._spatial_ndim
    yield "none", lambda: c.MLArray(c.saved("b.mla"))._spatial_ndim


SIZES: dict[str, Any] = {
    "3-D": ((100, 200, 300), (64, 64, 64)),
    "2-D": ((512, 512), (128, 128)),
    "flat": ((33, 257, 400), (20, 160, 160)),
}


@case("MLArray.comp_blosc2_params", only=OLDER)
def layouts_older(c: Context) -> Steps:
    compute = c.MLArray(c.voxels(2, 2)).comp_blosc2_params
    yield "channels", lambda: compute((2, 99, 99), (64, 64), 0)
    yield "channels last", lambda: compute((99, 99, 2), (64, 64), channel_axis=2)
    yield "bytes", lambda: compute((4, 155, 240, 240), (128, 128, 128), 0, 2)
    yield "caches", lambda: compute((3, 512, 512), (192, 192), 0, 1, 65536, 2000000, 0.5)
    for name, (size, patch) in SIZES.items():
        yield name, lambda size=size, patch=patch: compute(size, patch)
    yield "patch of wrong length", lambda: compute((9, 9), (4,), 0)


@case(
    "MLArray.comp_blosc2_params",
    "blosc2_layout_strategies.comp_blosc2_params_baseline",
    "blosc2_layout_strategies.comp_blosc2_params_generalized",
    "blosc2_layout_strategies.comp_blosc2_params_spatial_only",
    "blosc2_layout_strategies.comp_blosc2_params_spatial_only_magnitude",
    only=NEWER,
)
def layouts_newer(c: Context) -> Steps:
    import mlarray.blosc2_layout_strategies as strategies

    names = ("baseline", "generalized", "spatial_only", "spatial_only_magnitude")
    functions = {name: getattr(strategies, f"comp_blosc2_params_{name}") for name in names}
    functions["MLArray"] = c.MLArray.comp_blosc2_params
    mask = [False, True, True]
    for name, compute in functions.items():
        for kind, (size, patch) in SIZES.items():
            yield (
                f"{name}: {kind}",
                lambda compute=compute, size=size, patch=patch: compute(size, patch),
            )
        yield (
            f"{name}: mask",
            lambda compute=compute: compute((3, 512, 512), (192, 192), mask, 2),
        )
        yield (
            f"{name}: caches",
            lambda compute=compute: compute(
                (40, 512, 512), (16, 192, 192), None, 4, 65536, 2000000, 0.5
            ),
        )
    yield "4-D", lambda: c.MLArray.comp_blosc2_params((40, 50, 60, 70), (20, 20, 20, 20))
    yield "patch too short", lambda: c.MLArray.comp_blosc2_params((9, 9), (4,))
    yield "mask too short", lambda: c.MLArray.comp_blosc2_params((9, 9), (4,), [True])
    yield "baseline 4-D", lambda: functions["baseline"]((9, 9, 9, 9), (4, 4, 4, 4))


@case("MLArray.filepath", "MLArray.support_metadata")
def attributes(c: Context) -> Steps:
    image = c.MLArray.open(c.saved())
    yield "open", lambda: [image.filepath, image.support_metadata]
    yield "loaded", lambda: [c.MLArray(c.path()).filepath, c.MLArray(c.path()).support_metadata]
    yield "memory", lambda: c.MLArray(c.voxels(6, 7)).filepath


@case("MLArray.mmap", only=OLDER)
def attributes_older(c: Context) -> Steps:
    yield "open", lambda: c.MLArray.open(c.saved(), mmap="c").mmap
    yield "loaded", lambda: c.MLArray(c.path()).mmap


@case("MLArray.mode", "MLArray.mmap_mode", only=NEWER)
def attributes_newer(c: Context) -> Steps:
    image = c.MLArray.open(c.saved())
    yield "open", lambda: [image.mode, image.mmap_mode]
    image = c.MLArray(c.path())
    yield "loaded", lambda: [image.mode, image.mmap_mode]
