"""Writes the inputs that fuzzing starts from: one folder for each target.

    build/venv/bin/python fuzz/make_seeds.py build/fuzz-corpus

They are cut out of files that the repository has anyway (golden files, tables of the tests),
and a few that the installed package writes now.
"""

from __future__ import annotations

import gzip
import hashlib
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import blosc2
import numpy as np

import mlarray

ROOT = Path(__file__).resolve().parent.parent
# Mutations of a small file hit something more often.
MOST_BYTES = 6000


def layers(data: bytes, at: int) -> Iterator[tuple[str, bytes]]:
    """Name and content of the metalayers whose list starts at ``at``."""
    at += 7
    for _ in range(struct.unpack(">H", data[at - 2 : at])[0]):
        length = data[at] & 0x1F
        name = data[at + 1 : at + 1 + length].decode()
        at += 1 + length
        (offset,) = struct.unpack(">i", data[at + 1 : at + 5])
        at += 5
        (size,) = struct.unpack(">I", data[offset + 1 : offset + 5])
        yield name, data[offset + 5 : offset + 5 + size]


class Frame:
    """The parts of a file, found without the library under test."""

    def __init__(self, data: bytes) -> None:
        header_len, self.frame_len = struct.unpack(">IxQ", data[11:24])
        nbytes, cbytes, self.typesize = struct.unpack(">qxqxi", data[30:52])
        self.header = data[:header_len]
        index_at = header_len + cbytes
        (trailer_len,) = struct.unpack(">I", data[self.frame_len - 22 : self.frame_len - 18])
        self.trailer = data[self.frame_len - trailer_len : self.frame_len]
        self.has_vlmeta = data[68] == 0xC3
        self.chunks: list[bytes] = []
        if nbytes > 0:
            (size,) = struct.unpack("<i", data[index_at + 12 : index_at + 16])
            index = data[index_at : index_at + size]
            self.chunks.append(index)
            for entry in np.frombuffer(blosc2.decompress2(index), "<i8").tolist():
                if entry >= 0:
                    at = header_len + entry
                    (size,) = struct.unpack("<i", data[at + 12 : at + 16])
                    self.chunks.append(data[at : at + size])

    def b2nd(self) -> bytes | None:
        return dict(layers(self.header, 87)).get("b2nd") if len(self.header) > 87 else None

    def vlmeta(self) -> dict[str, bytes]:
        return dict(layers(self.trailer, 2)) if self.has_vlmeta else {}


def lz4_streams(chunk: bytes) -> Iterator[bytes]:
    """The LZ4 blocks in a chunk, each behind its decoded size and a slack of 64."""
    flags, typesize = chunk[2], chunk[3]
    nbytes, blocksize, cbytes = struct.unpack("<3i", chunk[4:16])
    special, stored, lz4 = chunk[31] >> 4 & 7, flags & 2, flags >> 5 == 1
    if special or stored or not lz4 or blocksize <= 0 or cbytes > len(chunk):
        return
    for number in range(-(-nbytes // blocksize)):
        (at,) = struct.unpack_from("<i", chunk, 32 + 4 * number)
        whole = (number + 1) * blocksize <= nbytes
        streams = typesize if whole and not flags & 16 else 1
        size = min(blocksize, nbytes - number * blocksize) // streams
        for _ in range(streams):
            (length,) = struct.unpack_from("<i", chunk, at)
            at += 4
            if length < 0:
                at += 1  # a run of one byte
            elif 0 < length < size <= 65535 and length <= MOST_BYTES - 3:
                yield struct.pack(">HB", size, 64) + chunk[at : at + length]
            at += max(length, 0)


def written_now(folder: Path) -> Iterator[bytes]:
    """Files as this version writes them: sealed, with checksums."""
    ramp = np.arange(7 * 9 * 11, dtype=np.int16).reshape(7, 9, 11)
    cases = {
        "int16": (ramp, {}),
        "uint8": ((ramp % 5).astype(np.uint8), {"patch_size": 4}),
        "float32": (
            ramp.astype(np.float32) / 3,
            {"chunk_size": (3, 4, 11), "block_size": (2, 3, 5)},
        ),
        "zeros": (np.zeros((5, 6), np.float64), {}),
        "bool": (ramp % 2 == 0, {}),
    }
    for name, (voxels, options) in cases.items():
        image = mlarray.MLArray(
            voxels, spacing=[1.0, 2.0, 0.5][: voxels.ndim], meta={"a": [1, "b", None]}
        )
        image.save(folder / f"{name}.mla", **options)
        yield (folder / f"{name}.mla").read_bytes()


def damaged(data: bytes) -> Iterator[bytes]:
    """Without its last bytes, with holes, and with bytes cut out."""
    end = len(data)
    yield data[: end - 30]
    for at in (90, end * 2 // 3):
        yield data[:at] + bytes(16) + data[at + 16 :]
    yield data[: end // 2] + data[end // 2 + 8 :]


def collect() -> dict[str, list[bytes]]:
    """All seeds by target."""
    seeds: dict[str, list[bytes]] = {
        "array": [],
        "b2nd": [],
        "checksums": [],
        "chunk": [],
        "edit": [],
        "frame": [],
        "layout": [],
        "literal": [],
        "lz4": [],
        "metadata": [],
        "msgpack": [],
        "pickle": [],
        "records": [],
        "runs": [],
        "salvage": [],
        "splice": [],
        "value": [],
    }
    files = sorted((ROOT / "tests/data/golden").rglob("*.mla"))
    files += sorted((ROOT / "tests/data/golden").rglob("*.b2nd"))
    contents = [file.read_bytes() for file in files]
    with tempfile.TemporaryDirectory() as folder:
        contents += list(written_now(Path(folder)))
    for data in contents:
        if len(data) <= MOST_BYTES:
            seeds["frame"].append(data)
            seeds["array"].append(data)
            seeds["edit"].append(b"\x07" + data)
            seeds["salvage"] += [data, *damaged(data)]
        frame = Frame(data)
        b2nd = frame.b2nd()
        if b2nd is not None:
            seeds["b2nd"].append(struct.pack(">H", min(frame.typesize, 65535)) + b2nd)
            if b"\xdb" in b2nd:
                seeds["literal"].append(b2nd[b2nd.rindex(b"\xdb") + 5 :])
        seeds["chunk"] += [chunk for chunk in frame.chunks if len(chunk) <= MOST_BYTES]
        for chunk in frame.chunks:
            if len(chunk) <= MOST_BYTES:
                seeds["splice"] += [struct.pack(">IHB", at, 40, 7) + chunk for at in (3, 999)]
            seeds["lz4"] += lz4_streams(chunk)
        table = frame.vlmeta().get("mlarray:checksums")
        if table is not None and len(table) <= MOST_BYTES:
            (blocks,) = struct.unpack("<I", table[41:45])
            chunks = (len(table) - 45) // 4 // blocks
            seeds["checksums"].append(struct.pack(">QQ", chunks, blocks) + table)
        chunk = frame.vlmeta().get("mlarray")
        if chunk is None:
            continue
        value = blosc2.decompress2(chunk)
        seeds["metadata"] += [b"\x01" + chunk, b"\x00" + value]
        seeds["msgpack"].append(value)
        if (start := value.find(b"\x1f\x8b")) in range(2, 6):
            seeds["pickle"].append(gzip.decompress(value[start:]))
    encoding = ROOT / "tests/cpp/encoding/data"
    for line in (encoding / "pickles.tsv").read_text().splitlines():
        seeds["pickle"].append(bytes.fromhex(line.split("\t")[2]))
    for line in (encoding / "encoded.tsv").read_text().splitlines():
        seeds["pickle"] += [bytes.fromhex(text) for text in line.split("\t")[1:]]
    for line in (encoding / "dtypes.tsv").read_text().splitlines():
        seeds["literal"].append(bytes.fromhex(line.split("\t")[0]))
    seeds["literal"] += [
        b"[('a', '<i4'), ('b', '<f8', (2, 3))]",
        b"{'names': ['x'], 'formats': ['<u2']}",
        rb"{'a': -1.5e3, b'\x00': (1,), 'u\u00e9\N': [True, None, 0x1f, 1_000, 2j]}",
    ]
    noise = np.random.default_rng(1)
    for target in ("layout", "records", "runs", "value"):
        seeds[target] = [noise.bytes(size) for size in (8, 16, 32, 64, 128, 256, 512)]
    return seeds


def main(folder: Path) -> None:
    """Write every seed under the hash of its bytes, as libFuzzer names them."""
    for target, inputs in collect().items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for data in inputs:
            (folder / target / hashlib.sha1(data).hexdigest()).write_bytes(data)
        print(f"{target}: {len(set(inputs))} seeds")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
