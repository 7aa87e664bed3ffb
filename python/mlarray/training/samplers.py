"""Samplers: which box of which case comes next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .. import _core
from ..errors import InvalidTypeError, InvalidValueError
from ._arguments import number, truth, whole, wholes

__all__ = ["Balanced", "Border", "Grid", "Listed", "Sampler", "Uniform"]

Border = Literal["inside", "nnunet"]


class Sampler(ABC):
    """Which box of which case comes next. One of the classes below."""

    @abstractmethod
    def _to_core(self, patch: Sequence[int], slice_axis: int | None) -> _core.Sampler:
        """For a patch along all axes of space."""

    @property
    def _draws_background(self) -> bool:
        """Whether voxels of label 0 are drawn, so that an index has to keep some."""
        return False


@dataclass(frozen=True)
class Uniform(Sampler):
    """All cases and all boxes are equally likely, or cases by weight.

    Parameters
    ----------
    case_weights : sequence of float, optional
        One for each case.
    border : {'inside', 'nnunet'}
        Where boxes may lie: within the image, and around the middle of one that is smaller; or
        as nnU-Net draws them, partly outside where the image is smaller.
    pad : int or sequence of int
        For 'nnunet': how much larger its initial patch is than the final one, in voxels along
        each axis. If 0 and the loader augments: as its pipeline has it.
    """

    case_weights: Sequence[float] | None = None
    border: Border = "inside"
    pad: int | Sequence[int] = 0

    def _to_core(self, patch: Sequence[int], slice_axis: int | None) -> _core.Sampler:
        return _core.uniform_sampler(
            patch,
            case_weights=_floats(self.case_weights, "case_weights"),
            border=self.border,
            pad=_pad(self.pad, patch, slice_axis),
        )


@dataclass(frozen=True)
class Balanced(Sampler):
    """A share of the samples is put around a voxel of a class.

    First the case is drawn, then one of the classes that it has, then one of its voxels. Where
    a case has none of the classes, its sample is drawn as by `Uniform`, and one warning names
    the case.

    Parameters
    ----------
    foreground : float
        That share, 0 to 1. MONAI: ``pos / (pos + neg)``.
    forced : {'probability', 'last'}
        Each sample by itself, or the last ones of each batch, as nnU-Net does it.
    classes : sequence of int, optional
        To draw from; default: all labels above 0.
    class_weights : sequence of float, optional
        One for each of `classes`; default: all alike.
    case_weights : sequence of float, optional
        One for each case.
    class_first : bool
        First the class, of all, then a case that has it: rare classes come as often as others.
        All label maps are looked at when the loader is made.
    negatives : bool
        The other samples are put around a voxel that has none of the classes.
    border : {'inside', 'nnunet'}
        As for `Uniform`.
    pad : int or sequence of int
        As for `Uniform`.
    others : sequence of int
        The other samples are put around a voxel with one of these labels, which `joined` of the
        loader names together: nnU-Net's annotated voxels, where labels are ignored.
    """

    foreground: float = 1 / 3
    forced: Literal["probability", "last"] = "probability"
    classes: Sequence[int] | None = None
    class_weights: Sequence[float] | None = None
    case_weights: Sequence[float] | None = None
    class_first: bool = False
    negatives: bool = False
    border: Border = "inside"
    pad: int | Sequence[int] = 0
    others: Sequence[int] = ()

    @property
    def _draws_background(self) -> bool:
        return bool(self.negatives) or 0 in self._classes()

    def _classes(self) -> list[int]:
        if self.classes is None:
            return []
        classes = wholes(self.classes, "classes")
        if not classes:
            raise InvalidValueError("classes is empty; None stands for all labels above 0")
        return classes

    def _to_core(self, patch: Sequence[int], slice_axis: int | None) -> _core.Sampler:
        return _core.balanced_sampler(
            patch,
            foreground=number(self.foreground, "foreground"),
            forced=self.forced,
            classes=self._classes(),
            class_weights=_floats(self.class_weights, "class_weights"),
            case_weights=_floats(self.case_weights, "case_weights"),
            class_first=truth(self.class_first, "class_first"),
            negatives=truth(self.negatives, "negatives"),
            others=wholes(self.others, "others"),
            border=self.border,
            pad=_pad(self.pad, patch, slice_axis),
        )


@dataclass(frozen=True)
class Grid(Sampler):
    """Every box of every case once, in order: for validation and prediction.

    The last box along an axis ends where the image does.

    Parameters
    ----------
    overlap : int or sequence of int
        Voxels along each axis, less than the patch.
    """

    overlap: int | Sequence[int] = 0

    def _to_core(self, patch: Sequence[int], slice_axis: int | None) -> _core.Sampler:
        overlap = _per_axis(self.overlap, "overlap", patch, slice_axis)
        return _core.grid_sampler(patch, overlap=overlap)


@dataclass(frozen=True)
class Listed(Sampler):
    """Boxes that you list.

    Parameters
    ----------
    boxes : iterable of (int, sequence of int)
        The case, and where the box starts along each axis of space of the image.
    shuffle : bool
        Another order in each epoch, or always that of the list.

    Examples
    --------
    >>> from mlarray.training import Listed
    >>> Listed([(0, (0, 0, 0)), (3, (16, 0, 8))]).boxes[1]
    (3, (16, 0, 8))
    """

    boxes: Iterable[tuple[int, Sequence[int]]]
    shuffle: bool = False
    _centred: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.boxes, Iterable):
            raise InvalidTypeError(
                f"boxes={self.boxes!r} is no list of pairs, as [(0, (16, 0, 8))]"
            )
        object.__setattr__(self, "boxes", list(self.boxes))  # an iterator is read once

    @classmethod
    def centers(
        cls, centers: Iterable[tuple[int, Sequence[int]]], shuffle: bool = False
    ) -> Listed:
        """The same by the centres of boxes, which start at ``center - patch // 2``.

        Parameters
        ----------
        centers : iterable of (int, sequence of int)
            The case, and a voxel.
        shuffle : bool
            As for the class.

        Returns
        -------
        Listed
            The sampler.
        """
        return cls(centers, shuffle, True)

    def _to_core(self, patch: Sequence[int], slice_axis: int | None) -> _core.Sampler:
        halves = [length // 2 if self._centred else 0 for length in patch]
        boxes = []
        for place, box in enumerate(self.boxes):
            argument = f"boxes[{place}]"
            try:
                case, where = box
            except (TypeError, ValueError):
                raise InvalidTypeError(
                    f"{argument}={box!r} is no pair of a case and a place, as (0, (16, 0, 8))"
                ) from None
            start = wholes(where, argument)
            if len(start) != len(patch):
                raise InvalidValueError(
                    f"{argument}={tuple(start)} has {len(start)} axes; the images have "
                    f"{len(patch)} axes of space"
                )
            moved = [begin - half for begin, half in zip(start, halves, strict=True)]
            boxes.append((whole(case, f"the case of {argument}"), wholes(moved, argument)))
        return _core.listed_sampler(patch, boxes, shuffle=truth(self.shuffle, "shuffle"))


def _floats(values: Sequence[float] | None, argument: str) -> list[float]:
    if values is None:
        return []
    try:
        return [float(value) for value in np.asarray(values, np.float64).ravel()]
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{argument}={values!r} is no sequence of numbers") from None


def _pad(pad: int | Sequence[int], patch: Sequence[int], slice_axis: int | None) -> list[int]:
    numbers = _per_axis(pad, "pad", patch, slice_axis)
    return numbers if any(numbers) else []


def _per_axis(
    value: int | Sequence[int], argument: str, patch: Sequence[int], slice_axis: int | None
) -> list[int]:
    """One number along each axis; along that of a slice, nothing overlaps."""
    if hasattr(value, "__index__") and not hasattr(value, "__len__"):
        single = whole(value, argument)
        numbers = [0 if axis == slice_axis else single for axis in range(len(patch))]
    else:
        numbers = wholes(value, argument)
        if slice_axis is not None:
            numbers.insert(slice_axis, 0)
    if len(numbers) != len(patch):
        raise InvalidValueError(
            f"{argument}={value!r} has {len(numbers)} numbers for a patch of {len(patch)} axes"
        )
    return numbers
