"""Predictions of overlapping patches, blended into one file."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np

from .. import _core
from .._compat.names import resolve_threads
from .._dtypes import as_dtype
from .._paths import Naming, checked_path
from .._store.metadata import to_core
from .._store.save_options import Packing, codec_params, save_options
from ..array import MLArray
from ..errors import InvalidTypeError, InvalidUseError, InvalidValueError
from ..meta import Meta
from ._arguments import number, truth, whole, wholes

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ..typing import Level, Params, PathLike, Preset, Sizes

__all__ = ["Aggregator", "AggregatorOptions", "lengths"]

Blend = Literal["gaussian", "constant"]
Output = Literal["argmax", "softmax", "logits"]


class AggregatorOptions(TypedDict, total=False):
    """The options of `Aggregator` besides boxes and geometry."""

    blend: Blend
    output: Output
    dtype: DTypeLike | None
    half_scores: bool
    max_memory: int | None
    original_shape: Sequence[int] | None
    crop: Sequence[Any] | None
    preset: Preset | None
    cparams: Params
    chunk_size: Sizes
    block_size: Sizes
    num_threads: int | None
    level: Level | None
    durable: bool | None


def lengths(name: str, value: Any, ndim: int) -> list[int]:
    """One int for each axis; an int stands for all of them."""
    if hasattr(value, "__index__") and not hasattr(value, "__len__"):
        return [whole(value, name)] * ndim
    try:
        return wholes(value, name)
    except InvalidTypeError:
        raise InvalidTypeError(
            f"{name}={value!r} is not an int or a sequence of ints; give one int for each axis"
        ) from None


class Aggregator:
    """Blend the predictions of overlapping patches into one ``.mla``, with few in memory.

    At each voxel, the scores of all patches that cover it are averaged, weighted by `blend`;
    then they are resampled, where `original_shape` asks for it; then the argmax or softmax is
    taken, and written. A score is dropped as soon as no later box adds to it, so that about
    ``classes * 4 bytes * overlap * the other axes`` is in memory, where `overlap` is what
    neighbouring patches share along the longest axis. `memory_bound` is known beforehand.

    Without `finish`, nothing is left of the file, and what was at `path` stays. As a context
    manager, it finishes at the end, and discards the file after an exception.

    Parameters
    ----------
    path : path
        The file to write; ends in ``.mla``.
    shape : sequence of int
        Of the image that is predicted: its axes of space, at most 8.
    patch_size : int or sequence of int
        Voxels along each axis. A patch may be longer than the image.
    classes : int
        How many scores each voxel has.
    overlap : float
        The share of a patch that its neighbour covers, too, at least; below 1.
    step : int or sequence of int, optional
        Instead of `overlap`: voxels from one box to the next, at most.
    blend : {'gaussian', 'constant'}
        How patches are weighted. 'gaussian' is nnU-Net's: a standard deviation of an eighth of
        the patch.
    output : {'argmax', 'softmax', 'logits'}
        What is written: labels as uint8, above 256 classes as uint16; or all scores, with a
        first axis for the classes.
    dtype : {'float32', 'float16'}, optional
        Of softmax and logits; default: float32.
    half_scores : bool
        Blend in float16, as nnU-Net does: half of the memory, and three digits.
    max_memory : int, optional
        Bytes of scores in memory. What is more waits in a temporary file beside `path`. Scores
        of one box are always in memory. Default: no limit.
    original_shape : sequence of int, optional
        The grid of the file, where it is not that of the predictions. Scores are resampled to
        it linearly along each axis.
    crop : sequence of (int, int) or slices, optional
        Start and stop for each axis: where the image lies in `original_shape`, if it was
        cropped before it was resampled. Outside, class 0 is predicted.
    image : MLArray or Meta, optional
        Which has the grid of the file. The file gets its geometry, `source` and `extra`.
    preset, cparams, level, durable, num_threads : optional
        As for `MLArray.save`.
    chunk_size, block_size : optional
        As for `MLArray.save`, with the axis of classes, if there is one.

    Raises
    ------
    InvalidValueError, InvalidTypeError, InvalidUseError
        For arguments that do not fit.
    NotFoundError, BusyError, FileAccessError
        If `path` cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from mlarray import MLArray
    >>> from mlarray.training import Aggregator
    >>> with Aggregator("labels.mla", (40, 64, 64), 32, classes=3) as out:
    ...     for box in out.boxes:
    ...         out.add(box, np.zeros((3, 32, 32, 32), "float32"))
    >>> MLArray.open("labels.mla").shape
    (40, 64, 64)
    """

    __slots__ = ("_boxes", "_classes", "_core", "_patch", "_path")

    def __init__(
        self,
        path: PathLike,
        shape: Sequence[int],
        patch_size: int | Sequence[int],
        classes: int,
        *,
        overlap: float = 0.5,
        step: int | Sequence[int] | None = None,
        blend: Blend = "gaussian",
        output: Output = "argmax",
        dtype: DTypeLike | None = None,
        half_scores: bool = False,
        max_memory: int | None = None,
        original_shape: Sequence[int] | None = None,
        crop: Sequence[Any] | None = None,
        image: MLArray | Meta | None = None,
        preset: Preset | None = None,
        cparams: Params = None,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        level: Level | None = None,
        durable: bool | None = None,
    ) -> None:
        self._path = _path(path)
        size = wholes(shape, "shape")
        self._patch = lengths("patch_size", patch_size, len(size))
        self._classes = whole(classes, "classes")
        labels = output == "argmax"
        spatial = [True] * len(size) if labels else [False, *[True] * len(size)]
        text = ("|u1" if self._classes <= 256 else "<u2") if labels else "<f4"
        half = _is_half(dtype, labels)
        packing = Packing(chunk_size=chunk_size, block_size=block_size)
        if chunk_size is not None or block_size is not None:
            packing = packing._replace(patch_size=None)
        original = None if original_shape is None else wholes(original_shape, "original_shape")
        with Naming(self._path):
            save = save_options(
                packing,
                ndim=len(spatial),
                spatial_axes=spatial,
                codec=codec_params(cparams, "<f2" if half else text, preset),
                num_threads=num_threads,
                level=level,
                durable=durable,
            )
            self._core = _core.Aggregator(
                self._path,
                size,
                self._patch,
                self._classes,
                step=None if step is None else lengths("step", step, len(size)),
                overlap=number(overlap, "overlap"),
                blend=blend,
                output=output,
                half=half,
                half_scores=truth(half_scores, "half_scores"),
                max_memory=0 if max_memory is None else whole(max_memory, "max_memory"),
                original_shape=original,
                crop=None if crop is None else _corners(crop),
                image=to_core(_meta(image)),
                save=save,
                threads=resolve_threads(num_threads, None),
            )
        boxes = np.array(self._core.boxes(), np.int64)
        boxes.flags.writeable = False
        self._boxes = boxes

    @property
    def boxes(self) -> NDArray[np.int64]:
        """The boxes in the order in which they must be added: (boxes, 2, axes), start and stop.

        A box leaves an image that is shorter than the patch: read it by `MLArray.read_padded`.
        """
        return self._boxes

    def add(self, box: ArrayLike, scores: ArrayLike) -> None:
        """Add the scores of the next box.

        Parameters
        ----------
        box : array of int
            (2, axes): start and stop, as in `boxes`.
        scores : array
            ``(classes, *patch)``: float16 and float32 are taken as they are, others become
            float32. A tensor must be on the CPU.

        Raises
        ------
        InvalidValueError
            For another box than the next one, another shape, and scores that are not finite or
            beyond 1e30 (with `half_scores` 60000). Nothing has changed then.
        InvalidUseError
            After `finish`, and after any other error.
        FileAccessError
            If the file cannot be written.
        """
        array = np.asarray(scores)
        if array.dtype.kind not in "buif":
            raise InvalidTypeError(
                f"'{self._path}': scores of dtype {array.dtype} were added; give real numbers"
            )
        if array.dtype != np.float16:
            array = array.astype(np.float32, copy=False)
        expected = (self._classes, *self._patch)
        if array.shape != expected:
            raise InvalidValueError(
                f"'{self._path}': scores of shape {array.shape} were added; give (classes, "
                f"*patch_size), {expected}"
            )
        start, stop = self._corners_of(box)
        with Naming(self._path):
            self._core.add(
                start, stop, np.ascontiguousarray(array), half=array.dtype == np.float16
            )

    def _corners_of(self, box: ArrayLike) -> tuple[list[int], list[int]]:
        corners = np.asarray(box)
        if corners.shape != self._boxes.shape[1:] or corners.dtype.kind not in "iu":
            raise InvalidTypeError(
                f"'{self._path}': box={box!r} is no box; give one of `boxes`, ints of shape "
                f"{self._boxes.shape[1:]}"
            )
        start, stop = corners.astype(np.int64).tolist()
        return start, stop

    def finish(self) -> None:
        """Write what is left, and put the file in place.

        Raises
        ------
        InvalidUseError
            While boxes are missing: the first one is named.
        BusyError, FileAccessError
            If the file cannot be written.
        """
        with Naming(self._path):
            self._core.finish()

    def discard(self) -> None:
        """Remove what was written. What was at the path before stays. Twice is once."""
        self._core.discard()

    @property
    def added(self) -> int:
        """How many boxes have been added."""
        return self._core.added

    @property
    def memory(self) -> int:
        """Bytes of scores, and of voxels that wait to be written, in memory now."""
        return self._core.memory

    @property
    def memory_peak(self) -> int:
        """The most that `memory` has been."""
        return self._core.memory_peak

    @property
    def memory_bound(self) -> int:
        """The most that `memory` will be, known from the start."""
        return self._core.memory_bound

    def __enter__(self) -> Aggregator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.discard()


def _path(path: PathLike) -> str:
    found = checked_path(path, writes=True)
    if not found.endswith(".mla"):
        raise InvalidUseError(f"'{found}': predictions are saved as .mla, with their geometry")
    return found


def _is_half(dtype: DTypeLike | None, labels: bool) -> bool:
    if dtype is None:
        return False
    found = as_dtype(dtype)
    if labels:
        raise InvalidValueError(
            f"dtype={found.name!r} is of softmax and logits; labels are uint8, above 256 "
            f"classes uint16"
        )
    if found not in (np.dtype(np.float32), np.dtype(np.float16)):
        raise InvalidValueError(f"dtype={found.name!r} is not 'float32' or 'float16'")
    return found.itemsize == 2


def _corners(crop: Sequence[Any]) -> tuple[list[int], list[int]]:
    try:
        pairs = [(s.start, s.stop) if isinstance(s, slice) else tuple(s) for s in crop]
        start, stop = zip(
            *((operator.index(a), operator.index(b)) for a, b in pairs), strict=True
        )
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"crop={crop!r} is not a pair (start, stop), or a slice with both, for each axis"
        ) from None
    return list(start), list(stop)


def _meta(image: MLArray | Meta | None) -> Meta:
    if image is None:
        return Meta()
    if isinstance(image, MLArray):
        return image.meta
    if isinstance(image, Meta):
        return image
    raise InvalidTypeError(f"image is a {type(image).__name__}; give an MLArray or its Meta")
