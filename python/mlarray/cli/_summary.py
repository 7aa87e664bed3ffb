"""What `info` and `ls` say of a file: its header in the words of a reader."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from .. import _core
from .._display.geometry import Geometry, geometry_of
from ..errors import MLArrayError
from .header import array_facts, metadata_tree

__all__ = ["Summary", "summarise"]

_DTYPES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


class Summary(NamedTuple):
    """One image. `tree` is None where the metadata cannot be read, and `error` says why.

    `geometry` is None where the file says nothing of positions, `classes` where no index of
    them is stored.
    """

    path: str
    array: dict[str, Any]
    tree: dict[str, Any] | None
    error: str | None
    geometry: Geometry | None = None
    classes: list[dict[str, Any]] | None = None

    @property
    def spatial(self) -> dict[str, Any]:
        return dict((self.tree or {}).get("spatial") or {})

    @property
    def has_array(self) -> bool:
        """False for a file of metadata only."""
        if self.array["shape"] != [0] or not self.path.endswith(".mla"):
            return True
        return (self.tree or {}).get("_has_array") is not False

    @property
    def dtype(self) -> str:
        return _dtype_name(self.array["dtype"])

    @property
    def voxel_bytes(self) -> int:
        shape: list[int] = self.array["shape"]
        return math.prod(shape) * int(self.array["itemsize"])

    @property
    def ratio(self) -> float | None:
        stored = self.array["file_bytes"]
        return self.voxel_bytes / stored if stored else None

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        geometry = self.geometry
        return {
            "path": self.path,
            "has_array": self.has_array,
            **self.array,
            "voxel_bytes": self.voxel_bytes,
            "ratio": self.ratio,
            "coord_system": self.spatial.get("coord_system"),
            "axis_labels": self.spatial.get("axis_labels"),
            "spacing": geometry and geometry.spacing,
            "origin": geometry and geometry.origin,
            "orientation": geometry and geometry.orientation,
            **({} if geometry is None else {"oblique_degrees": geometry.oblique_degrees}),
            "class_index": self.classes,
            "metadata_error": self.error,
        }


def summarise(path: str | os.PathLike[str]) -> Summary:
    """Open a file and take what it says of itself; no voxel is decoded.

    Raises
    ------
    NotFoundError, FileAccessError, CorruptionError, UnsupportedError
        Naming the file. Metadata that cannot be read is no error here: see `Summary`.
    """
    name = os.fspath(path)
    array = _core.Array.open(name)
    try:
        facts = array_facts(array)
        classes = _classes_of(array)
        try:
            metadata = array.metadata()
            tree = metadata_tree(metadata)
            found = Summary(name, facts, tree, None, classes=classes)
            ndim = len(array.shape) if found.has_array else None
            return found._replace(geometry=geometry_of(metadata, ndim))
        except MLArrayError as error:
            return Summary(name, facts, None, str(error), classes=classes)
    finally:
        array.close()


def _classes_of(array: _core.Array) -> list[dict[str, Any]] | None:
    """The classes of a label map, where their index is stored."""
    index = _core.LabelIndex.of(array)
    if index is None:
        return None
    return [
        {"labels": list(one.labels), "voxels": one.count, "positions": one.positions}
        for one in index.classes
    ]


def _dtype_name(text: str) -> str:
    """``int16`` for ``<i2``; what is not a plain number stays as the file has it."""
    order, kind, digits = text[:1], text[1:2], text[2:]
    if kind not in _DTYPES or not digits.isdigit():
        return text
    name = "bool" if kind == "b" else f"{_DTYPES[kind]}{8 * int(digits)}"
    return f"{name} (big-endian)" if order == ">" else name
