"""Writes chunks.bin: Blosc2 chunks made by python-blosc2, with what they decode to.

Run with an interpreter that has blosc2 (made with 4.14.1): python make_chunks.py

Layout, integers little-endian uint32: "MLACHNK1"; number of raw buffers, each as size and
bytes; number of chunks, each as size and text of a name, index of its raw buffer, size and
bytes of the chunk.
"""

from __future__ import annotations

import struct
from pathlib import Path

import blosc2
import numpy as np
from blosc2 import Codec, Filter, SplitMode

CODECS = (Codec.BLOSCLZ, Codec.LZ4, Codec.LZ4HC, Codec.ZLIB, Codec.ZSTD)
TYPESIZES = (1, 2, 3, 4, 7, 8, 16, 255, 300)
FILTERS = {
    "none": ([], []),
    "shuffle": ([0, 0, 0, 0, 0, Filter.SHUFFLE], [0] * 6),
    "shuffle-first": ([Filter.SHUFFLE], [0]),
    "bitshuffle": ([Filter.BITSHUFFLE], [0]),
    "delta": ([Filter.DELTA], [0]),
    "delta-shuffle": ([Filter.DELTA, Filter.SHUFFLE], [0, 0]),
    "shuffle-bytedelta": ([Filter.SHUFFLE, Filter.BYTEDELTA], [0, 0]),
    "trunc_prec-shuffle": ([Filter.TRUNC_PREC, Filter.SHUFFLE], [7, 0]),
    "int_trunc-shuffle": ([Filter.INT_TRUNC, Filter.SHUFFLE], [6, 0]),
    "shuffle-width-2": ([Filter.SHUFFLE], [2]),
}

raws: list[bytes] = []
raw_index: dict[bytes, int] = {}
chunks: list[tuple[str, int, bytes]] = []


def add(name: str, chunk: bytes, raw: bytes) -> None:
    if raw not in raw_index:
        raw_index[raw] = len(raws)
        raws.append(raw)
    chunks.append((name, raw_index[raw], chunk))


def compress(raw: bytes, **cparams) -> bytes:
    return blosc2.compress2(raw, nthreads=1, clevel=cparams.pop("clevel", 5), **cparams)


def signal(typesize: int, elements: int) -> bytes:
    """A slow wave in the low byte, runs in the others, noise and zeros in places."""
    rng = np.random.default_rng(typesize)
    data = np.zeros((elements, typesize), np.uint8)
    t = np.arange(elements)
    data[:, 0] = 100 + 60 * np.sin(t / 9) + rng.integers(0, 3, elements)
    if typesize > 1:
        data[:, 1] = t // 50
    if typesize > 2:
        data[:, 2] = rng.integers(0, 256, elements)
        data[:, 3:] = 0x41
    data[elements // 4 : elements // 3] = 0
    return data.tobytes()


def every_combination() -> None:
    for typesize in TYPESIZES:
        elements = max(1500 // typesize, 13)
        raw = signal(typesize, elements)
        blocksize = max(600 // typesize, 5) * typesize
        for codec in CODECS:
            for split in (SplitMode.ALWAYS_SPLIT, SplitMode.NEVER_SPLIT):
                for name, (filters, meta) in FILTERS.items():
                    if "trunc" in name and typesize not in (4, 8):
                        continue
                    if "width" in name and typesize not in (1, 4):
                        continue
                    if "delta" in name and codec not in (Codec.LZ4, Codec.ZSTD, Codec.BLOSCLZ):
                        continue
                    stored = min(typesize, 256) % 256 or 1
                    try:
                        chunk = compress(
                            raw,
                            codec=codec,
                            splitmode=split,
                            typesize=stored,
                            blocksize=blocksize,
                            filters=filters or [Filter.NOFILTER],
                            filters_meta=meta or [0],
                        )
                    except RuntimeError as error:
                        print("skipped", codec, typesize, name, error)
                        continue
                    decoded = bytes(blosc2.decompress2(chunk))
                    if "trunc" not in name:
                        assert decoded == raw, (codec, typesize, name)
                    add(
                        f"{codec.name.lower()} {name} typesize={typesize} "
                        f"{'split' if split == SplitMode.ALWAYS_SPLIT else 'whole'}",
                        chunk,
                        decoded,
                    )


def special_cases() -> None:
    rng = np.random.default_rng(99)
    noise = rng.bytes(1700)
    add("incompressible", compress(noise, codec=Codec.ZSTD, typesize=1, blocksize=500), noise)
    add("level 0", compress(noise, codec=Codec.LZ4, typesize=4, blocksize=400, clevel=0), noise)
    add("three bytes", compress(b"abc", codec=Codec.LZ4, typesize=1, blocksize=100), b"abc")
    add("empty", compress(b"", codec=Codec.LZ4, typesize=1), b"")
    add(
        "zero run",
        compress(bytes(3000), codec=Codec.LZ4, typesize=2, blocksize=600),
        bytes(3000),
    )
    for value in (1, 127, 255):
        raw = bytes(1000) + bytes([value]) * 2000
        add(f"run of {value}", compress(raw, codec=Codec.LZ4, typesize=4, blocksize=1000), raw)

    wave = np.cumsum(rng.integers(-3, 4, 4000)).astype("<i4").tobytes()
    for codec in (Codec.ZSTD, Codec.LZ4, Codec.LZ4HC):
        chunk = compress(wave, codec=codec, typesize=4, blocksize=4096, use_dict=True)
        if not chunk[31] & 1:
            print("no dictionary:", codec)
            continue
        add(f"dictionary {codec.name.lower()}", chunk, wave)

    layout = {"chunks": (10, 10), "blocks": (5, 5)}
    for dtype in ("<f4", "<f8"):
        array = blosc2.nans((20, 30), dtype=np.dtype(dtype), **layout)
        add(
            f"special nan {dtype}",
            array.schunk.get_chunk(0),
            np.full(100, np.nan, dtype).tobytes(),
        )
    for dtype, value in (
        ("|u1", 7),
        ("<i2", -3),
        ("<f4", 0.25),
        ("<f8", 1e300),
        ("<c16", 2 - 3j),
        ("<f2", np.nan),
    ):
        array = blosc2.full((20, 30), value, dtype=np.dtype(dtype), **layout)
        add(
            f"special value {dtype}",
            array.schunk.get_chunk(0),
            np.full(100, value, dtype).tobytes(),
        )
    array = blosc2.uninit((20, 30), dtype=np.dtype("<i2"), **layout)
    add("special uninit <i2", array.schunk.get_chunk(0), bytes(200))
    array = blosc2.zeros((20, 30), dtype=np.dtype("S300"), **layout)
    add("special zeros S300", array.schunk.get_chunk(0), bytes(30000))


def main() -> None:
    every_combination()
    special_cases()
    out = [b"MLACHNK1", struct.pack("<I", len(raws))]
    for raw in raws:
        out += [struct.pack("<I", len(raw)), raw]
    out.append(struct.pack("<I", len(chunks)))
    for name, index, chunk in chunks:
        text = name.encode()
        out += [
            struct.pack("<I", len(text)),
            text,
            struct.pack("<II", index, len(chunk)),
            chunk,
        ]
    path = Path(__file__).with_name("chunks.bin")
    path.write_bytes(b"".join(out))
    print(f"{len(chunks)} chunks, {len(raws)} raw buffers, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
