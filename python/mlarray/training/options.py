"""What a loader can be told, and the same in the words of the core."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

import numpy as np

from .. import _core
from .._compat.names import Access
from .._store.files import open_existing
from ..errors import InvalidTypeError, InvalidValueError, MLArrayError
from ._arguments import folder_path, groups, number, truth, whole, wholes
from .augment import Pipeline, monai_basic, nnunet
from .case import Case, to_core
from .folder import cases_from_folder
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
    patch_size: int | Sequence[int],
    slice_axis: int | None,
    cases: Sequence[Case],
    skip_unreadable: bool = False,
) -> tuple[list[int], int | None]:
    """The patch along all axes of space, and the axis of slices, 0 or more.

    Parameters
    ----------
    patch_size : int or sequence of int
        As the user gave it.
    slice_axis : int, optional
        The same.
    cases : sequence of Case
        An int takes the number of axes of the first of them, or, with `skip_unreadable`, of the
        first one that can be read.
    skip_unreadable : bool
        As for the loader.

    Returns
    -------
    list of int, int or None
        With 1 along the axis of slices.
    """
    if slice_axis is not None:
        slice_axis = whole(slice_axis, "slice_axis")
    if hasattr(patch_size, "__index__") and not hasattr(patch_size, "__len__"):
        side = whole(patch_size, "patch_size")
        patch = [side] * (_axes_of(cases, skip_unreadable) - (slice_axis is not None))
    else:
        try:
            patch = wholes(patch_size, "patch_size")
        except InvalidTypeError:
            raise InvalidTypeError(
                f"patch_size={patch_size!r} is neither an int nor a sequence of ints"
            ) from None
    if slice_axis is None:
        return patch, None
    axes = len(patch) + 1
    if not -axes <= slice_axis < axes:
        raise InvalidValueError(
            f"slice_axis={slice_axis} for a patch of {len(patch)} axes, so images of {axes}: "
            f"it is {-axes} to {axes - 1}"
        )
    slice_axis %= axes
    patch.insert(slice_axis, 1)
    return patch, slice_axis


def _axes_of(cases: Sequence[Any], skip_unreadable: bool) -> int:
    """Axes of space of the first case that can be read."""
    for place, case in enumerate(cases):
        if not isinstance(case, Case):
            break  # which the core's loader says
        _, image, label, *_ = to_core(case)
        try:
            # An axis of channels without a name is one that only the image or the label has.
            return min(_axes_of_file(files[0]) for files in (image, label) if files)
        except MLArrayError:
            if not skip_unreadable or place + 1 == len(cases):
                raise
    return 3


def _axes_of_file(path: str) -> int:
    with closing(_opened(path)) as store:
        axes = sum(store.spatial_axes())
    # nnU-Net's preprocessed arrays have no names of axes, and channels first.
    return axes - 1 if path.endswith(".b2nd") and axes == 4 else axes


def folder_and_patch(
    images: PathLike,
    labels: PathLike | None,
    patch_size: int | Sequence[int] | None,
    slice_axis: int | None,
) -> tuple[list[Case], int | Sequence[int]]:
    """The cases of `cases_from_folder`, and the patch if none is given: see `from_folder`."""
    cases = cases_from_folder(images, labels)
    if patch_size is not None:
        return cases, patch_size
    patch = _stored_patch(cases[0])
    if slice_axis is not None:
        axis = whole(slice_axis, "slice_axis")
        if -len(patch) <= axis < len(patch):  # else `patch_for` says it
            del patch[axis]
    return cases, patch


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
    verify = options["verify"]
    core = _core.LoaderOptions(
        patch=patch,
        batch=_int(options, "batch_size"),
        samples_per_epoch=_int(options, "samples_per_epoch", 0),
        seed=whole(options["seed"], "seed", None) % 2**64,
        rank=_int(options, "rank", 0, _MOST),
        world_size=_int(options, "world_size", 1, _MOST),
        drop_last=truth(options["drop_last"], "drop_last"),
        image_type=_voxel_type(options["image_dtype"], "image_dtype"),
        label_type=_voxel_type(options["label_dtype"], "label_dtype"),
        normalization=by,
        channels=channels,
        clip=clip,
        padding=options["padding"],
        image_fill=number(options["image_fill"], "image_fill"),
        label_fill=number(options["label_fill"], "label_fill"),
        mask_padding=truth(options["mask_padding"], "mask_padding"),
        threads=_int(options, "threads", 0, _MOST),
        prefetch_bytes=_int(options, "prefetch_bytes"),
        open_cases=min(whole(options["open_cases"], "open_cases", None), _MOST),
        verify=None if verify is None else truth(verify, "verify"),
        index_cache="" if cache is None else folder_path(cache, "index_cache"),
        index_positions=10_000,
        background=None if sampler._draws_background else 0,
        joined=groups(options["joined"], "joined"),
        skip_unreadable=truth(options["skip_unreadable"], "skip_unreadable"),
        augment=None if pipeline is None else pipeline.value,
        augment_raw=truth(options["augment_raw"], "augment_raw"),
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
    if isinstance(augment, str) and augment == "nnunet":
        return nnunet(spatial)
    if isinstance(augment, str) and augment == "monai-basic":
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
    pad = sampler.pad
    if sampler.border != "nnunet" or not (isinstance(pad, int) and pad == 0):
        return sampler
    more = [
        max(initial - patch, 0)
        for initial, patch in zip(pipeline.initial, pipeline.patch, strict=True)
    ]
    return dataclasses.replace(sampler, pad=more)


def _int(
    options: Mapping[str, Any], name: str, default: int | None = None, most: int = 2**63 - 1
) -> int:
    value = options[name]
    return default if value is None and default is not None else whole(value, name, most)


def _voxel_type(dtype: Any, argument: str) -> str:
    if isinstance(dtype, str) and dtype in ("stored", "bfloat16"):
        return dtype
    try:
        if dtype is None:  # NumPy's float64
            raise TypeError
        return str(np.dtype(dtype).name)
    except (TypeError, ValueError):
        raise InvalidTypeError(
            f"{argument}={dtype!r} is no type of elements; give one of NumPy's, 'bfloat16' or "
            f"'stored'"
        ) from None
