"""Ways of damaging the bytes of a file. Pure: the same numbers give the same damage."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ["damage"]

# What lengths, offsets and counts like least.
_EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    2**63 - 1,
    2**63,
)


def damage(good: bytes, random: Random) -> tuple[bytes, str]:
    """A damaged copy, never equal to the original, and what was done to it."""
    for _ in range(20):
        kind, change = random.choice(_KINDS)
        data = bytearray(good)
        change(data, random)
        if data != good:
            return bytes(data), kind
    return good[:-1], "truncation"


def _header_len(data: bytes) -> int:
    return min(int.from_bytes(data[11:15], "big"), len(data))


def _trailer(data: bytes) -> int:
    """Where the trailer of the committed state begins."""
    end = min(int.from_bytes(data[16:24], "big"), len(data))
    return max(0, end - int.from_bytes(data[end - 22 : end - 18], "big"))


def _index(data: bytes) -> int:
    return min(_header_len(data) + int.from_bytes(data[39:47], "big"), len(data))


def _chunks(data: bytes) -> list[tuple[int, int]]:
    """Start and length of the chunks that follow one another behind the header."""
    found = []
    at, end = _header_len(data), _index(data)
    while at + 32 <= end:
        size = int.from_bytes(data[at + 12 : at + 16], "little")
        if not 32 <= size <= end - at:
            break
        found.append((at, size))
        at += size
    return found


def _place(data: bytes, random: Random, low: int = 0, high: int | None = None) -> int:
    high = len(data) if high is None else high
    return random.randrange(low, max(low + 1, high)) % len(data)


def _flip(data: bytearray, at: int, random: Random) -> None:
    data[at] ^= 1 << random.randrange(8)


def _flips(data: bytearray, random: Random) -> None:
    for _ in range(random.choice((1, 1, 1, 2, 8))):
        _flip(data, _place(data, random), random)


def _flip_header(data: bytearray, random: Random) -> None:
    _flip(data, _place(data, random, 0, _header_len(data)), random)


def _flip_index(data: bytearray, random: Random) -> None:
    _flip(data, _place(data, random, _index(data), _trailer(data)), random)


def _flip_trailer(data: bytearray, random: Random) -> None:
    _flip(data, _place(data, random, _trailer(data)), random)


def _flip_chunk_header(data: bytearray, random: Random) -> None:
    chunks = _chunks(data)
    if chunks:
        start, _ = random.choice(chunks)
        _flip(data, start + random.randrange(32), random)


def _byte(data: bytearray, random: Random) -> None:
    data[_place(data, random)] = random.randrange(256)


def _extreme(data: bytearray, random: Random) -> None:
    """A number of 4 or 8 bytes, where numbers are."""
    chunks = _chunks(data)
    starts = [0, _index(data), _trailer(data), *(start for start, _ in chunks[:8])]
    start, size = random.choice(starts), random.choice((4, 8))
    at = min(start + random.randrange(64), len(data) - size)
    value = random.choice(_EXTREMES) % 256**size
    data[at : at + size] = value.to_bytes(size, random.choice(("big", "little")))


def _zeros(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    size = min(random.choice((1, 4, 16, 17, 64, 512, 4096)), len(data) - at)
    data[at : at + size] = bytes(size)


def _truncate(data: bytearray, random: Random) -> None:
    del data[random.choice((_place(data, random), len(data) - 1 - random.randrange(40))) :]


def _extend(data: bytearray, random: Random) -> None:
    data += random.randbytes(random.choice((1, 16, 500)))


def _cut_out(data: bytearray, random: Random) -> None:
    at = _place(data, random)
    del data[at : at + random.choice((1, 4, 32, 512))]


def _swap(data: bytearray, a: int, b: int, size: int) -> None:
    if a + size <= b and b + size <= len(data):
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def _swap_ranges(data: bytearray, random: Random) -> None:
    a, b = sorted((_place(data, random), _place(data, random)))
    _swap(data, a, b, min(random.choice((16, 64, 512)), b - a, len(data) - b))


def _swap_chunks(data: bytearray, random: Random) -> None:
    chunks = _chunks(data)
    pairs = [(a, b) for i, a in enumerate(chunks) for b in chunks[i + 1 :] if a[1] == b[1]]
    if pairs:
        (a, size), (b, _) = random.choice(pairs[:200])
        _swap(data, a, b, size)


def _swap_block_starts(data: bytearray, random: Random) -> None:
    """Two blocks of a chunk change places, as far as its readers see."""
    chunks = _chunks(data)
    if not chunks:
        return
    start, size = random.choice(chunks)
    nbytes = int.from_bytes(data[start + 4 : start + 8], "little")
    blocksize = int.from_bytes(data[start + 8 : start + 12], "little")
    count = -(-nbytes // blocksize) if blocksize else 0
    if count >= 2 and 32 + 4 * count <= size:
        a, b = sorted(random.sample(range(count), 2))
        _swap(data, start + 32 + 4 * a, start + 32 + 4 * b, 4)


def _copy_range(data: bytearray, random: Random) -> None:
    """Part of the file over another, as a file system may do it."""
    size = min(random.choice((4, 32, 512)), len(data))
    a, b = (random.randrange(len(data) - size + 1) for _ in range(2))
    data[b : b + size] = data[a : a + size]


_KINDS: list[tuple[str, Callable[[bytearray, Random], None]]] = [
    ("flipped bits", _flips),
    ("flipped bit in the header", _flip_header),
    ("flipped bit in the index", _flip_index),
    ("flipped bit in the trailer", _flip_trailer),
    ("flipped bit in a chunk's header", _flip_chunk_header),
    ("other byte", _byte),
    ("extreme number", _extreme),
    ("zeroed range", _zeros),
    ("truncation", _truncate),
    ("extension", _extend),
    ("cut out", _cut_out),
    ("swapped ranges", _swap_ranges),
    ("swapped chunks", _swap_chunks),
    ("swapped block starts", _swap_block_starts),
    ("copied range", _copy_range),
]
