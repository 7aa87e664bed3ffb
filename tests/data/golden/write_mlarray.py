"""Write golden files with whichever version of the reference runs this script.

    python write_mlarray.py FOLDER

Writes FOLDER/*.mla and FOLDER/expected.json. What is expected is what this version of the
reference itself reads back, in a fresh process state (the file is opened again).
make_golden.py calls this in one environment per version.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

import mlarray
from mlarray import Meta, MLArray

sys.path.insert(0, str(Path(__file__).parent))
import voxels

VERSION = tuple(int(part) for part in mlarray.__version__.split("."))
CONSTRUCTOR = inspect.signature(MLArray.__init__).parameters
HAS_LABELS = "axis_labels" in CONSTRUCTOR  # else channel_axis
LAYOUT_IN_CONSTRUCTOR = "patch_size" in CONSTRUCTOR  # else in save()
PICKLES = VERSION >= (0, 0, 49)

SOURCE = {
    "patient_id": "123",
    "modality": "CT",
    "größe": "Köln \u2192 \U0001f9e0",
    "exposure": 0.1,
    "series": [1, 2, {"deep": [None, True, False, -1.5e300]}],
    "negative": -(2**40),
    "empty": {"dict": {}, "text": ""},
}
if PICKLES:  # the reader of msgpack files fails on an empty list
    SOURCE["empty list"] = []


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it; maps with other keys than text get a tag."""
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {str(key): plain(item) for key, item in value.items()}
        return {"__items__": [[plain(key), plain(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"cannot describe {value!r}")


def describe(meta: Meta) -> Any:
    """Return the metadata as ``plain``, without the fields that are unset."""
    out = {}
    for name, section in meta.to_mapping().items():
        section = plain(section)
        if isinstance(section, dict):
            section = {key: value for key, value in section.items() if value is not None}
        out[name] = section
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
        dtype: Any = "int16",
        shape: tuple[int, ...] = (12, 14, 16),
        formula: str = "ramp",
        edit: Any = None,
        suffix: str = ".mla",
        **options: Any,
    ) -> None:
        path = self.folder / (name + suffix)
        array = voxels.make(formula if edit is None else "ramp", shape, dtype)
        layout = {
            key: options.pop(key)
            for key in ("patch_size", "chunk_size", "block_size", "cparams")
            if key in options
        }
        meta = options.get("meta")
        if isinstance(meta, dict) and "__sections__" in meta:
            options["meta"] = Meta.from_mapping(meta["__sections__"])
        try:
            if LAYOUT_IN_CONSTRUCTOR:
                MLArray(array, **options, **layout).save(str(path))
            else:
                MLArray(array, **options).save(str(path), **layout)
            if edit is not None:
                edit(path)
            self.note(path, formula, shape, np.dtype(dtype))
        except Exception as error:  # a version that cannot write this is a fact, not a fault
            path.unlink(missing_ok=True)
            self.refused[name] = f"{type(error).__name__}: {error}"[:200]

    def note(self, path: Path, formula: str, shape: tuple[int, ...], dtype: Any) -> None:
        back = MLArray(str(path)) if path.suffix == ".mla" else None
        data = np.asarray(blosc2.open(str(path))[...] if back is None else back.to_numpy())
        wanted = voxels.make(formula, shape, dtype)
        equal = data.tobytes() == wanted.tobytes()
        if not equal or data.dtype != dtype or data.shape != shape:
            raise ValueError("the reference itself reads back something else")
        store = blosc2.open(str(path))
        self.expected[path.name] = {
            "formula": formula,
            "shape": list(shape),
            "dtype": dtype.descr if dtype.names else dtype.str,
            "chunks": list(store.chunks),
            "blocks": list(store.blocks),
            "metadata": describe(back.meta) if back else None,
        }

    def empty(self) -> None:
        """Write a file that holds metadata and no voxels."""
        path = self.folder / "metadata-only.mla"
        try:
            MLArray(meta=Meta.from_mapping(sections(3, bbox=True))).save(str(path))
            back = MLArray(str(path))
            store = blosc2.open(str(path))
            self.expected[path.name] = {
                "formula": None,
                "shape": list(store.shape),
                "dtype": store.dtype.str,
                "chunks": list(store.chunks),
                "blocks": list(store.blocks),
                "metadata": describe(back.meta),
            }
        except Exception as error:
            path.unlink(missing_ok=True)
            self.refused["metadata-only"] = f"{type(error).__name__}: {error}"[:200]

    def finish(self) -> None:
        document = {
            "writer": f"mlarray {mlarray.__version__}",
            "blosc2": blosc2.__version__,
            "numpy": np.__version__,
            "metadata_encoding": "pickle" if PICKLES else "msgpack",
            "files": self.expected,
            "refused": self.refused,
        }
        text = json.dumps(document, sort_keys=True)
        text = text.replace('{"blocks"', '\n{"blocks"')  # one line per file
        (self.folder / "expected.json").write_text(text + "\n")
        print(f"{mlarray.__version__}: {len(self.expected)} files, refused: {self.refused}")


def sections(ndim: int, bbox: bool = False) -> dict[str, Any]:
    """Return metadata with every field set that this version has."""
    names = set(Meta().to_mapping())
    stats_names = set(Meta().to_mapping()["stats"])
    stats = {
        "min": -1024.0,
        "max": 3071.0,
        "mean": 12.5,
        "median": -0.25,
        "std": 1e-3,
        "percentile_min": -1000.0,
        "percentile_max": 2000.5,
        "percentile_mean": 1.0,
        "percentile_median": 2.0,
        "percentile_std": 3.0,
        "percentile_min_key": 0.5,
        "percentile_max_key": 99.5,
    }
    out: dict[str, Any] = {
        "source" if "source" in names else "original": {"data": SOURCE},
        "extra": {"data": {"notes": ["a", "b"], "score": 0.75}},
        "stats": {key: value for key, value in stats.items() if key in stats_names},
        "is_seg": {"is_seg": False},
    }
    if bbox:
        boxes = [[[1, 5], [2, 6], [3, 7]][:ndim], [[0, 2], [0, 3], [0, 4]][:ndim]]
        fields = Meta().to_mapping()["bbox"]
        out["bbox"] = {"bboxes": boxes}
        if isinstance(fields, dict) and "scores" in fields:
            out["bbox"] |= {"scores": [0.5, 1], "labels": ["lesion", 3]}
    return out


def edit_voxels(path: Path) -> None:
    """Set two slices through a map, as a user of r+ does."""
    if "mmap_mode" in inspect.signature(MLArray.open).parameters:
        image = MLArray.open(str(path), mmap_mode="r+")
    else:
        image = MLArray.open(str(path), mmap="r+")
    image[1:3] = 5
    (image.meta.source if HAS_LABELS else image.meta.original)["edited"] = True
    image.close()


def write_files(folder: Path) -> None:
    out = Writer(folder)
    geometry = {
        "spacing": (0.8, 1.0, 2.5),
        "origin": (-10.0, 20.5, 30.0),
        "direction": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
    }
    out.add("defaults")
    out.add("geometry-float32", "float32", formula="smooth", **geometry)
    out.add("source", "int16", meta=SOURCE)
    out.add("all-fields", "float32", formula="smooth", meta={"__sections__": sections(3, True)})
    out.add(
        "labels-uint8",
        "uint8",
        formula="islands",
        meta={"__sections__": {"is_seg": {"is_seg": True}}},
    )
    for name, dtype in (
        ("bool", "?"),
        ("int8", "i1"),
        ("uint16", "<u2"),
        ("int32", "<i4"),
        ("uint64", "<u8"),
        ("float16", "<f2"),
        ("float64", "<f8"),
        ("complex64", "<c8"),
        ("complex128", "<c16"),
        ("big-endian-int16", ">i2"),
        ("big-endian-float32", ">f4"),
        ("bytes", "S5"),
        ("text", "<U3"),
        ("datetime", "<M8[s]"),
        ("structured", [("label", "<i2"), ("weight", "<f4"), ("axis", "<f4", (3,))]),
    ):
        out.add(f"dtype-{name}", dtype, (5, 6, 7))
    out.add("2d", "uint16", (50, 70), spacing=(0.5, 0.25))
    if HAS_LABELS:
        channel_first = {"axis_labels": ["channel", "spatial_z", "spatial_y", "spatial_x"]}
        channel_last = {"axis_labels": ["spatial_y", "spatial_x", "channel"]}
    else:
        channel_first, channel_last = {"channel_axis": 0}, {"channel_axis": 2}
    out.add("4d-channel-first", "int16", (2, 12, 14, 16), **geometry, **channel_first)
    out.add("3d-channel-last", "uint8", (40, 50, 3), spacing=(1, 2), **channel_last)
    for shape in ((37,), (3, 4, 5, 6, 7)):
        out.add(f"{len(shape)}d", "int16", shape, patch_size=None)
    out.add(
        "patch-tuple",
        shape=(24, 28, 32),
        dtype="uint8",
        formula="islands",
        patch_size=(16, 16, 24),
    )
    out.add("patch-int", shape=(16, 16, 16), dtype="uint8", formula="islands", patch_size=8)
    out.add(
        "chunk-and-block",
        patch_size=None,
        chunk_size=(6, 14, 8),
        block_size=(3, 7, 4),
    )
    out.add(
        "uneven-edges",
        patch_size=None,
        shape=(11, 13, 17),
        chunk_size=(8, 9, 10),
        block_size=(3, 4, 6),
    )
    out.add("auto-layout", "float32", (18, 19, 20), "smooth", patch_size=None)
    small = {"patch_size": None, "chunk_size": (6, 14, 8), "block_size": (3, 7, 4)}
    out.add("zeros", "float32", formula="zeros", **small)
    out.add("nan", "float32", formula="nan", **small)
    out.add("constant", "int16", formula="constant", **small)
    out.add("mixed", "int32", (18, 14, 16), "mixed", **small)
    for name, cparams in (
        ("blosclz", {"codec": blosc2.Codec.BLOSCLZ, "clevel": 5}),
        ("lz4", {"codec": blosc2.Codec.LZ4, "clevel": 1}),
        ("lz4hc", {"codec": blosc2.Codec.LZ4HC, "clevel": 9}),
        ("zlib", {"codec": blosc2.Codec.ZLIB, "clevel": 6}),
        ("zstd", {"codec": blosc2.Codec.ZSTD, "clevel": 9}),
        ("stored", {"codec": blosc2.Codec.LZ4, "clevel": 0}),
        (
            "zstd-bitshuffle",
            {"codec": blosc2.Codec.ZSTD, "clevel": 3, "filters": [blosc2.Filter.BITSHUFFLE]},
        ),
    ):
        out.add(f"codec-{name}", shape=(8, 14, 10), cparams=cparams, **small)
    out.add("edited", formula="edited", edit=edit_voxels, **small)
    out.add("plain", suffix=".b2nd")
    if "affine" in CONSTRUCTOR:
        out.add("affine", shape=(5, 6, 7), affine=np.diag([2.0, 3.0, 4.0, 1.0]).tolist())
    if VERSION >= (0, 0, 54):
        spatial = {
            "spacing": [1.0, 2.0, 3.0],
            "axis_labels": ["spatial_x", "spatial_y", "spatial_z"],
            "coord_system": "RAS+",
            "axis_units": ["mm", "mm", "mm"],
        }
        out.add("coordinates", shape=(5, 6, 7), meta={"__sections__": {"spatial": spatial}})
    wild: dict[Any, Any] = {"nan": math.nan, "inf": [math.inf, -math.inf], "tuple": (1, (2, 3))}
    if PICKLES:
        wild |= {"big": 2**80, "surrogate": "a\udc80b", 7: "int key", "numpy": np.float64(0.1)}
        wild |= {None: "none key", 1.5: "float key", "text": np.str_("np")}
    out.add("wild-values", shape=(5, 6, 7), meta=wild)
    if VERSION >= (0, 0, 54):
        from pydicom.valuerep import IS, DSfloat

        dicom = {"SliceThickness": DSfloat("2.50"), "InstanceNumber": IS("12")}
        out.add("wild-pydicom", shape=(5, 6, 7), meta=dicom)
    out.empty()
    out.finish()


if __name__ == "__main__":
    write_files(Path(sys.argv[1]))
