"""The files that are damaged: ours, made by formula; others', the golden files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlarray import MLArray

__all__ = ["golden_samples", "our_samples"]

GOLDEN = Path(__file__).resolve().parents[1] / "data" / "golden"
_PAIR = np.dtype([("a", "<i4"), ("b", "<f8")])
_META = {"PatientID": "anon", "values": list(range(20)), "text": "x" * 50}


def our_samples(folder: Path) -> list[Path]:
    """Write small files of every kind; some ten kilobytes, so that damage hits everything."""
    random = np.random.default_rng(5)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in (20, 22, 24)), indexing="ij")
    body = np.where(z * z + y * y + x * x < 0.8, 900 * (1 + np.sin(5 * x + z)), -1000)
    ct = (body + random.normal(0, 8, body.shape)).astype("i2")
    pairs = np.zeros((12, 13), _PAIR)
    pairs["a"], pairs["b"] = (
        random.integers(0, 50, pairs.shape),
        random.normal(size=pairs.shape),
    )
    cut: dict[str, Any] = {"chunk_size": (10, 11, 12), "block_size": (5, 11, 6)}
    flat: dict[str, Any] = {"chunk_size": (5, 6), "block_size": (2, 6)}
    arrays: dict[str, tuple[Any, dict[str, Any]]] = {
        "int16": (ct, cut),
        "int16-default": (ct, {}),
        "float32": (ct.astype("f4") / 700, cut),
        "uint8": (np.digitize(body, (-500, 0, 800, 1200)).astype("u1"), cut),
        "bool": (body > 800, cut),
        "structured": (pairs, flat),
        "complex": (pairs["b"] * (1 + 2j), flat),
        "big-endian": (ct[0].astype(">u4"), {"chunk_size": (8, 9), "block_size": (4, 9)}),
        "empty": (np.zeros((0, 5), "f4"), {}),
        "scalar": (np.array(3.5), {}),
        "stored": (ct, {**cut, "cparams": {"codec": "lz4", "clevel": 0}}),
        "noise": (random.integers(0, 256, (40, 50), "u1"), {"patch_size": 20}),
        "legacy": (ct[:9], {"metadata_format": "legacy"}),
    }
    for codec in ("blosclz", "lz4", "zlib", "zstd"):
        for filters in ([], ["shuffle"], ["bitshuffle"]):
            name = "-".join([codec, *filters])
            arrays[name] = (ct[:10], {**cut, "cparams": {"codec": codec, "filters": filters}})
    out = []
    for name, (voxels, how) in arrays.items():
        path = folder / f"{name}.mla"
        MLArray(voxels, meta=_META).save(path, **how)
        out.append(path)
    edited = folder / "edited.mla"
    MLArray(ct, meta=_META).save(edited, **cut)
    with MLArray.open(edited, mode="r+") as image:
        image[3:9, 4:9, 2:20] = 0
        image[10:20] = 0  # chunks that the index alone names
    return [*out, edited]


def golden_samples() -> list[Path]:
    """The files of every released writer: the reference's, and python-blosc2's."""
    return sorted([*GOLDEN.glob("*/*.mla"), *GOLDEN.glob("*/*.b2nd")])
