"""Files whose content says which commit they are, and which commits they may be."""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from mlarray import MLArray

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = (24, 40, 40)
LAYOUT: dict[str, Any] = {"chunk_size": (8, 20, 20), "block_size": (8, 10, 10)}
SLABS = 12
DEEP = SHAPE[0] // SLABS
# Hard to compress, so that dead chunks add up and files are compacted.
NOISE = np.random.default_rng(14).integers(0, 10_000, SHAPE).astype(np.int16)
Level = Literal["none", "ordered", "durable"]
LEVELS: tuple[Level, ...] = get_args(Level)


def slab_of(number: int) -> int | None:
    """What edit `number` changes besides metadata: a slab, or nothing."""
    return None if number % 5 == 3 else number * 7 % SLABS


def value_of(number: int) -> int:
    return number * 37 % 20_011


def key_of(slab: int) -> slice:
    return slice(slab * DEEP, (slab + 1) * DEEP)


def voxels_of(number: int, base: int) -> np.ndarray[Any, Any]:
    """All voxels after edit `number`, where `base` was the last that wrote all of them."""
    values: dict[int, int] = {}
    for edit in range(number, base, -1):
        slab = slab_of(edit)
        if slab is not None and slab not in values:
            values[slab] = edit
            if len(values) == SLABS:
                break
    line = [value_of(values.get(slab, base)) for slab in range(SLABS)]
    return NOISE + np.repeat(np.array(line, np.int16), DEEP)[:, None, None]


class Counts(NamedTuple):
    """What was tried with one file, and what was promised. States are numbered from 1."""

    begun: int = 0  # the newest that was tried
    kept: int = 0  # the newest whose call has returned: survives a kill
    safe: int = 0  # the newest whose durable call has returned: survives a power cut
    blank: int = 0  # the newest that is zeros without metadata: a new file
    unsafe_begun: int = 0  # commits at level none: a power cut may damage the file
    unsafe_ended: int = 0  # of those, how many a later commit has made safe again
    new_begun: int = 0  # files new-LANE-NUMBER.mla
    new_safe: int = 0  # the newest of them that survives a power cut


class Ledger:
    """Counts in memory that all processes share, so that a kill does not lose them."""

    _ROW = struct.Struct(f"<{len(Counts._fields)}q")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def read(self) -> Counts:
        return Counts(*self._ROW.unpack_from(self._memory))

    def write(self, counts: Counts) -> None:
        self._ROW.pack_into(self._memory, 0, *counts)

    def _set(self, **values: int) -> None:
        # Each is one store of eight bytes.
        for name, value in values.items():
            struct.pack_into("<q", self._memory, 8 * Counts._fields.index(name), value)

    def begin(self, *levels: Level, blank: bool = False) -> int:
        """The number of a new state, before anything is done for it."""
        now = self.read()
        if "none" in levels:
            self._set(unsafe_begun=now.unsafe_begun + 1)
        number = now.begun + 1
        self._set(**({"blank": number} if blank else {}), begun=number)
        return number

    def done(self, number: int, level: Level) -> None:
        """The call that commits it has returned."""
        self._set(kept=number)
        if level == "durable":
            self._set(safe=number)
        if level != "none":
            self._set(unsafe_ended=self.read().unsafe_begun)

    def begin_unsafe(self, level: Level) -> None:
        """A file is rewritten in the state that it has."""
        if level == "none":
            self._set(unsafe_begun=self.read().unsafe_begun + 1)

    def begin_new(self) -> int:
        number = self.read().new_begun + 1
        self._set(new_begun=number)
        return number

    def done_new(self, number: int) -> None:
        self._set(new_safe=number)


def save(path: Path, number: int, level: Level) -> None:
    """A new file of one state, over the one that is there."""
    image = MLArray(voxels_of(number, number), meta={"number": number, "base": number})
    image.save(path, level=level, **LAYOUT)


class WrongError(Exception):
    """A file is not what it may be. The first word is "lost" or "wrong"."""


class Found(NamedTuple):
    """What a file holds."""

    number: int | None
    base: int
    voxels: np.ndarray[Any, Any]

    def is_state(self, number: int, base: int) -> bool:
        return bool((self.voxels == voxels_of(number, base)).all())


def read(path: Path) -> Found:
    """Read and verify all of a file."""
    try:
        with MLArray.open(path, verify=True) as image:
            voxels = image[...]
            source = dict(image.meta.source)
            status = image.verify(decode=False).status
    except Exception as error:
        raise WrongError(f"lost {path.name}: {type(error).__name__}: {error}") from error
    if status != "verified":
        raise WrongError(f"wrong {path.name}: it is {status}")
    number = source.get("number")
    return Found(number, source.get("base", 0), voxels)


def judge(path: Path, least: int, counts: Counts) -> None:
    """Raise WrongError unless the file is one state from `least` to the newest begun."""
    found = read(path)
    number = found.number
    if number is None:
        number = counts.blank
        # Voxels and metadata are two edits: a commit by the budget of time may divide them.
        next_one = found.is_state(number + 1, number + 1)
        right = not found.voxels.any() or (number >= least and next_one)
    else:
        right = found.is_state(number, found.base)
        if not right and number >= least:
            bases = (found.base, number + 1)
            right = any(found.is_state(number + 1, base) for base in bases)
    if not right:
        raise WrongError(f"wrong {path.name}: no state has these voxels (number {number})")
    if not least <= number <= counts.begun:
        possible = f"{least} to {counts.begun} are possible"
        raise WrongError(f"lost {path.name}: it is state {number}; {possible}")
