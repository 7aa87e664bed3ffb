"""A model of PyTorch, applied to an image patch by patch: `mlarray.torch.sliding_window`.

PyTorch is imported when it is called.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import _core
from .._dtypes import as_bytes_view, dtype_to_text
from ..array import MLArray
from ..errors import InvalidTypeError, InvalidUseError, InvalidValueError
from ._aggregator import Aggregator, AggregatorOptions, lengths
from ._arguments import number, whole, wholes
from .normalize import Normalize

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Unpack

    from ..meta import Meta
    from ..typing import PathLike

__all__ = ["sliding_window"]

Normalizer = Callable[["NDArray[Any]"], "NDArray[Any]"]
Image = MLArray | str | bytes | os.PathLike[str] | os.PathLike[bytes]
_AS_IS = _core.ChannelNorm(0.0, 1.0, None, None)
AHEAD = 2  # batches that are read while the model computes


def sliding_window(
    model: Callable[[Any], Any],
    image: Image | Sequence[Image],
    patch_size: int | Sequence[int],
    *,
    out: PathLike,
    overlap: float = 0.5,
    step: int | Sequence[int] | None = None,
    batch_size: int = 1,
    device: Any = None,
    mirror_axes: Sequence[int] | None = None,
    normalize: Normalize | Normalizer | None = None,
    padding: Literal["constant", "edge", "reflect"] = "constant",
    fill: float = 0,
    autocast: Any = None,
    grid: MLArray | Meta | None = None,
    progress: Callable[[int, int], object] | None = None,
    **options: Unpack[AggregatorOptions],
) -> MLArray:
    """Predict an image by overlapping patches, and blend them into a ``.mla``.

    A thread reads the patches of the next batches while the model computes, and another one
    adds the predictions to an `Aggregator`. Neither the image nor the predictions are in memory
    as a whole.

    Parameters
    ----------
    model : torch.nn.Module or callable
        Gets float32 (batch, channels, *patch), and returns (batch, classes, *patch), or a list
        or tuple that begins with it. A module is put into its evaluation mode meanwhile.
    image : MLArray or path, or a sequence of them
        What is predicted. The channels of several are stacked in their order. An axis that is
        not spatial has the channels.
    patch_size : int or sequence of int
        Voxels along each axis of space.
    out : path
        The file to write; ends in ``.mla``. It appears when it is complete.
    overlap, step : optional
        As for `Aggregator`.
    batch_size : int
        Patches that the model gets at once, at most.
    device : torch.device or str, optional
        Where they are put; default: where the first parameter of the model is, else the CPU.
    mirror_axes : sequence of int, optional
        Axes of space. Predictions are averaged over all flips of the patch along some of them,
        as nnU-Net does it; k axes are 2**k passes.
    normalize : Normalize or callable, optional
        What the loader got in training, but for `Normalize.foreground`, which needs labels. A
        function is called for each patch, a float32 array (channels, *patch).
    padding : {'constant', 'edge', 'reflect'}
        What stands where a patch leaves the image, before `normalize`.
    fill : float
        For 'constant'. As the loader's `image_fill`, it need not fit the image's dtype.
    autocast : torch.dtype, optional
        As of ``torch.autocast``: the type that the model computes in.
    grid : MLArray or Meta, optional
        Whose geometry the file gets: the original image, if `original_shape` is given. Default:
        the first image.
    progress : callable, optional
        Gets the number of patches that are done, and of all.
    **options
        As for `Aggregator` (`AggregatorOptions`)

    Returns
    -------
    MLArray
        The file, open for reading.

    Raises
    ------
    InvalidTypeError, InvalidValueError, InvalidUseError
        For arguments that do not fit, images of different shapes, and predictions of another
        shape or that are not finite.
    CorruptionError
        If an image is damaged. After any exception, nothing is left of `out`.
    ImportError
        Without PyTorch.
    """
    import torch

    source = _Source(image, normalize, padding, fill)
    size = lengths("patch_size", patch_size, len(source.shape))
    steps = None if step is None else lengths("step", step, len(size))
    if whole(batch_size, "batch_size") < 1:
        raise InvalidValueError(f"batch_size={batch_size} must be at least 1")
    flips = _flips(mirror_axes, len(size))
    place = _device(model, device)
    boxes = np.array(
        _core.Aggregator.boxes_of(source.shape, size, step=steps, overlap=overlap), np.int64
    )
    groups = [boxes[i : i + batch_size] for i in range(0, len(boxes), batch_size)]
    if options.get("original_shape") is not None and grid is None:
        raise InvalidUseError(
            "original_shape without grid: give grid=, an MLArray or Meta with the geometry of "
            "the original grid, because that of the predicted image is another one"
        )
    geometry = source.images[0] if grid is None else grid
    aggregator: Aggregator | None = None
    done = 0

    def predicted(batch: NDArray[Any]) -> NDArray[Any]:
        patches = torch.from_numpy(batch).to(place, non_blocking=True)
        total = None
        for dims in flips:
            scores = model(torch.flip(patches, dims) if dims else patches)
            scores = _checked(scores, torch.Tensor, batch)
            scores = torch.flip(scores, dims) if dims else scores
            total = scores if total is None else total + scores
        assert total is not None
        total = total / len(flips) if len(flips) > 1 else total
        kept = total if total.dtype in (torch.float16, torch.float32) else total.float()
        found: NDArray[Any] = kept.cpu().numpy()
        return found

    def add(group: NDArray[np.int64], scores: NDArray[Any]) -> None:
        assert aggregator is not None
        for box, some in zip(group, scores):
            aggregator.add(box, some)

    try:
        with (
            _Evaluating(model, torch),
            torch.inference_mode(),
            torch.autocast(place.type, dtype=autocast, enabled=autocast is not None),
            ThreadPoolExecutor(1, "mlarray-read") as reader,
            ThreadPoolExecutor(1, "mlarray-add") as adder,
        ):
            adding: Future[None] | None = None
            for group, batch in _read_ahead(reader, source.read, groups):
                scores = predicted(batch)
                if aggregator is None:
                    aggregator = Aggregator(
                        *(out, source.shape, size, scores.shape[1]),
                        overlap=overlap,
                        step=steps,
                        image=geometry,
                        **options,
                    )
                if adding is not None:
                    adding.result()
                adding = adder.submit(add, group, scores)
                done += len(group)
                if progress is not None:
                    progress(done, len(boxes))
            assert adding is not None
            adding.result()
        assert aggregator is not None
        aggregator.finish()
    finally:
        if aggregator is not None:
            aggregator.discard()
    return MLArray.open(out)


class _Source:
    """Images whose channels are stacked."""

    def __init__(
        self,
        image: Image | Sequence[Image],
        normalize: Normalize | Normalizer | None,
        padding: Literal["constant", "edge", "reflect"],
        fill: float,
    ) -> None:
        single = isinstance(image, (MLArray, str, bytes, os.PathLike))
        if not single and not isinstance(image, Iterable):
            raise InvalidTypeError(
                f"image is a {type(image).__name__}; give an MLArray, a path, or several"
            )
        given: list[Any] = [image] if single else list(image)  # type: ignore[arg-type]
        if not given:
            raise InvalidValueError("image is an empty sequence; give at least one image")
        self.images = [i if isinstance(i, MLArray) else MLArray.open(i) for i in given]
        if padding not in ("constant", "edge", "reflect"):
            raise InvalidValueError(
                f"padding={padding!r} is not one of 'constant', 'edge', 'reflect'"
            )
        self.padding = padding
        self.fill = number(fill, "fill")
        self.axes = [_axes_of(one) for one in self.images]
        shapes = [
            tuple(one.shape[axis] for axis in spatial)
            for one, (spatial, _) in zip(self.images, self.axes)
        ]
        self.shape = shapes[0]
        for one, shape in zip(self.images, shapes):
            if shape != self.shape:
                raise InvalidValueError(
                    f"{_name(one)} has the spatial shape {shape}, but {_name(self.images[0])} "
                    f"has {self.shape}; images of one case have one grid"
                )
        self.function = None if isinstance(normalize, Normalize) else normalize
        self.by_patch = False
        counts = [
            1 if channel is None else one.shape[channel]
            for one, (_, channel) in zip(self.images, self.axes)
        ]
        self.scaling = [_AS_IS] * sum(counts)
        if isinstance(normalize, Normalize):
            self.by_patch = normalize._by == "patch"
            self.scaling = self._scaling_of(normalize, counts)
        elif normalize is not None and not callable(normalize):
            raise InvalidTypeError(
                f"normalize={normalize!r} is no Normalize, nor a function of a patch"
            )

    def _scaling_of(self, normalize: Normalize, counts: list[int]) -> list[_core.ChannelNorm]:
        """For each channel of the stack."""
        if normalize._by == "foreground":
            raise InvalidUseError(
                "normalize=Normalize.foreground() needs labels, which an image to predict does "
                "not have; train with another, or give a function"
            )
        if normalize._by == "patch":
            return self.scaling
        if normalize._by == "stats":
            stats = [_stats_of(one, normalize._clip) for one in self.images]
            return [each for each, count in zip(stats, counts) for _ in range(count)]
        _, constants, _ = normalize._to_core()
        if len(constants) not in (1, sum(counts)):
            raise InvalidValueError(
                f"normalize has numbers for {len(constants)} channels; the images have "
                f"{sum(counts)}"
            )
        return constants * sum(counts) if len(constants) == 1 else constants

    def read(self, group: NDArray[np.int64]) -> NDArray[Any]:
        """The patches of some boxes: float32 (boxes, channels, *patch)."""
        return np.stack([self._patch(*box.tolist()) for box in group])

    def _patch(self, start: list[int], stop: list[int]) -> NDArray[Any]:
        """One patch. Constants around the image are scaled as its voxels are."""
        inside = [(max(a, 0), min(b, n)) for a, b, n in zip(start, stop, self.shape)]
        constant = self.padding == "constant"
        box = inside if constant else list(zip(start, stop))
        parts: list[NDArray[Any]] = []
        for image, (spatial, channel) in zip(self.images, self.axes):
            low, high = [0] * image.ndim, list(image.shape)
            for axis, (a, b) in zip(spatial, box):
                low[axis], high[axis] = a, b
            voxels = image.read_padded(low, high, "edge" if constant else self.padding)
            parts.extend(voxels[None] if channel is None else np.moveaxis(voxels, channel, 0))
        patch = np.empty((len(parts), *(b - a for a, b in zip(start, stop))), np.float32)
        counted = tuple(slice(a - c, b - c) for (a, b), (c, _) in zip(inside, box))
        place = tuple(slice(a - c, b - c) for (a, b), c in zip(box, start))
        for voxels, scaling, out in zip(parts, self.scaling, patch):
            by = scaling
            if self.by_patch:
                by = _core.ChannelNorm.of(*_buffer(voxels[counted]))
            if voxels.shape == out.shape:
                by.apply(*_buffer(voxels), out)
                continue
            around, scaled = np.empty(1, np.float32), np.empty(voxels.shape, np.float32)
            by.apply(*_buffer(np.array([self.fill])), around)
            by.apply(*_buffer(voxels), scaled)
            out[...] = around
            out[place] = scaled
        if self.function is None:
            return patch
        found = np.ascontiguousarray(self.function(patch), np.float32)
        if found.shape[1:] != patch.shape[1:]:
            raise InvalidValueError(
                f"normalize made {found.shape} of a patch of {patch.shape}; it must keep the "
                f"axes of space"
            )
        return found


def _axes_of(image: MLArray) -> tuple[list[int], int | None]:
    """The axes of space, and that of the channels, if there is one."""
    spatial = image._spatial_axes()
    others = [axis for axis, is_spatial in enumerate(spatial) if not is_spatial]
    if len(others) > 1 or not any(spatial):
        raise InvalidUseError(
            f"{_name(image)} has the axes {image.meta.spatial.axis_labels}; give an image with "
            f"axes of space, and at most one other, for channels"
        )
    return [axis for axis, is_spatial in enumerate(spatial) if is_spatial], (
        others[0] if others else None
    )


def _stats_of(image: MLArray, clip: bool) -> _core.ChannelNorm:
    stats = image.meta.stats
    low, high = (stats.percentile_min, stats.percentile_max) if clip else (None, None)
    if stats.mean is None or stats.std is None or (clip and None in (low, high)):
        raise InvalidUseError(
            f"{_name(image)} has no meta.stats for normalize=Normalize.stats(); store them by "
            f"compute_statistics(), or give another normalize"
        )
    return _core.ChannelNorm(stats.mean, stats.std, low, high)


def _buffer(voxels: NDArray[Any]) -> tuple[NDArray[Any], str]:
    """Voxels in this machine's byte order, and the text of their dtype, for the core."""
    if not voxels.dtype.isnative:
        voxels = voxels.astype(voxels.dtype.newbyteorder("="))
    return as_bytes_view(voxels), dtype_to_text(voxels.dtype)


def _name(image: MLArray) -> str:
    path = image._store.path
    return repr(path) if path else "an image in memory"


def _flips(mirror_axes: Sequence[int] | None, ndim: int) -> list[tuple[int, ...]]:
    """The axes of a batch that are flipped, for each pass; the first flips none."""
    axes = sorted(set(() if mirror_axes is None else wholes(mirror_axes, "mirror_axes")))
    if any(not 0 <= axis < ndim for axis in axes):
        raise InvalidValueError(
            f"mirror_axes={mirror_axes!r} are axes of space, from 0 to {ndim - 1}"
        )
    return [
        tuple(axis + 2 for axis in some)
        for count in range(len(axes) + 1)
        for some in itertools.combinations(axes, count)
    ]


def _device(model: Any, device: Any) -> Any:
    import torch

    if device is not None:
        return torch.device(device)
    if isinstance(model, torch.nn.Module):
        first = next(model.parameters(), None)
        if first is not None:
            return first.device
    return torch.device("cpu")


class _Evaluating:
    """A module is in its evaluation mode, and back in its own afterwards."""

    def __init__(self, model: Any, torch: Any) -> None:
        modules = model.modules() if isinstance(model, torch.nn.Module) else ()
        self.modes = [(module, module.training) for module in modules]

    def __enter__(self) -> None:
        for module, _ in self.modes:
            module.training = False

    def __exit__(self, *_: object) -> None:
        for module, mode in self.modes:
            module.training = mode


def _checked(scores: Any, tensor: type, batch: NDArray[Any]) -> Any:
    if isinstance(scores, (list, tuple)) and scores:
        scores = scores[0]
    if not isinstance(scores, tensor):
        raise InvalidTypeError(
            f"the model returned a {type(scores).__name__}; give a tensor, or a list or tuple "
            f"that begins with one"
        )
    shape = tuple(scores.shape)  # type: ignore[attr-defined]
    if len(shape) != batch.ndim or (shape[0], *shape[2:]) != (len(batch), *batch.shape[2:]):
        raise InvalidValueError(
            f"the model returned scores of shape {shape} for a batch of {batch.shape}; give "
            f"(batch, classes, *patch)"
        )
    return scores


def _read_ahead(
    reader: ThreadPoolExecutor,
    read: Callable[[NDArray[np.int64]], NDArray[Any]],
    groups: list[NDArray[np.int64]],
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    waiting: deque[tuple[NDArray[np.int64], Future[NDArray[Any]]]] = deque()
    left = iter(groups)
    try:
        while True:
            for group in itertools.islice(left, AHEAD + 1 - len(waiting)):
                waiting.append((group, reader.submit(read, group)))
            if not waiting:
                return
            group, future = waiting.popleft()
            yield group, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
