"""What `info` and `ls` say of a file: its header in the words of a reader."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

from .. import _core
from ..errors import MLArrayError
from ..orientation import orient, spacing_of
from .header import array_facts, metadata_tree

__all__ = ["Summary", "summarise"]

_OBLIQUE_DEGREES = 0.01  # what single-precision affines do not reach by rounding
_DTYPES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


class Summary(NamedTuple):
    """One image. `tree` is None where the metadata cannot be read, and `error` says why."""

    path: str
    array: dict[str, Any]
    tree: dict[str, Any] | None
    error: str | None

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

    def geometry(self) -> dict[str, Any]:
        """Spacing, origin and orientation; empty where the file says nothing of them."""
        spatial, affine = self.spatial, self.array["affine"]
        parts = ("affine", "spacing", "origin", "direction")
        if affine is None or all(spatial.get(name) is None for name in parts):
            return {}
        labels = spatial.get("axis_labels")
        if labels is not None:
            labels = [x for x, keep in zip(labels, self.array["spatial_axes"]) if keep]
        stated = spatial.get("spacing") if spatial.get("affine") is None else None
        found = orient(affine, labels, spatial.get("coord_system"))
        return {
            "spacing": spacing_of(stated, _core.affine_scale(affine)),
            "origin": _core.affine_translation(affine),
            "orientation": found.codes if found else None,
            "oblique_degrees": found.degrees if found else None,
        }

    def orientation_text(self) -> str:
        """``RAS``, or ``RAS oblique``, or ``-``."""
        geometry = self.geometry()
        if not geometry.get("orientation"):
            return "-"
        oblique = geometry["oblique_degrees"] > _OBLIQUE_DEGREES
        return f"{geometry['orientation']}{' oblique' if oblique else ''}"

    def to_json(self) -> dict[str, Any]:
        """The same for programs."""
        facts = {k: v for k, v in self.array.items() if k not in ("affine", "spatial_axes")}
        return {
            "path": self.path,
            "has_array": self.has_array,
            **facts,
            "voxel_bytes": self.voxel_bytes,
            "ratio": self.ratio,
            "coord_system": self.spatial.get("coord_system"),
            "axis_labels": self.spatial.get("axis_labels"),
            **(self.geometry() or dict.fromkeys(("spacing", "origin", "orientation"))),
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
        facts.update(affine=None, spatial_axes=None)
        try:
            metadata = array.metadata()
            tree = metadata_tree(metadata)
            found = Summary(name, facts, tree, None)
            ndim = len(array.shape) if found.has_array else metadata.ndim()
            if ndim is not None:
                axes = metadata.spatial_axes(ndim)
                facts.update(affine=metadata.affine(sum(axes)), spatial_axes=axes)
            return found
        except MLArrayError as error:
            return Summary(name, facts, None, str(error))
    finally:
        array.close()


def _dtype_name(text: str) -> str:
    """``int16`` for ``<i2``; what is not a plain number stays as the file has it."""
    order, kind, digits = text[:1], text[1:2], text[2:]
    if kind not in _DTYPES or not digits.isdigit():
        return text
    name = "bool" if kind == "b" else f"{_DTYPES[kind]}{8 * int(digits)}"
    return f"{name} (big-endian)" if order == ">" else name
