"""What a loader can be told, and the same in the words of the core."""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import numpy as np

from .. import _core
from .._compat.names import Access
from .._store.files import open_existing
from ..errors import InvalidTypeError, InvalidValueError
from .augment import Pipeline, monai_basic, nnunet
from .case import Case, to_core
from .folder import cases_from_folder, folder_path
from .normalize import Normalize
from .samplers import Balanced, Sampler, Uniform

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from .._store.core import CoreStore
    from ..typing import PathLike

__all__ = [
    "LoaderOptions",
    "SampleTransform",
    "VoxelType",
    "folder_and_patch",
    "make_core",
    "patch_for",
    "pipeline_for",
]

SampleTransform: TypeAlias = (
    "Callable[[dict[str, np.ndarray[Any, Any]]], Mapping[str, ArrayLike] | None]"
)
"""A sample's arrays, which are parts of the batch: to be changed in place, or returned."""

VoxelType = Literal["stored", "bfloat16"]
_MOST = 2**31 - 1


class LoaderOptions(TypedDict, total=False):
    """The options of `PatchLoader` besides cases, patch and batch size."""

    sampler: Sampler | None
    samples_per_epoch: int | None
    seed: int
    image_dtype: DTypeLike | VoxelType
    label_dtype: DTypeLike | VoxelType
    normalize: Normalize | None
    padding: Literal["constant", "edge", "reflect"]
    image_fill: float
    label_fill: float
    mask_padding: bool
    slice_axis: int | None
    rank: int | None
    world_size: int | None
    drop_last: bool
    threads: int | None
    prefetch_bytes: int
    open_cases: int
    verify: bool | None
    index_cache: PathLike | None
    joined: Sequence[Sequence[int]]
    skip_unreadable: bool
    augment: Pipeline | Literal["nnunet", "monai-basic"] | None
    augment_raw: bool
    transform: SampleTransform | None


def patch_for(
    patch_size: int | Sequence[int], slice_axis: int | None, first: Case | None
) -> tuple[list[int], int | None]:
    """The patch along all axes of space, and the axis of slices, 0 or more.

    Parameters
    ----------
    patch_size : int or sequence of int
        As the user gave it.
    slice_axis : int, optional
        The same.
    first : Case or None
        Of which an int takes the number of axes.

    Returns
    -------
    list of int, int or None
        With 1 along the axis of slices.
    """
    try:
        side = operator.index(patch_size)  # type: ignore[arg-type]
    except TypeError:
        try:
            patch = [operator.index(length) for length in patch_size]  # type: ignore[union-attr]
        except TypeError:
            raise InvalidTypeError(
                f"patch_size={patch_size!r} is neither an int nor a sequence of ints"
            ) from None
    else:
        axes = _axes_of(first) - (slice_axis is not None)
        patch = [side] * axes
    if slice_axis is None:
        return patch, None
    axes = len(patch) + 1
    axis = operator.index(slice_axis)
    if not -axes <= axis < axes:
        raise InvalidValueError(
            f"slice_axis={axis} for a patch of {len(patch)} axes, so images of {axes}: it is "
            f"{-axes} to {axes - 1}"
        )
    axis %= axes
    patch.insert(axis, 1)
    return patch, axis


def _axes_of(case: Case | None) -> int:
    """Axes of space of a case: those of its label map, if it has one without channels."""
    if case is None:
        return 3
    _, image, label, *_ = to_core(case)
    path = (label or image)[0]
    with closing(_opened(path)) as store:
        axes = len(store.spatial_axes())
    # nnU-Net's preprocessed arrays have no names of axes, and channels first.
    return axes - 1 if path.endswith(".b2nd") and axes == 4 else axes


def folder_and_patch(
    images: PathLike, labels: PathLike | None, patch_size: int | Sequence[int] | None
) -> tuple[list[Case], int | Sequence[int]]:
    """The cases of `cases_from_folder`, and the patch if none is given: see `from_folder`."""
    cases = cases_from_folder(images, labels)
    return cases, _stored_patch(cases[0]) if patch_size is None else patch_size


def _stored_patch(case: Case) -> list[int]:
    """The patch that the first image of a case was saved for.

    Raises
    ------
    InvalidValueError
        If the file does not say it.
    """
    path = to_core(case)[1][0]
    with closing(_opened(path)) as store:
        patch = store.core.patch()
    if patch is None:
        raise InvalidValueError(
            f"{path!r} was not saved for a patch; give patch_size, as (128, 128, 128)"
        )
    return list(patch)


def _opened(path: str) -> CoreStore:
    return open_existing(path, Access("r", True), 0, None)


def make_core(
    cases: Iterable[Case],
    patch: Sequence[int],
    slice_axis: int | None,
    options: Mapping[str, Any],
) -> _core.Loader:
    """Make the loader of the core.

    Parameters
    ----------
    cases : iterable of Case
        The cases; read once.
    patch : sequence of int
        By `patch_for`.
    slice_axis : int or None
        The same.
    options : mapping
        As `LoaderOptions`, each of them.

    Returns
    -------
    _core.Loader
        The loader.
    """
    given = options["sampler"]
    sampler = Uniform() if given is None else given
    if not isinstance(sampler, Sampler):
        raise InvalidTypeError(
            f"sampler={sampler!r} is no sampler; give Uniform(), Balanced(), Grid() or Listed()"
        )
    normalize = options["normalize"]
    if normalize is not None and not isinstance(normalize, Normalize):
        raise InvalidTypeError(f"normalize={normalize!r} is no Normalize, nor None")
    by, channels, clip = ("none", [], False) if normalize is None else normalize._to_core()
    cache = options["index_cache"]
    pipeline = pipeline_for(options["augment"], patch, slice_axis)
    core = _core.LoaderOptions(
        patch=patch,
        batch=_int(options, "batch_size"),
        samples_per_epoch=_int(options, "samples_per_epoch", 0),
        seed=_int(options, "seed") % 2**64,
        rank=_int(options, "rank", 0),
        world_size=_int(options, "world_size", 1),
        drop_last=bool(options["drop_last"]),
        image_type=_voxel_type(options["image_dtype"], "image_dtype"),
        label_type=_voxel_type(options["label_dtype"], "label_dtype"),
        normalization=by,
        channels=channels,
        clip=clip,
        padding=str(options["padding"]),
        image_fill=_float(options, "image_fill"),
        label_fill=_float(options, "label_fill"),
        mask_padding=bool(options["mask_padding"]),
        threads=_int(options, "threads", 0),
        prefetch_bytes=_int(options, "prefetch_bytes"),
        open_cases=min(_int(options, "open_cases"), _MOST),
        verify=options["verify"],
        index_cache="" if cache is None else folder_path(cache, "index_cache"),
        index_positions=10_000,
        background=None if sampler._draws_background else 0,
        joined=[[operator.index(label) for label in labels] for labels in options["joined"]],
        skip_unreadable=bool(options["skip_unreadable"]),
        augment=None if pipeline is None else pipeline.value,
        augment_raw=bool(options["augment_raw"]),
    )
    if isinstance(cases, (Case, str, bytes, os.PathLike)):
        raise InvalidTypeError(f"cases={cases!r} is one; give a list of Case")
    drawn = patch
    if pipeline is not None:
        drawn, sampler = _initial(pipeline, slice_axis), _padded(sampler, pipeline)
    return _core.Loader(map(to_core, cases), sampler._to_core(drawn, slice_axis), core)


def pipeline_for(augment: Any, patch: Sequence[int], slice_axis: int | None) -> Pipeline | None:
    """The pipeline of the option `augment`.

    Parameters
    ----------
    augment : Pipeline, str or None
        As the user gave it.
    patch : sequence of int
        By `patch_for`.
    slice_axis : int or None
        The same.

    Returns
    -------
    Pipeline or None
        Of a patch without the axis of slices.
    """
    if augment is None or isinstance(augment, Pipeline):
        return augment
    spatial = [n for axis, n in enumerate(patch) if axis != slice_axis]
    if augment == "nnunet":
        return nnunet(spatial)
    if augment == "monai-basic":
        return monai_basic(spatial)
    raise InvalidValueError(
        f"augment={augment!r} is neither 'nnunet' nor 'monai-basic' nor a Pipeline of "
        f"mlarray.training.augment"
    )


def _initial(pipeline: Pipeline, slice_axis: int | None) -> list[int]:
    """The boxes that are drawn, along all axes of space."""
    initial = list(pipeline.initial)
    if slice_axis is not None:
        initial.insert(slice_axis, 1)
    return initial


def _padded(sampler: Sampler, pipeline: Pipeline) -> Sampler:
    """nnU-Net lets boxes leave the image by as much as they are larger than the patch."""
    if not isinstance(sampler, (Uniform, Balanced)):
        return sampler
    if sampler.border != "nnunet" or sampler.pad != 0:
        return sampler
    pad = [
        max(whole - patch, 0)
        for whole, patch in zip(pipeline.initial, pipeline.patch, strict=True)
    ]
    return dataclasses.replace(sampler, pad=pad)


def _int(options: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = options[name]
    if value is None and default is not None:
        return default
    try:
        return operator.index(value)
    except TypeError:
        raise InvalidTypeError(
            f"{name}={value!r} is a {type(value).__name__}; give an int"
        ) from None


def _float(options: Mapping[str, Any], name: str) -> float:
    try:
        return float(options[name])
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{name}={options[name]!r} is no number") from None


def _voxel_type(dtype: Any, argument: str) -> str:
    if dtype in ("stored", "bfloat16"):
        return str(dtype)
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        raise InvalidTypeError(
            f"{argument}={dtype!r} is no type of elements; give one of NumPy's, 'bfloat16' or "
            f"'stored'"
        ) from None
