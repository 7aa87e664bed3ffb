"""The cases of making images; see cases.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from cases import AFFINE, DATA, LABELS, NEWER, OLDER, TURN, Context, Steps, case, layout_of


@case("MLArray")
def constructor(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8), (1, 2, 3), [4, 5, 6], TURN)
    yield "by position", lambda: [image.spacing, image.origin, image.direction]
    image = c.MLArray(c.voxels(6, 7), spacing=np.array([1.5, 2]), meta=DATA)
    yield "arrays and dicts", lambda: [image.spacing, image.meta.to_mapping()["extra"]]
    meta = c.Meta(is_seg=True, extra={"a": 1})
    yield "Meta", lambda: c.MLArray(c.voxels(6, 7), meta=meta).meta.is_seg.is_seg
    yield "Meta.extra", lambda: c.MLArray(c.voxels(6, 7), meta=meta).meta.extra["a"]
    base = c.MLArray(c.voxels(6, 7, 8), spacing=(1, 2, 3), meta={"a": 1})
    twin = c.MLArray(c.voxels(6, 7, 8), origin=(4, 5, 6), copy=base)
    yield "copy fills what is not given", lambda: [twin.spacing, twin.origin]
    twin = c.MLArray(c.voxels(6, 7, 8), spacing=(4, 5, 6), copy=base)
    yield "copy leaves what is given", lambda: twin.spacing
    yield "path", lambda: c.MLArray(c.saved())[...]
    yield "Path", lambda: c.MLArray(Path(c.saved())).spacing
    yield "voxels are those given", lambda: np.asarray(c.MLArray(c.voxels(3, 4)))
    shared = {"a": 1}
    image = c.MLArray(c.voxels(6, 7), meta=shared)
    shared["a"] = 2
    section = "original" if hasattr(image.meta, "original") else "source"
    yield "a dict is not shared", lambda: getattr(image.meta, section)["a"]
    for name, wrong in {
        "spacing too long": {"spacing": (1, 2, 3)},
        "origin too short": {"origin": (1,)},
        "direction not square": {"direction": [[1, 0]]},
        "spacing of text": {"spacing": "wide"},
        "spacing of texts": {"spacing": ["a", "b"]},
        "meta a list": {"meta": [1]},
        "meta no JSON": {"meta": {"a": {1, 2}}},
    }.items():
        yield name, lambda wrong=wrong: c.MLArray(c.voxels(6, 7), **wrong).spacing
    yield "a list", lambda: c.MLArray([1, 2]).shape
    yield "another suffix", lambda: c.MLArray(c.path("a.npy"))
    yield "path and more", lambda: c.MLArray(c.saved(), spacing=(1, 1, 1))
    yield "an image", lambda: c.MLArray(base).to_numpy()
    yield (
        "np.int64 in spacing",
        lambda: c.MLArray(c.voxels(6, 7), spacing=list(np.arange(2))).spacing,
    )
    yield "objects", lambda: c.MLArray(np.array([None, 1], object)).save(c.path())


@case("MLArray", only=OLDER)
def constructor_older(c: Context) -> Steps:
    image = c.MLArray(c.voxels(3, 6, 7), (1, 2), None, None, {"a": 1}, 0, 1)
    yield "by position", lambda: [image.spacing, image.meta.original["a"]]
    yield "channel_axis", lambda: image.meta.spatial.channel_axis
    yield "num_threads", lambda: c.MLArray(c.saved(), num_threads=2)[0]
    yield "channel_axis last", lambda: c.MLArray(c.voxels(6, 7, 3), channel_axis=2).affine
    yield "channel_axis too large", lambda: c.MLArray(c.voxels(6, 7), channel_axis=2).affine


@case("MLArray", only=NEWER)
def constructor_newer(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8), None, None, None, AFFINE, {"a": 1})
    yield "by position", lambda: [image.affine, image.meta.source["a"]]
    image = c.MLArray(c.voxels(3, 6, 7), spacing=(2, 3), axis_labels=LABELS)
    yield "axis_labels", lambda: [image.meta.spatial.axis_labels, image.spacing, image.affine]
    for name, how in {
        "patch": {"patch_size": 4},
        "patches": {"patch_size": (2, 4, 6)},
        "sizes": {"chunk_size": (3, 4, 8), "block_size": (1, 2, 4)},
        "one size": {"chunk_size": 4, "block_size": 2},
        "neither": {"patch_size": None},
        "cparams": {"cparams": {"codec": 5, "clevel": 3}},
        "dparams": {"dparams": {"nthreads": 2}},
        "not compressed": {"compressed": False},
    }.items():
        yield (
            f"{name}, saved",
            lambda how=how, name=name: layout_of(
                c, c.MLArray(c.voxels(6, 7, 8), **how), f"{name}.mla"
            ),
        )
    for name, wrong in {
        "affine and spacing": {"affine": AFFINE, "spacing": (1, 1, 1)},
        "affine of wrong size": {"affine": np.eye(3)},
        "labels too few": {"axis_labels": LABELS[:2]},
        "label no text": {"axis_labels": [1, 2, 3]},
        "patch and chunk": {"patch_size": 4, "chunk_size": 4, "block_size": 2},
        "chunk alone": {"chunk_size": 4, "patch_size": None},
        "patch of wrong length": {"patch_size": (4, 4)},
        "no axis of space": {"axis_labels": ["channel", "temporal", "other"]},
    }.items():
        yield name, lambda wrong=wrong: bool(c.MLArray(c.voxels(6, 7, 8), **wrong).shape)
    yield "path and axis_labels", lambda: c.MLArray(c.saved(), axis_labels=LABELS)
    yield "path and patch_size", lambda: c.MLArray(c.saved(), patch_size=4)
    yield "an empty axis", lambda: c.MLArray(c.voxels(0, 3)).shape
    yield "no axes", lambda: c.MLArray(np.array(5)).shape
    image = c.MLArray(c.voxels(6, 7, 8), spacing=(1, 2, 3))
    image.meta.spatial.coord_system = "LPS"
    twin = c.MLArray(c.voxels(6, 7, 8), affine=AFFINE, copy=c.MLArray(c.voxels(6, 7, 8)))
    yield "copy and affine", lambda: twin.affine
    yield (
        "copy and coord_system",
        lambda: c.MLArray(c.voxels(6, 7, 8), copy=image).meta.spatial.coord_system,
    )


@case("MLArray.empty", "MLArray.zeros", "MLArray.ones", "MLArray.full", only=NEWER)
def filled(c: Context) -> Steps:
    cls = c.MLArray
    yield "empty", lambda: [cls.empty((2, 3), "f4").shape, cls.empty((2, 3), "f4").dtype]
    yield "zeros", lambda: cls.zeros((2, 3), "i2")[...]
    yield "ones", lambda: cls.ones((2, 3), np.uint8)[...]
    yield "ones without dtype", lambda: cls.ones((2, 3))[...]
    yield "shape an int", lambda: cls.zeros(3, "i2")[...]
    yield "shape an array", lambda: cls.zeros(np.array([2, 3]), "i2").shape
    yield "not compressed", lambda: cls.zeros((2, 3), "i2", compressed=False)[...]
    yield "metadata", lambda: cls.zeros((2, 3), "i2", {"a": 1}).meta.source["a"]
    yield "sizes", lambda: cls.zeros((4, 4), "i2", chunk_size=(2, 4), block_size=(1, 2))[...]
    yield "edited", lambda: _edited(cls.zeros((4, 4), "i2"))
    for name, value in {
        "int": 7,
        "negative": -7,
        "float": 7.5,
        "bool": True,
        "complex": 1j,
        "bytes": b"abc",
        "np.float32": np.float32(2),
        "large": 2**40,
    }.items():
        yield f"full {name}", lambda value=value: cls.full((2, 3), value)[...]
    yield "full typed", lambda: cls.full((2, 3), 7, "f8")[...]
    yield "full out of range", lambda: cls.full((2, 3), 300, "u1")[...]
    yield "no dtype", lambda: cls.zeros((2, 3))
    yield "dtype None", lambda: cls.zeros((2, 3), None)
    yield "negative length", lambda: cls.zeros((-1, 3), "i2")
    yield "lengths no ints", lambda: cls.zeros((1.5, 3), "i2").shape
    yield "empty axis", lambda: cls.zeros((0, 3), "i2").shape
    yield "empty axis without patch", lambda: cls.zeros((0, 3), "i2", patch_size=None).shape
    yield "no axes", lambda: cls.zeros((), "i2").shape


def _edited(image: Any) -> Any:
    image[1:3, 2] = 5
    return image[...]


@case("MLArray.arange", "MLArray.linspace", only=NEWER)
def ranges(c: Context) -> Steps:
    cls = c.MLArray
    yield "stop", lambda: cls.arange(5)[...]
    yield "start, stop, step", lambda: cls.arange(1, 10, 3)[...]
    yield "floats", lambda: cls.arange(0, 1, 0.25)[...]
    yield "dtype", lambda: cls.arange(5, dtype="f4")[...]
    yield "shape", lambda: cls.arange(12, shape=(3, 4))[...]
    yield "no step", lambda: cls.arange(0, 5, None)[...]
    yield "nothing", lambda: cls.arange(5, 2)[...]
    yield "c_order", lambda: cls.arange(12, shape=(3, 4), c_order=False)[...]
    yield (
        "c_order, not compressed",
        lambda: cls.arange(12, shape=(3, 4), c_order=False, compressed=False)[...],
    )
    yield "down", lambda: cls.arange(10, 0, -3)[...]
    yield "odd end", lambda: cls.arange(0.5)[...]
    yield "step 0", lambda: cls.arange(0, 10, 0)
    yield "another shape", lambda: cls.arange(12, shape=(3, 5))
    yield "metadata", lambda: cls.arange(12, shape=(3, 4), meta={"a": 1}).meta.source["a"]
    yield "linspace", lambda: cls.linspace(0, 1, 5)[...]
    yield "linspace endpoint", lambda: cls.linspace(0, 1, 5, endpoint=False)[...]
    yield "linspace dtype", lambda: cls.linspace(0, 8, 5, "i4")[...]
    yield "linspace complex", lambda: cls.linspace(0, 1j, 3)[...]
    yield "linspace shape", lambda: cls.linspace(0, 1, 6, shape=(2, 3))[...]
    yield "linspace shape alone", lambda: cls.linspace(0, 1, shape=(2, 3))[...]
    yield "linspace none", lambda: cls.linspace(0, 1, 0)[...]
    yield "linspace neither", lambda: cls.linspace(0, 1)
    yield "linspace another shape", lambda: cls.linspace(0, 1, 7, shape=(2, 3))


@case(
    *("MLArray.asarray", "MLArray.empty_like", "MLArray.zeros_like"),
    *("MLArray.ones_like", "MLArray.full_like"),
    only=NEWER,
)
def of_others(c: Context) -> Steps:
    cls, array = c.MLArray, c.voxels(3, 6, 7)
    yield "asarray", lambda: cls.asarray(array)[...]
    yield "asarray with metadata", lambda: cls.asarray(array, {"a": 1}).meta.source["a"]
    yield "asarray not compressed", lambda: cls.asarray(array, compressed=False)[0]
    yield "asarray of a list", lambda: cls.asarray([1, 2])
    yield "asarray of an image", lambda: cls.asarray(cls(array))[...]
    x = cls(array, spacing=(2, 3), axis_labels=LABELS, meta={"a": 1})
    yield "zeros_like", lambda: cls.zeros_like(x)[...]
    yield "ones_like", lambda: cls.ones_like(x, "f4")[...]
    yield "full_like", lambda: cls.full_like(x, 3)[...]
    yield "full_like a fraction", lambda: cls.full_like(x, 3.7)[0, 0]
    yield "empty_like", lambda: [cls.empty_like(x).shape, cls.empty_like(x).dtype]
    like = cls.zeros_like(x)
    yield (
        "metadata",
        lambda: [like.spacing, like.meta.source["a"], like.meta.spatial.axis_labels],
    )
    like.meta.source["a"] = 2
    yield "metadata of the other", lambda: x.meta.source["a"]
    yield "metadata given", lambda: cls.zeros_like(x, meta={"b": 2}).spacing
    yield "of NumPy", lambda: cls.ones_like(array)[0]
    yield "of a list", lambda: cls.ones_like([1, 2])


@case("MLArray.compress", "MLArray.decompress", only=NEWER)
def packing(c: Context) -> Steps:
    x = c.MLArray(c.voxels(6, 7, 8), spacing=(1, 2, 3))
    yield "decompress", lambda: x.decompress()
    yield "decompressed", lambda: [x[...], x.spacing, x.meta.blosc2.chunk_size]
    yield "compress", lambda: x.compress(chunk_size=(3, 4, 8), block_size=(1, 2, 4))
    yield "compressed", lambda: [x[...], x.spacing, x.meta.blosc2.chunk_size]
    yield "compress by patch", lambda: x.compress(4)
    yield "patch", lambda: x.meta.blosc2.patch_size
    image = c.MLArray.open(c.saved())
    yield "compress a file", lambda: image.compress(cparams={"clevel": 1})
    yield "no file any more", lambda: [image.filepath, image.mode, image.mmap_mode]
    image = c.MLArray.open(c.path())
    yield "decompress a file", lambda: image.decompress()
    yield "no file", lambda: [image.filepath, image.mode, image.mmap_mode, image[0]]
    yield "compress nothing", lambda: c.MLArray().compress()
    yield "decompress nothing", lambda: c.MLArray().decompress()
