"""Types of the arguments that several modules take."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

if TYPE_CHECKING:
    from types import EllipsisType

    from numpy.typing import NDArray
    from typing_extensions import Unpack

    # Keys of NumPy that choose an array, whatever the number of axes: such a key is no int, or
    # a tuple in which not all are ints. A checker needs it in front to see it.
    _Item = slice | EllipsisType | list[int] | list[bool] | NDArray[np.bool_] | None
    ArrayKey = (
        _Item
        | tuple[_Item, Unpack[tuple[Any, ...]]]
        | tuple[int, _Item, Unpack[tuple[Any, ...]]]
        | tuple[int, int, _Item, Unpack[tuple[Any, ...]]]
        | tuple[int, int, int, _Item, Unpack[tuple[Any, ...]]]
    )

__all__ = [
    "UNSET",
    "Level",
    "MmapMode",
    "Params",
    "PatchSize",
    "PathLike",
    "Preset",
    "Sizes",
    "Unset",
    "Vector",
]


class Unset(enum.Enum):
    """Marks an argument that was not given, where None means something else."""

    UNSET = "not given"


UNSET: Final = Unset.UNSET


PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
PatchSize = int | Sequence[int] | Literal["default"] | None | Unset
Sizes = int | Sequence[int] | None
Vector = Sequence[float] | np.ndarray[Any, Any] | None
Params = Mapping[str, Any] | object | None
Preset = Literal["fast", "balanced", "small"]
Level = Literal["none", "ordered", "durable"]
MmapMode = Literal["r", "r+", "c", "w+"] | None | Unset
