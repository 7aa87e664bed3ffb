"""The cases of files; see cases.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from cases import NEWER, OLDER, Context, Steps, case


@case("MLArray.open")
def opening(c: Context) -> Steps:
    path = c.saved(spacing=(1, 2, 3), meta={"a": 1})
    image = c.MLArray.open(path)
    yield "voxels", lambda: image[2:4, 1, ::3]
    yield "all voxels", lambda: image.to_numpy()
    yield "facts", lambda: [image.shape, image.dtype, image.ndim, image.spacing]
    yield "assign", lambda: image.__setitem__(0, 1)
    yield "Path", lambda: c.MLArray.open(Path(path)).shape
    yield "no such file", lambda: c.MLArray.open(c.path("none.mla"))
    yield "loading no such file", lambda: c.MLArray(c.path("none.mla"))
    yield "another suffix", lambda: c.MLArray.open(c.path("a.npy"))
    yield "a URL", lambda: c.MLArray.open("https://example.org/a.mla")
    yield "loading a URL", lambda: c.MLArray("https://example.org/a.mla")
    Path(c.path("junk.mla")).write_bytes(b"junk" * 100)
    yield "junk", lambda: c.MLArray.open(c.path("junk.mla"))


@case("MLArray.open", only=OLDER)
def opening_older(c: Context) -> Steps:
    path = c.saved()
    for mode in ("r", "r+", "c"):
        image = c.MLArray.open(path, mmap=mode)
        yield f"mmap {mode}", lambda image=image: [image.mmap, image[0, 0]]
        image.close()
    image = c.MLArray.open(path, mmap="r+")
    image[0] = 7
    image.meta.original["b"] = 2
    image.meta.spatial.spacing = [4, 5, 6]
    yield "edit", lambda: image.close()
    yield "edited", lambda: [c.MLArray(path)[:2], c.MLArray(path).meta.original["b"]]
    yield "edited spacing", lambda: c.MLArray(path).spacing
    new = c.MLArray.open(c.path("b.mla"), shape=(6, 7), dtype=np.int16, mmap="w+")
    new[...] = 3
    yield "create", lambda: new.close()
    yield "created", lambda: c.MLArray(c.path("b.mla"))[...]
    new = c.MLArray.open(
        c.path("c.mla"), (3, 60, 70), np.dtype("u1"), 0, "w+", None, (3, 20, 70), (3, 10, 10), 1
    )
    new[1] = 3
    yield "create by position", lambda: new.close()
    yield "created by position", lambda: c.MLArray(c.path("c.mla"))[:, 0, 0]
    yield "its channel axis", lambda: c.MLArray(c.path("c.mla")).meta.spatial.channel_axis
    yield "mmap x", lambda: c.MLArray.open(path, mmap="x")
    yield "w+ without shape", lambda: c.MLArray.open(c.path("d.mla"), mmap="w+")
    yield "shape without w+", lambda: c.MLArray.open(path, shape=(6, 7), dtype="i2")
    image = c.MLArray.open(path, num_threads=2, dparams={"nthreads": 2})
    yield "threads", lambda: image[0]
    yield "a .b2nd file", lambda: _b2nd(c)


def _b2nd(c: Context) -> Any:
    c.MLArray(c.voxels(6, 7)).save(c.path("a.b2nd"))
    return c.MLArray.open(c.path("a.b2nd"))[...]


@case("MLArray.open", only=NEWER)
def opening_newer(c: Context) -> Steps:
    path = c.saved(spacing=(1, 2, 3))
    for name, mode in {
        "r": ("r", "r"),
        "r, not mapped": ("r", None),
        "a": ("a", "r+"),
        "a, not mapped": ("a", None),
        "c": ("a", "c"),
    }.items():
        image = c.MLArray.open(path, *mode)
        yield f"mode {name}", lambda image=image: [image.mode, image.mmap_mode, image[0, 0]]
        image.close()
    image = c.MLArray.open(path, mode="a", mmap_mode="r+", dparams={"nthreads": 2})
    image[0] = 7
    image.meta.source["b"] = 2
    image.spacing = (4, 5, 6)
    yield "edit", lambda: image.close()
    yield "edited", lambda: [c.MLArray(path)[:2], c.MLArray(path).meta.source["b"]]
    yield "edited spacing", lambda: c.MLArray(path).spacing
    image = c.MLArray.open(path, mmap_mode="c")
    yield "mode c alone", lambda: [image.mode, image.mmap_mode]
    for name, wrong in {
        "mode x": {"mode": "x"},
        "mmap_mode x": {"mmap_mode": "x"},
        "mode w": {"mode": "w"},
    }.items():
        yield name, lambda wrong=wrong: c.MLArray.open(path, **wrong)
    yield "a .b2nd file", lambda: _b2nd(c)


@case("MLArray.create", only=NEWER)
def creating(c: Context) -> Steps:
    path = c.path("new.mla")
    image = c.MLArray.create(path, (6, 7, 8), np.int16, {"a": 1}, patch_size=4)
    yield "facts", lambda: [image.shape, image.dtype, image.mode, image.mmap_mode]
    yield "zeros", lambda: image[0]
    image[1] = 5
    yield "close", lambda: image.close()
    yield "created", lambda: c.MLArray(path)[:2]
    yield "metadata", lambda: c.MLArray(path).meta.source["a"]
    yield "patch", lambda: c.MLArray(path).meta.blosc2.patch_size
    plain_file = c.MLArray.create(c.path("b.mla"), [6, 7], "f4", mmap_mode=None)
    plain_file[...] = 2
    yield "not mapped", lambda: [plain_file.mode, plain_file.mmap_mode]
    plain_file.close()
    yield "not mapped, created", lambda: c.MLArray(c.path("b.mla"))[...]
    yield "an existing file", lambda: c.MLArray.create(path, (6, 7), "i2")[0]
    yield "no such folder", lambda: c.MLArray.create(c.path("no/a.mla"), (6, 7), "i2")
    yield "mode r", lambda: c.MLArray.create(path, (6, 7), "i2", mode="r")
    yield "mmap_mode r", lambda: c.MLArray.create(path, (6, 7), "i2", mmap_mode="r")
    yield "another suffix", lambda: c.MLArray.create(c.path("a.npy"), (6, 7), "i2")


@case("MLArray.load")
def loading(c: Context) -> Steps:
    path = c.saved(spacing=(1, 2, 3))
    image = c.MLArray.load(path)
    os.unlink(path)
    yield "voxels", lambda: image[...]
    yield "metadata", lambda: image.spacing
    yield "no such file", lambda: c.MLArray.load(c.path("none.mla"))


@case("MLArray.load", only=OLDER)
def loading_older(c: Context) -> Steps:
    yield "threads", lambda: c.MLArray.load(c.saved(), 2)[0]
    yield "named", lambda: c.MLArray.load(c.saved(), num_threads=2)[0]


@case("MLArray.load", only=NEWER)
def loading_newer(c: Context) -> Steps:
    yield "dparams", lambda: c.MLArray.load(c.saved(), {"nthreads": 2})[0]
    image = c.MLArray.load(c.saved(), compressed=False)
    yield "not compressed", lambda: [image[0], image.mode, image.mmap_mode, image.filepath]
    image[0] = 5
    yield "edited", lambda: image[:2]
    yield "the file", lambda: c.MLArray(c.path())[0, 0, :3]


@case("MLArray.save")
def saving(c: Context) -> Steps:
    image = c.MLArray(c.voxels(6, 7, 8), (1, 2, 3), meta={"a": 1})
    yield "save", lambda: image.save(c.path())
    yield "saved", lambda: [c.MLArray(c.path())[...], c.MLArray(c.path()).spacing]
    yield "Path", lambda: image.save(Path(c.path("b.mla")))
    yield "saved by Path", lambda: c.MLArray(c.path("b.mla")).spacing
    yield "another suffix", lambda: image.save(c.path("a.npy"))
    yield "again", lambda: c.MLArray(c.path()).save(c.path())
    yield "saved again", lambda: c.MLArray(c.path())[0, 0, :3]
    yield "over itself", lambda: c.MLArray.open(c.path()).save(c.path())
    yield "saved over itself", lambda: c.MLArray(c.path())[0, 0, :3]
    yield "no array", lambda: c.MLArray(meta={"a": 1}).save(c.path("n.mla"))
    yield "saved without array", lambda: c.MLArray(c.path("n.mla")).meta._has_array.has_array
    for dtype in ("?", "f2", "c8", ">i2", "U3", "S4"):
        path = c.path(f"{np.dtype(dtype).name}.mla")
        c.MLArray(c.voxels(6, 7).astype(dtype)).save(path)
        yield f"dtype {dtype}", lambda path=path: c.MLArray(path)[...]


@case("MLArray.save", only=OLDER)
def saving_older(c: Context) -> Steps:
    image = c.MLArray(c.voxels(60, 70, 80))
    for name, how in {
        "patch": {"patch_size": 32},
        "patches": {"patch_size": (16, 32, 64)},
        "sizes": {"chunk_size": (30, 40, 80), "block_size": (10, 20, 40)},
        "default": {},
    }.items():
        path = c.path(f"{name}.mla")
        image.save(path, num_threads=1, **how)
        yield name, lambda path=path: c.MLArray(path)[5, :, 7]
        yield f"{name}, recorded", lambda path=path: c.MLArray(path).meta._blosc2.patch_size
    yield "by position", lambda: image.save(c.path(), None, (30, 40, 80), (10, 20, 40), 2)
    yield "chunks", lambda: c.MLArray(c.path()).meta._blosc2.chunk_size
    yield "cparams", lambda: image.save(c.path(), cparams={"codec": 5, "clevel": 1})
    yield "patch and chunk", lambda: image.save(c.path(), 32, (30, 40, 80), (10, 20, 40))
    yield "patch of wrong length", lambda: image.save(c.path(), patch_size=(4, 4))
    yield "no array has no shape", lambda: c.MLArray().shape


@case("MLArray.close")
def closing(c: Context) -> Steps:
    image = c.MLArray.open(c.saved(spacing=(1, 2, 3)))
    yield "close", lambda: image.close()
    yield "twice", lambda: image.close()
    yield "index", lambda: image[0]
    yield "shape", lambda: image.shape
    yield "meta", lambda: image.meta is None
    yield "spacing", lambda: image.spacing
    yield "to_numpy", lambda: image.to_numpy()
