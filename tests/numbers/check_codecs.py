"""Codecs, filters and layouts: what we write python-blosc2 reads, and the other way round."""

from __future__ import annotations

from typing import Any

import numpy as np
from making import (
    Array,
    Place,
    Rng,
    Story,
    a_dtype,
    a_layout,
    a_shape,
    chance,
    literal,
    one_of,
    same_bits,
    voxels,
)

import mlarray
from mlarray import MLArray, MLArrayError
from peers import NEWEST, Peer

UNIT = "files"
CODECS = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
SPLITS = ["always_split", "never_split", "auto_split", "forward_compat_split"]
LOSSY = ("trunc_prec", "int_trunc")
WIDEST = 127  # of an element, for bytedelta: python-blosc2 has a signed byte for it
MOST_FILTERS = 2  # c-blosc2 itself loses voxels with more: docs/upstream.md
OLDER = "blosc2-3.3.4"
MANTISSA = {4: 23, 8: 52}


def check(rng: Rng, place: Place) -> int:
    """One file of ours, or of theirs, which the other reads, edits and reads again."""
    peer = place.peer(NEWEST if chance(rng, 0.7) else OLDER)
    dtype = np.dtype("S300") if chance(rng, 0.02) else a_dtype(rng)
    array = _compressible(rng, dtype, a_shape(rng, most=20000 if chance(rng, 0.2) else 800))
    story = Story()
    story.say(f"array = {literal(array)}  # for {peer.name}")
    if chance(rng, 0.55):
        return _ours(rng, array, place, peer, story)
    return _theirs(rng, array, place, peer, story)


def _compressible(rng: Rng, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """Noise, runs, one value, or zeros with something in them."""
    array = voxels(rng, dtype, shape)
    kind = rng.random()
    flat = array.reshape(-1)
    if kind < 0.3 and flat.size:
        array = flat[np.arange(flat.size) // int(rng.integers(2, 50))].reshape(shape)
    elif kind < 0.4:
        array = np.zeros(shape, dtype)
    elif kind < 0.5 and flat.size:
        array = np.full(shape, flat[0], dtype)
    elif kind < 0.65:
        array = np.where(rng.random(shape) < 0.05, array, np.zeros((), dtype)).astype(dtype)
    return np.asarray(array)


def _params(rng: Rng, dtype: np.dtype[Any], names: list[str]) -> dict[str, Any]:
    """Compression parameters, as a user may put them together."""
    params: dict[str, Any] = {}
    if chance(rng, 0.8):
        params["codec"] = one_of(rng, CODECS)
    if chance(rng, 0.8):
        params["clevel"] = int(rng.integers(0, 10))
    if chance(rng, 0.7):
        filters = [one_of(rng, names) for _ in range(int(rng.integers(0, 4)))]
        if chance(rng, 0.15):
            filters.insert(0, one_of(rng, LOSSY))
        metas = {
            "bytedelta": [0, dtype.itemsize if dtype.itemsize < 256 else 0],
            "trunc_prec": [10, 3, 20, -3, -10],
            "int_trunc": [4, 7, -1, -3],
        }
        params["filters"] = filters
        params["filters_meta"] = [one_of(rng, metas.get(name, [0])) for name in filters]
    if chance(rng, 0.3):
        params["splitmode"] = one_of(rng, SPLITS)
    return params


def _expected(array: Array, params: dict[str, Any]) -> tuple[Array | None, bool]:
    """The voxels that come back (None: not known), and whether an error will do as well."""
    filters = [name for name in params.get("filters", []) if name != "nofilter"]
    refusable, known = len(filters) > MOST_FILTERS, array
    for name, meta in zip(params.get("filters", []), params.get("filters_meta", [])):
        if name == "bytedelta" and array.dtype.itemsize > WIDEST:
            refusable = True
        if name not in LOSSY:
            continue
        kind, size = array.dtype.kind, array.dtype.itemsize
        if params["filters"].index(name) > 0 or params["filters"].count(name) > 1:
            return None, True  # behind a shuffle it means nothing
        native = np.dtype(f"u{size}") if size in (1, 2, 4, 8) else None
        fits = kind == "f" and size in MANTISSA if name == "trunc_prec" else kind in "iu"
        if native is None or not fits or array.dtype.byteorder == ">":
            refusable = True
        if native is None or not fits:
            # It cannot do what it is for. Not a voxel may change, or it is an error.
            continue
        bits = MANTISSA[size] if name == "trunc_prec" else 8 * size
        zeroed = -meta if meta < 0 else bits - meta
        if not 0 <= zeroed < bits:
            return None, True
        raw = known.astype(known.dtype.newbyteorder("=")).view(native)
        mask = np.array(~((1 << zeroed) - 1) & ((1 << 8 * size) - 1), native)
        known = (raw & mask).view(known.dtype.newbyteorder("=")).astype(known.dtype)
    return known, refusable


def _ours(rng: Rng, array: Array, place: Place, peer: Peer, story: Story) -> int:
    layout = a_layout(rng, array.shape)
    names = ["nofilter", "shuffle", "bitshuffle", "bytedelta"]
    how: dict[str, Any] = {}
    kind = rng.random()
    if kind < 0.2:
        how["preset"] = one_of(rng, ["fast", "balanced", "small"])
    elif kind < 0.9:
        how["cparams"] = _params(rng, array.dtype, names)
    expected, refusable = _expected(array, how.get("cparams", {}))
    path = place.file(one_of(rng, ["case.mla", "case.mla", "case.b2nd"]))
    more = {"num_threads": int(rng.integers(1, 4))}
    story.say(f"MLArray(array).save({path.name!r}, **{layout | how | more})")
    filters = how.get("cparams", {}).get("filters", [])
    about = f" with {'/'.join(f for f in filters if f in LOSSY)}" if expected is None or any(
        f in LOSSY for f in filters) else ""  # fmt: skip
    try:
        MLArray(array).save(path, **layout, **how, **more)
    except MLArrayError as error:
        if not refusable:
            story.fail(f"refused{about}", f"{type(error).__name__}: {error}")
        return 1
    mine = MLArray(path).to_numpy()
    if _misread_by_older(peer, path):
        return 1
    try:
        found, about_file = peer.voxels_after(
            "read", path=path, mmap_mode=one_of(rng, [None, "r"])
        )
    except AssertionError as error:
        story.fail(f"python-blosc2 cannot read ours{about}", str(error)[-800:])
    alike = (found.dtype, found.shape) == (array.dtype, array.shape)
    if not alike or not same_bits(found, mine):
        story.fail(
            f"python-blosc2 reads other voxels than we{about}",
            f"found {literal(found)}",
            f"ours {literal(mine)}",
        )
    if expected is None:
        return 1
    # A chunk that does not shrink is stored as it was, unfiltered.
    if about and expected.dtype.kind in "iufc":
        expected = np.where(mine == array, mine, expected)
    if not same_bits(mine, expected):
        story.fail(f"other voxels than were saved{about}", f"found {literal(mine)}",
                   f"expected {literal(expected)}")  # fmt: skip
    with MLArray.open(path) as image:
        if (list(about_file["chunks"]), list(about_file["blocks"])) != (
            list(image.chunks or ()), list(image.blocks or ()),
        ):  # fmt: skip
            story.fail("another layout", str(about_file), f"{image.chunks} {image.blocks}")
    report = mlarray.verify_file(path)
    if report.damage:
        story.fail("damaged by its own account", str(report))
    if about or not array.ndim or not array.size:
        return 1
    return 1 + _in_turns(rng, array, path, peer, story)


def _misread_by_older(peer: Peer, path: Any) -> bool:
    """Whether the older python-blosc2 mixes up voxels, its own as well: docs/upstream.md."""
    with MLArray.open(path) as image:
        return peer.name == OLDER and image.chunks == image.shape and image.ndim > 2


def _in_turns(
    rng: Rng, array: Array, path: Any, peer: Peer, story: Story, *, delta: bool = False
) -> int:
    """They edit, we edit; each time both read the same."""
    twin = array.copy()
    start = [int(rng.integers(0, n)) for n in twin.shape]
    stop = [int(rng.integers(a + 1, n + 1)) for a, n in zip(start, twin.shape)]
    box = tuple(slice(a, b) for a, b in zip(start, stop))
    values = np.ascontiguousarray(np.flip(twin)[box])
    if chance(rng, 0.5):
        story.say(f"{peer.name} assigns np.flip(array)[{literal(box)}] to that box")
        more = {"threads": 1} if delta else {}
        peer.with_voxels("edit", values, path=path, start=start, stop=stop, **more)
        twin[box] = values
        if delta:  # of the chunk's other voxels they keep what they make of them
            twin, _ = peer.voxels_after("read_chunks", path=path)
        with MLArray.open(path) as image:
            if not same_bits(image[...], twin):
                story.fail("we read their edit as other voxels", f"found {literal(image[...])}",
                           f"expected {literal(twin)}")  # fmt: skip
    story.say(f"with MLArray.open({path.name!r}, mmap='r+') as image: "
              f"image[{literal(box)}] = np.roll(image[...], 1)[{literal(box)}]")  # fmt: skip
    values = np.roll(twin, 1)[box]
    with MLArray.open(path, mmap="r+") as image:
        image[box] = values
    twin[box] = values
    mode = one_of(rng, [None, "r"])
    if delta:
        found, _ = peer.voxels_after("read_chunks", path=path)
    else:
        found, _ = peer.voxels_after("read", path=path, mmap_mode=mode)
    mine = MLArray(path).to_numpy()
    for who, seen in (("python-blosc2 reads", found), ("we read", mine)):
        if not same_bits(seen, twin):
            story.fail(f"{who} our edit as other voxels", f"found {literal(seen)}",
                       f"expected {literal(twin)}")  # fmt: skip
    return 2


def _theirs(rng: Rng, array: Array, place: Place, peer: Peer, story: Story) -> int:
    names = ["nofilter", "shuffle", "bitshuffle", "bytedelta", "delta"]
    params = _params(rng, array.dtype, names)
    if len([name for name in params.get("filters", []) if name != "nofilter"]) > MOST_FILTERS:
        return 0
    written = {
        key: [v.upper() for v in value] if key == "filters"
        else value.upper() if isinstance(value, str) else value
        for key, value in params.items()
    }  # fmt: skip
    layout = a_layout(rng, array.shape)
    sizes = {}
    if "chunk_size" in layout and array.ndim and array.size:
        sizes = {"chunks": layout["chunk_size"], "blocks": layout["block_size"]}
    path, out = place.file("theirs.b2nd"), place.file("expected.npy")
    story.say(f"blosc2.asarray(array, urlpath='theirs.b2nd', mode='w', cparams={written}, "
              f"{sizes})")  # fmt: skip
    try:
        peer.with_voxels("make", array, path=path, out=out, cparams=written, **sizes)
    except AssertionError:
        return 0  # not even they can write it
    if _misread_by_older(peer, path):
        return 0
    delta = "delta" in params.get("filters", []) and array.ndim > 0 and array.size > 0
    if delta:
        # They read such a file in several ways that differ: docs/upstream.md. What it holds is
        # what its chunks hold.
        expected, _ = peer.voxels_after("read_chunks", path=path)
    else:
        expected = np.load(out)
    lossless = not any(name in LOSSY for name in params.get("filters", []))
    if expected.dtype != array.dtype or (lossless and not same_bits(expected, array)):
        return 0  # nor read it
    key = tuple(slice(n // 4, n // 2 + 1) for n in array.shape)
    with MLArray.open(path) as image:
        part, whole = np.asarray(image[key]), image[...]
    if not same_bits(whole, expected):
        story.fail("we read theirs as other voxels", f"found {literal(whole)}",
                   f"expected {literal(expected)}")  # fmt: skip
    if not same_bits(part, np.asarray(expected[key])):
        story.fail("we read a part of theirs as other voxels", f"found {literal(part)}",
                   f"expected {literal(expected[key])}")  # fmt: skip
    if not lossless or not array.ndim or not array.size:
        return 1
    return 1 + _in_turns(rng, array, path, peer, story, delta=delta)
