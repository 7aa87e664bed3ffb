"""Write golden files with a version up to 0.0.27, which has other classes of metadata.

    python write_oldest.py FOLDER

As write_mlarray.py: what is expected is what this version itself reads back. It calls the
source's metadata ``image``, and has no maps in sections of one value.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import blosc2
import numpy as np

from mlarray import Meta, MLArray

sys.path.insert(0, str(Path(__file__).parent))
import voxels

SOURCE = {
    "patient_id": "123",
    "größe": "Köln \u2192 \U0001f9e0",
    "exposure": 0.1,
    "series": [1, 2, {"deep": [None, True, False, -1.5e300]}],
    "empty": {"dict": {}, "text": ""},
}
STATS = {"min": -1024.0, "max": 3071.0, "mean": 12.5, "percentile_min": -1000.0}
BOXES = [[[1, 5], [2, 6], [3, 7]], [[0, 2], [0, 3], [0, 4]]]
GEOMETRY: dict[str, Any] = {
    "spacing": (0.8, 1.0, 2.5),
    "origin": (-10.0, 20.5, 30.0),
    "direction": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
}
SINGLE = {
    "image": "data",
    "extra": "data",
    "is_seg": "is_seg",
    "_has_array": "has_array",
    "_image_meta_format": "image_meta_format",
    "_mlarray_version": "mlarray_version",
}


def describe(meta: Any) -> dict[str, Any]:
    """The metadata as later versions nest it, without the fields that are unset."""
    out: dict[str, Any] = {}
    for name, value in meta.to_dict().items():
        if name == "bbox":
            out[name] = {} if value is None else {"bboxes": value}
        elif name in SINGLE:
            given = {} if value is None and SINGLE[name] == "data" else value
            out[name] = {} if given is None else {SINGLE[name]: given}
        else:
            out[name] = {k: v for k, v in (value or {}).items() if v is not None}
    out["original"] = out.pop("image")
    return out


def write(folder: Path) -> None:
    cases: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
        ("defaults", (12, 14, 16), {}),
        ("source", (12, 14, 16), {"meta": SOURCE}),
        (
            "all-fields",
            (12, 14, 16),
            {
                "meta": Meta(
                    image=SOURCE,
                    stats=STATS,
                    bbox=BOXES,
                    is_seg=False,
                    extra={"data": {"its own": 1}},
                ),
                **GEOMETRY,
            },
        ),
        ("own-data", (5, 6, 7), {"meta": {"data": {"its own": 1}}}),
        ("4d-channel-first", (2, 12, 14, 16), {**GEOMETRY, "channel_axis": 0}),
    ]
    files: dict[str, Any] = {}
    for name, shape, options in cases:
        path = folder / f"{name}.mla"
        array = voxels.make("ramp", shape, "int16")
        MLArray(array, **options).save(str(path))
        back = MLArray(str(path))
        if np.asarray(back.to_numpy()).tobytes() != array.tobytes():
            raise ValueError(f"{path}: the reference itself reads back something else")
        store = blosc2.open(str(path))
        files[path.name] = {
            "formula": "ramp",
            "shape": list(shape),
            "dtype": array.dtype.str,
            "chunks": list(store.chunks),
            "blocks": list(store.blocks),
            "metadata": describe(back.meta),
        }
    document = {
        "writer": f"mlarray {version('mlarray')}",
        "blosc2": blosc2.__version__,
        "numpy": np.__version__,
        "metadata_encoding": "msgpack",
        "files": files,
        "refused": {},
    }
    text = json.dumps(document, sort_keys=True)
    text = text.replace('{"blocks"', '\n{"blocks"')  # one line per file
    (folder / "expected.json").write_text(text + "\n")
    print(f"{document['writer']}: {len(files)} files")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
