"""Write golden ``.b2nd`` files with whichever python-blosc2 runs this script.

    python write_blosc2.py FOLDER

Writes FOLDER/*.b2nd and FOLDER/expected.json. Where a filter loses precision, or a writer
leaves voxels undefined, what is expected stands beside the file as .npy: python-blosc2's
own answer. make_golden.py calls this in one environment per version.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import voxels

C, F = blosc2.Codec, blosc2.Filter
SMALL = {"chunks": (6, 14, 8), "blocks": (3, 7, 4)}
WIDE = np.dtype([("name", "S260"), ("value", "<f8")])  # elements of more than 255 bytes


def by_chunk(array: blosc2.NDArray) -> np.ndarray:
    """Read an array chunk by chunk, each decompressed whole."""
    out = np.zeros(array.shape, dtype=array.dtype)
    steps, blocks = array.chunks, array.blocks
    cells = [-(-chunk // block) for chunk, block in zip(steps, blocks)]
    padded = [count * block for count, block in zip(cells, blocks)]
    corners = np.ndindex(*[-(-n // step) for n, step in zip(array.shape, steps)])
    for number, corner in enumerate(corners):
        flat = np.frombuffer(array.schunk.decompress_chunk(number), dtype=array.dtype)
        order = [axis + part * array.ndim for axis in range(array.ndim) for part in (0, 1)]
        chunk = flat.reshape(*cells, *blocks).transpose(order).reshape(padded)
        start = [index * step for index, step in zip(corner, steps)]
        stop = [min(a + step, n) for a, step, n in zip(start, steps, array.shape)]
        source = tuple(slice(0, b - a) for a, b in zip(start, stop))
        out[tuple(map(slice, start, stop))] = chunk[source]
    return out


class Writer:
    """Writes one file after another and notes what each must give back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expected: dict[str, Any] = {}
        self.refused: dict[str, str] = {}

    def add(
        self,
        name: str,
        dtype: Any = "<i2",
        shape: tuple[int, ...] = (12, 14, 16),
        formula: str = "ramp",
        lossy: bool = False,
        whole_chunks: bool = False,
        write: Any = None,
        **options: Any,
    ) -> None:
        """Write ``name``.b2nd from an array, or by ``write(path)``.

        ``whole_chunks``: check by decompressing whole chunks, because slices of chunks with
        the DELTA filter come out wrong in python-blosc2 4.14.1.
        """
        path = self.folder / f"{name}.b2nd"
        dtype = np.dtype(dtype)
        wanted = voxels.make(formula, shape, dtype)
        try:
            if write is None:
                blosc2.asarray(wanted, urlpath=str(path), mode="w", **options)
            else:
                write(str(path))
            back = blosc2.open(str(path), mode="r")
            data = by_chunk(back) if whole_chunks else np.asarray(back[()])
            if data.shape != shape or back.dtype != dtype:
                raise ValueError(f"read back as {data.shape} {back.dtype}")
            if lossy:
                np.save(self.folder / f"{name}.npy", data)
            elif data.tobytes() != wanted.tobytes():
                raise ValueError("python-blosc2 itself reads back something else")
            self.expected[path.name] = {
                "formula": None if lossy else formula,
                "shape": list(shape),
                "dtype": dtype.descr if dtype.names else dtype.str,
                "chunks": list(back.chunks),
                "blocks": list(back.blocks),
            }
        except Exception as error:  # a version that cannot write this is a fact, not a fault
            path.unlink(missing_ok=True)
            self.refused[name] = f"{type(error).__name__}: {error}"[:200]

    def finish(self) -> None:
        document = {
            "writer": f"python-blosc2 {blosc2.__version__}",
            "blosc2": blosc2.__version__,
            "numpy": np.__version__,
            "files": self.expected,
            "refused": self.refused,
        }
        text = json.dumps(document, sort_keys=True).replace('{"blocks"', '\n{"blocks"')
        (self.folder / "expected.json").write_text(text + "\n")
        print(f"{blosc2.__version__}: {len(self.expected)} files, refused: {self.refused}")


def write_codecs(out: Writer) -> None:
    for codec in (C.BLOSCLZ, C.LZ4, C.LZ4HC, C.ZLIB, C.ZSTD):
        for level in (1, 9):
            name = f"codec-{codec.name.lower()}-{level}"
            out.add(
                name, "<i2", (8, 14, 10), cparams={"codec": codec, "clevel": level}, **SMALL
            )
        for mode in (blosc2.SplitMode.ALWAYS_SPLIT, blosc2.SplitMode.NEVER_SPLIT):
            name = f"{mode.name.lower().replace('_', '-')}-{codec.name.lower()}"
            cparams = {"codec": codec, "clevel": 5, "splitmode": mode}
            out.add(name, "<f4", (6, 14, 8), "smooth", cparams=cparams, **SMALL)
    out.add("stored", shape=(6, 14, 8), cparams={"clevel": 0}, **SMALL)
    for name, filters, meta in (
        ("nofilter", [F.NOFILTER], [0]),
        ("shuffle", [F.SHUFFLE], [0]),
        ("bitshuffle", [F.BITSHUFFLE], [0]),
        ("delta", [F.DELTA], [0]),
        ("delta-shuffle", [F.DELTA, F.SHUFFLE], [0, 0]),
        ("shuffle-bytedelta", [F.SHUFFLE, F.BYTEDELTA], [0, 0]),
    ):
        for dtype in ("u1", "<i2", "<f4"):
            cparams = {"codec": C.LZ4, "clevel": 5, "filters": filters, "filters_meta": meta}
            out.add(
                f"filter-{name}-{np.dtype(dtype).name}",
                dtype,
                (8, 14, 10),
                "ramp",
                whole_chunks=True,
                cparams=cparams,
                **SMALL,
            )
    cparams = {"codec": C.ZSTD, "clevel": 5, "filters": [F.TRUNC_PREC], "filters_meta": [10]}
    out.add(
        "filter-trunc-prec", "<f4", (6, 14, 8), "smooth", lossy=True, cparams=cparams, **SMALL
    )
    if hasattr(F, "INT_TRUNC"):
        cparams = {"codec": C.ZSTD, "filters": [F.INT_TRUNC], "filters_meta": [4]}
        out.add("filter-int-trunc", "<i4", (6, 14, 8), lossy=True, cparams=cparams, **SMALL)
    for codec in (C.ZSTD, C.LZ4, C.LZ4HC):
        cparams = {"codec": codec, "clevel": 5, "use_dict": True}
        out.add(
            f"dictionary-{codec.name.lower()}",
            "<i4",
            (16, 16, 16),
            cparams=cparams,
            chunks=(16, 16, 16),
            blocks=(8, 8, 8),
        )


def write_shapes(out: Writer) -> None:
    out.add("0d", "<f8", ())
    for ndim in range(1, 9):
        shape = (5, 4, 3, 3, 1, 2, 1, 2)[:ndim]
        chunks, blocks = (3, 4, 2, 3, 1, 2, 1, 1)[:ndim], (2, 2, 2, 1, 1, 2, 1, 1)[:ndim]
        out.add(f"{ndim}d", "<i4", shape, chunks=chunks, blocks=blocks)
    out.add("long-1d", "u1", (5007,), chunks=(2048,), blocks=(512,))
    for shape in ((0,), (0, 3), (3, 0, 4)):
        out.add("empty-" + "x".join(map(str, shape)), "<i2", shape)
    out.add("ones-axes", "<i2", (1, 7, 1), chunks=(1, 4, 1), blocks=(1, 2, 1))
    out.add("uneven", shape=(11, 13, 9), chunks=(8, 9, 5), blocks=(3, 4, 2))


def write_dtypes(out: Writer) -> None:
    for name, dtype in (
        ("bool", "?"),
        ("i1", "i1"),
        ("u4", "<u4"),
        ("i8", "<i8"),
        ("f2", "<f2"),
        ("c8", "<c8"),
        ("c16", "<c16"),
        ("big-i4", ">i4"),
        ("big-f8", ">f8"),
        ("big-c16", ">c16"),
        ("s7", "S7"),
        ("u6", "<U6"),
        ("big-u2", ">U2"),
        ("m8", "<m8[ms]"),
        ("big-m8", ">M8[D]"),
        ("structured", [("a", "u1"), ("b", "<f8"), ("c", [("d", "<i2"), ("e", "S3")])]),
        ("subarray", [("m", "<f4", (2, 2)), ("n", "<i2")]),
    ):
        out.add(f"dtype-{name}", dtype, (5, 6, 7))
    out.add("itemsize-300", "S300", (3, 5), chunks=(2, 3), blocks=(1, 2))
    out.add("itemsize-268", WIDE, (3, 5), chunks=(2, 3), blocks=(1, 2))
    out.add("itemsize-255", "S255", (3, 5), chunks=(2, 3), blocks=(1, 2))
    out.add("itemsize-256", "S256", (3, 5), chunks=(2, 3), blocks=(1, 2))


def write_special(out: Writer) -> None:
    shape = (12, 14, 8)

    def zeros(path: str) -> None:
        blosc2.zeros(shape, dtype="<i2", urlpath=path, mode="w", **SMALL)

    def nans(path: str) -> None:
        blosc2.full(shape, np.nan, dtype="<f4", urlpath=path, mode="w", **SMALL)

    def sevens(path: str) -> None:
        blosc2.full(shape, 7, dtype="<i4", urlpath=path, mode="w", **SMALL)

    def complex_sevens(path: str) -> None:
        blosc2.full(shape, 7, dtype="<c16", urlpath=path, mode="w", **SMALL)

    def touched(path: str) -> None:
        array = blosc2.zeros(shape, dtype="<i4", urlpath=path, mode="w", **SMALL)
        array[...] = voxels.make("mixed", shape, "<i4")

    def partly_written(path: str) -> None:
        array = blosc2.full(shape, 7, dtype="<i4", urlpath=path, mode="w", **SMALL)
        array[:4] = 0
        array[8:] = voxels.make("mixed", shape, "<i4")[8:]

    def never_written(path: str) -> None:
        blosc2.uninit(shape, dtype="<i2", urlpath=path, mode="w", **SMALL)

    def grown(path: str) -> None:
        array = blosc2.asarray(
            voxels.make("ramp", shape, "<i2")[:6], urlpath=path, mode="w", **SMALL
        )
        array.resize(shape)
        array[6:] = voxels.make("ramp", shape, "<i2")[6:]

    def edited(path: str) -> None:
        array = blosc2.asarray(
            voxels.make("ramp", shape, "<i2"), urlpath=path, mode="w", **SMALL
        )
        array[1:3] = 5
        array.schunk.vlmeta["note"] = {"kept": [1, 2]}
        array.schunk.vlmeta["second"] = "text"

    def with_metalayer(path: str) -> None:
        array = blosc2.asarray(
            voxels.make("ramp", shape, "<i2"),
            urlpath=path,
            mode="w",
            meta={"mine": b"x" * 40},
            **SMALL,
        )
        del array

    out.add("special-zeros", "<i2", shape, "zeros", write=zeros)
    out.add("special-nan", "<f4", shape, "nan", write=nans)
    out.add("special-value", "<i4", shape, "constant", write=sevens)
    out.add("special-complex", "<c16", shape, "constant", write=complex_sevens)
    out.add("special-mixed", "<i4", shape, "mixed", write=touched)
    out.add("special-edited", "<i4", shape, "mixed", write=partly_written)
    out.add("grown", "<i2", shape, write=grown)
    out.add("edited", "<i2", shape, "edited", write=edited)
    out.add("metalayer", "<i2", shape, write=with_metalayer)
    # Undefined voxels: python-blosc2 shows what lay in memory, so only the rule is stated.
    never_written(str(out.folder / "special-uninitialised.b2nd"))
    out.expected["special-uninitialised.b2nd"] = {
        "formula": "zeros",
        "shape": list(shape),
        "dtype": "<i2",
        "chunks": list(SMALL["chunks"]),
        "blocks": list(SMALL["blocks"]),
    }


if __name__ == "__main__":
    writer = Writer(Path(sys.argv[1]))
    write_codecs(writer)
    write_shapes(writer)
    write_dtypes(writer)
    write_special(writer)
    writer.finish()
