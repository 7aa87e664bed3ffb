"""Normalize: how voxels are scaled while they are converted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import _core
from ..errors import InvalidTypeError, InvalidValueError

__all__ = ["Normalize"]

Constants = float | Sequence[float | None] | None


@dataclass(frozen=True)
class Normalize:
    """Clip voxels to ``low`` and ``high``, then ``(x - mean) / std``, by channel.

    In float32, or in float64 where voxels are stored as integers of more than 16 bits or as
    float64; rounded once to the type of the batch. A standard deviation of 0 counts as 1.

    Parameters
    ----------
    mean, std : float or sequence of float
        One number for each channel, or one for all.
    low, high : float or sequence of float, optional
        The same; None: no limit.

    Examples
    --------
    >>> from mlarray.training import Normalize
    >>> Normalize(mean=40, std=[250, 1.0]).std
    [250, 1.0]
    """

    mean: Constants = 0.0
    std: Constants = 1.0
    low: Constants = None
    high: Constants = None
    _by: Literal["constants", "stats", "patch", "foreground"] = "constants"
    _clip: bool = False

    @classmethod
    def stats(cls, *, clip: bool = False) -> Normalize:
        """By mean and standard deviation in ``meta.stats`` of each image.

        Parameters
        ----------
        clip : bool
            Before that, clip to its ``percentile_min`` and ``percentile_max``.

        Returns
        -------
        Normalize
            What a loader takes.
        """
        return cls(_by="stats", _clip=clip)

    @classmethod
    def patch(cls) -> Normalize:
        """By mean and standard deviation of the patch, as far as it lies in the image."""
        return cls(_by="patch")

    @classmethod
    def foreground(cls) -> Normalize:
        """By those of the patch's voxels with a label above 0, if it has any."""
        return cls(_by="foreground")

    def _to_core(self) -> tuple[str, list[_core.ChannelNorm], bool]:
        if self._by != "constants":
            return self._by, [], self._clip
        return "constants", [_core.ChannelNorm(*each) for each in self._channels()], False

    def _channels(self) -> list[tuple[float, float, float | None, float | None]]:
        """Mean, std, low and high: one for each channel, or one for all."""
        columns = [
            _column(getattr(self, name), name) for name in ("mean", "std", "low", "high")
        ]
        count = max(map(len, columns))
        if any(len(column) not in (1, count) for column in columns):
            lengths = ", ".join(str(len(column)) for column in columns)
            raise InvalidValueError(
                f"mean, std, low and high have {lengths} numbers; give one for each "
                f"channel, or one for all"
            )
        whole = [column * count if len(column) == 1 else column for column in columns]
        channels = []
        for mean, std, low, high in zip(*whole, strict=True):
            if mean is None or std is None:
                raise InvalidValueError("mean and std of Normalize are numbers, not None")
            channels.append((mean, std, low, high))
        return channels


def _column(value: Constants, argument: str) -> list[float | None]:
    if value is None:
        return [None]
    try:
        given = np.asarray(value, object).ravel()  # None among numbers: no limit
        return [None if number is None else float(number) for number in given]
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{argument}={value!r} is no number, nor some") from None
