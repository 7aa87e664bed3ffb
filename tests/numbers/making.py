"""Random voxels, layouts and images, and the text that says how a case was made."""

from __future__ import annotations

import pickle
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from mlarray import MLArray
from peers import NEWEST, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

Array = np.ndarray[Any, Any]
Rng = np.random.Generator

INTEGERS = ["i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4"]
INTEGERS += ["<i8", ">i8", "<u8", ">u8"]
FLOATS = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]
COMPLEX = ["<c8", ">c8", "<c16", ">c16"]
REALS = ["?", *INTEGERS, *FLOATS]
NUMBERS = [*REALS, *COMPLEX]
TEXTS = ["S1", "S5", "<U1", "<U3", ">U3"]
STRUCTURES = [
    [("a", "<i2"), ("b", "<f4")],
    [("a", ">i4"), ("b", "S3"), ("c", "?")],
    [("x", "<f8", (2,)), ("y", [("u", "u1"), ("v", ">u2")])],
]


# Of a key with several wrong items.
KEY_ERRORS = (IndexError, ValueError, TypeError)


class MismatchError(AssertionError):
    """What was found is not what the oracle says.

    `kind` is the same for all cases of one fault, so that they can be counted.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(printable(f"{kind}\n{text}"))
        self.kind = printable(kind)


def printable(text: str) -> str:
    """Text without what a terminal would choke on."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class Place:
    """Where a case has its files, and who else reads and writes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._peers: dict[str, Peer] = {}

    def file(self, name: str) -> Path:
        """A path that no case before has left anything at."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        return path

    def peer(self, name: str = NEWEST) -> Peer:
        """The process of another package, started when it is asked for."""
        if name not in self._peers or not self._peers[name].alive:
            self._peers[name] = Peer(name, self.folder)
        return self._peers[name]

    def close(self) -> None:
        """End these processes."""
        for peer in self._peers.values():
            peer.close()


class Story:
    """Lines of Python that make the case again."""

    latest: Story | None = None  # that of the case that runs

    def __init__(self) -> None:
        self.lines: list[str] = []
        Story.latest = self

    def say(self, line: str) -> None:
        """Add a line."""
        self.lines.append(line)

    def fail(self, kind: str, *details: str) -> NoReturn:
        """Raise the mismatch."""
        raise MismatchError(kind, "\n".join([*self.lines, *details]))


def chance(rng: Rng, probability: float) -> bool:
    """Whether something shall happen."""
    return bool(rng.random() < probability)


def one_of(rng: Rng, choices: Sequence[Any]) -> Any:
    """One of some things, as it is: NumPy's own `choice` makes an array of them."""
    return choices[int(rng.integers(len(choices)))]


def a_dtype(rng: Rng) -> np.dtype[Any]:
    """Any that an image can have; numbers mostly."""
    kind = rng.random()
    if kind < 0.85:
        return np.dtype(one_of(rng, NUMBERS))
    return np.dtype(one_of(rng, TEXTS if kind < 0.92 else STRUCTURES))


def a_shape(rng: Rng, most: int = 4000, axes: int = 5) -> tuple[int, ...]:
    """0 to `axes` axes, of which some have length 0 or 1."""
    ndim = int(rng.integers(0, axes + 1))
    side = max(2, int(most ** (1 / max(ndim, 1))))
    lengths = rng.integers(1, side + 1, ndim)
    lengths[rng.random(ndim) < 0.1] = 1
    if chance(rng, 0.06):
        lengths[rng.random(ndim) < 0.4] = 0
    return tuple(int(n) for n in lengths)


def voxels(rng: Rng, dtype: np.dtype[Any], shape: tuple[int, ...], tame: bool = False) -> Array:
    """Values of a type: the whole range, or few and small ones; of floats nasty ones too."""
    return np.asarray(_voxels(rng, dtype, shape, tame))


def _voxels(rng: Rng, dtype: np.dtype[Any], shape: tuple[int, ...], tame: bool) -> Any:
    if dtype.names is not None:
        array = np.zeros(shape, dtype)
        for name in dtype.names:
            field = dtype[name]
            base, inner = field.subdtype or (field, ())
            array[name] = voxels(rng, base, shape + inner, tame)
        return array
    native = dtype.newbyteorder("=")
    if dtype.kind == "b":
        return rng.random(shape) < one_of(rng, [0.1, 0.5, 0.9])
    if dtype.kind in "iu":
        info = np.iinfo(native)
        low, high = (0, 99) if tame or chance(rng, 0.3) else (info.min, info.max)
        return np.asarray(rng.integers(low, high, shape, native, endpoint=True)).astype(dtype)
    if dtype.kind == "c":
        half = np.dtype(f"f{dtype.itemsize // 2}")
        answer = np.empty(shape, native)
        answer.real = voxels(rng, half, shape, tame)
        answer.imag = voxels(rng, half, shape, tame)
        return answer.astype(dtype)
    if dtype.kind == "f":
        if tame:
            return np.asarray(rng.integers(0, 99, shape)).astype(dtype)
        reals = np.asarray(rng.normal(0, 100, shape)).astype(native)
        if chance(rng, 0.3):
            info_f = np.finfo(native)
            nasty = [np.nan, np.inf, -np.inf, -0.0, info_f.max, info_f.tiny, -info_f.tiny / 4]
            where = rng.random(shape) < 0.2
            reals = np.where(where, rng.choice(np.array(nasty, native), shape), reals)
        return reals.astype(dtype)
    numbers = np.asarray(rng.integers(0, 10**6, shape)).astype("U9")
    return np.where(rng.random(shape) < 0.1, "", numbers).astype(dtype)


def literal(value: Any, most: int = 600) -> str:
    """A key or a value as Python (with `nan` and `inf` from NumPy)."""
    if isinstance(value, slice):
        parts = ", ".join(literal(x) for x in (value.start, value.stop, value.step))
        return f"slice({parts})"
    if value is Ellipsis:
        return "..."
    if isinstance(value, tuple):
        items = [literal(item, most) for item in value]
        return f"({', '.join(items)}{',' * (len(items) == 1)})"
    if isinstance(value, list):
        return f"[{', '.join(literal(item, most) for item in value)}]"
    if isinstance(value, np.ma.MaskedArray):
        return f"np.ma.array({literal(value.data)}, mask={literal(np.asarray(value.mask))})"
    if isinstance(value, np.ndarray):
        if value.size > most:
            return f"<{value.shape} of {value.dtype.str}, min {value.ravel()[:3]}...>"
        name = "np.matrix" if isinstance(value, np.matrix) else "np.array"
        dtype = value.dtype.str if value.dtype.names is None else value.dtype.descr
        if value.size == 0:
            return f"np.zeros({value.shape}, {dtype!r})"
        return f"{name}({value.tolist()!r}, {dtype!r})"
    if isinstance(value, np.generic):
        return f"np.array({value.tolist()!r}, {value.dtype.str!r})[()]"
    if isinstance(value, MLArray):
        return f"MLArray({literal(value[...], most)}, compressed={value.chunks is not None})"
    return repr(value)


def a_layout(rng: Rng, shape: tuple[int, ...]) -> dict[str, Any]:
    """How voxels are cut: by a patch, by chunks and blocks, or not said."""
    kind = rng.random()
    if kind < 0.15:
        return {}
    if kind < 0.35:
        patch: list[Any] = [None, "default", int(rng.integers(1, 40))]
        if shape:
            patch.append([int(rng.integers(1, max(2, n + 3))) for n in shape])
        return {"patch_size": one_of(rng, patch)}
    blocks = [int(rng.integers(1, max(1, n) + 1)) for n in shape]
    chunks = [int(rng.integers(b, max(b, n) + 1)) for b, n in zip(blocks, shape)]
    return {"chunk_size": chunks, "block_size": blocks}


@dataclass
class Held:
    """An image, and what becomes of edits."""

    image: MLArray
    path: Path | None = None  # the file that it is open on
    writable: bool = True
    keeps: bool = False  # edits reach the file

    def close(self) -> None:
        """Close the image."""
        self.image.close()


def _plain(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    say(f"image = MLArray(array.copy(){_arguments(more)})")
    return Held(MLArray(array.copy(), **more))


def _compressed(
    array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any
) -> Held:
    say(f"image = MLArray(array, compressed=True{_arguments(layout | more)})")
    return Held(MLArray(array, compressed=True, **layout, **more))


def _saved(array: Array, layout: dict[str, Any], path: Path, say: Any) -> None:
    say(f"MLArray(array).save({path.name!r}{_arguments(layout)})")
    MLArray(array).save(path, **layout)


def _loaded(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    _saved(array, layout, path, say)
    say(f"image = MLArray.load({path.name!r}{_arguments(more)})")
    return Held(MLArray.load(path, **more))


def _decoded(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    return _loaded(array, layout, path, say, compressed=False, **more)


def _opened(mode: str, mapped: bool) -> Callable[..., Held]:
    def make(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
        _saved(array, layout, path, say)
        how = {"mmap_mode": mode} if mapped else {"mode": mode, "mmap_mode": None}
        say(f"image = MLArray.open({path.name!r}{_arguments(how | more)})")
        image = MLArray.open(path, **how, **more)
        return Held(image, path, writable=mode != "r", keeps=mode == "r+")

    return make


def _unpickled(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    _saved(array, layout, path, say)
    say(f"image = pickle.loads(pickle.dumps(MLArray.open({path.name!r})))")
    with MLArray.open(path, **more) as image:
        return Held(pickle.loads(pickle.dumps(image)), path, writable=False)


def _created(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    dtype = array.dtype.str if array.dtype.names is None else array.dtype.descr
    arguments = _arguments(layout | more)
    say(f"image = MLArray.create({path.name!r}, {array.shape}, {dtype!r}{arguments})")
    image = MLArray.create(path, array.shape, array.dtype, **layout, **more)
    say("image[...] = array")
    image[...] = array
    return Held(image, path, keeps=True)


def _repacked(array: Array, layout: dict[str, Any], path: Path, say: Any, **more: Any) -> Held:
    say(f"image = MLArray(array); image.compress({_arguments(layout)[2:]})")
    image = MLArray(array.copy(), **more)
    image.compress(**layout)
    return Held(image)


MODES: dict[str, Callable[..., Held]] = {
    "plain": _plain,
    "compressed": _compressed,
    "compress()": _repacked,
    "loaded": _loaded,
    "loaded, not compressed": _decoded,
    "r": _opened("r", True),
    "r buffered": _opened("r", False),
    "r+": _opened("r+", True),
    "r+ buffered": _opened("r+", False),
    "c": _opened("c", True),
    "c buffered": _opened("c", False),
    "created": _created,
    "unpickled": _unpickled,
}


def an_image(
    rng: Rng, array: Array, place: Place, story: Story, *, writable: bool = False
) -> Held:
    """An image that holds these voxels, in one of all ways."""
    names = [n for n in MODES if not (writable and n in ("r", "r buffered", "unpickled"))]
    name = one_of(rng, names)
    suffix = ".mla" if chance(rng, 0.9) else ".b2nd"
    layout = a_layout(rng, array.shape)
    more = {"num_threads": int(rng.integers(1, 5))} if chance(rng, 0.5) else {}
    story.say(f"# {name}")
    return MODES[name](array, layout, place.file(f"case{suffix}"), story.say, **more)


def _arguments(options: dict[str, Any]) -> str:
    return "".join(f", {name}={value!r}" for name, value in options.items())


def outcome(action: Callable[[], Any]) -> Any:
    """The result of an action, or its error."""
    try:
        return action()
    except Exception as error:
        return error


def shown(value: Any) -> str:
    """A result, or an error with its text."""
    if isinstance(value, Exception):
        return f"{type(value).__name__}: {value}"
    dtype = getattr(value, "dtype", None)
    return f"{type(value).__name__} {dtype}: {literal(value)}"


def difference(found: Any, expected: Any) -> str | None:
    """What two results of indexing differ in, bit for bit; None if in nothing."""
    if isinstance(expected, Exception) or isinstance(found, Exception):
        if not isinstance(found, Exception):
            return f"no {type(expected).__name__}"
        if not isinstance(expected, Exception):
            text = re.sub(r"\W+|\d+", " ", str(found))[:40].strip()
            return f"raises {type(found).__name__}: {text}"
        if isinstance(found, KEY_ERRORS) and isinstance(expected, KEY_ERRORS):
            return None  # of two wrong items, NumPy and we may name either
        same = isinstance(found, type(expected))
        return None if same else f"{type(found).__name__} for {type(expected).__name__}"
    if type(found) is not type(expected):
        return "another class"
    if found.dtype != expected.dtype:
        return "another dtype"
    if found.shape != expected.shape:
        return "another shape"
    return None if same_bits(found, expected) else "other voxels"


def same_bits(a: Any, b: Any) -> bool:
    """Whether two arrays of one type and shape are equal bit for bit, padding aside."""
    if a.dtype.names is None:
        return bool(a.tobytes() == b.tobytes())
    return all(same_bits(a[name], b[name]) for name in a.dtype.names)


def remove(path: Path) -> None:
    """Remove a file that may be there."""
    with suppress(FileNotFoundError):
        path.unlink()
