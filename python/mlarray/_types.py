"""Types of the arguments that several modules take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ._aliases import Unset

__all__ = [
    "Level",
    "MmapMode",
    "Params",
    "PatchSize",
    "PathLike",
    "Preset",
    "Sizes",
    "Vector",
]

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
PatchSize = int | Sequence[int] | Literal["default"] | None | Unset
Sizes = int | Sequence[int] | None
Vector = Sequence[float] | np.ndarray[Any, Any] | None
Params = Mapping[str, Any] | object | None
Preset = Literal["fast", "balanced", "small"]
Level = Literal["none", "ordered", "durable"]
MmapMode = Literal["r", "r+", "c", "w+"] | None | Unset
