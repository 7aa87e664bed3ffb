"""TorchIO reads ``.mla`` files lazily: images whose slices are read when they are asked for.

`MlaImage` and `MlaLabelMap` are images of TorchIO that stay in their files; `PatchSampler`
draws patches of them for TorchIO's ``Queue``, and nothing else is read. Tested with TorchIO
1.2.1; ``pip install "mlarray[torchio]"``.
"""

from __future__ import annotations

import functools
import operator
import os
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._paths import checked_path
from .array import MLArray
from .errors import InvalidUseError, InvalidValueError
from .training._patches import (
    Box,
    Files,
    Grid,
    Labels,
    as_paths,
    check_same,
    grid_of,
    is_label_map,
    placed_in_3d,
    read_stacked,
)

try:
    import torch
    import torchio
    from torch.utils.data import get_worker_info
    from torchio.data import LabelSampler
except ImportError as error:
    raise ImportError(
        'mlarray.torchio needs TorchIO and PyTorch: pip install "mlarray[torchio]"'
    ) from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .typing import PathLike

__all__ = ["MlaImage", "MlaLabelMap", "PatchSampler"]

Opened = list[tuple[MLArray, Grid]]

# Subjects are copied for each item, so what is open belongs to no image.
_files = Files()


def _open(paths: Sequence[PathLike], channel_dim: int | None) -> Opened:
    """The files of an image, with their axes."""
    _files.num_threads = 1 if get_worker_info() is not None else None
    images = [_files.image(path) for path in paths]
    opened = [(image, grid_of(image, channel_dim)) for image in images]
    check_same(opened)
    return opened


def _read_whole(path: PathLike, channel_dim: int | None = None) -> tuple[Any, Any]:
    """A reader as TorchIO wants one."""
    opened = _open([path], channel_dim)
    return _read(opened, [slice(0, n) for n in _shape_of(opened)]), placed_in_3d(*opened[0])


def _shape_of(opened: Opened) -> tuple[int, int, int, int]:
    """Channels, and three axes of space; those that an image lacks have one voxel."""
    channels = sum(
        1 if grid.channel is None else image.shape[grid.channel] for image, grid in opened
    )
    width, height, depth = (*opened[0][1].shape, 1, 1)[:3]
    return channels, width, height, depth


def _read(opened: Opened, key: Sequence[slice]) -> NDArray[Any]:
    """A box of channels and three axes of space, where slices may have steps."""
    count = len(opened[0][1].shape)
    space = key[1 : 1 + count]
    # Steps are left to NumPy: a block is decoded as a whole.
    box = [part.start for part in space], [max(part.start, part.stop) for part in space]
    voxels = read_stacked(opened, box)
    first: tuple[Any, ...] = (key[0], *(slice(None, None, part.step) for part in space))
    voxels = voxels[first]
    further: tuple[Any, ...] = tuple(key[1 + count :])
    voxels = voxels.reshape(voxels.shape + (1,) * (3 - count))
    voxels = voxels[(slice(None),) * (1 + count) + further]
    return np.ascontiguousarray(voxels, voxels.dtype.newbyteorder("="))


class _Voxels:
    """The voxels of an image that is not loaded.

    What slices choose is read, as a tensor. Whatever else is asked of a tensor is answered by
    the whole image, which is loaded for it.
    """

    def __init__(self, image: _Lazy) -> None:
        self._image = image

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self._image.shape)

    @property
    def ndim(self) -> int:
        return 4

    @property
    def dtype(self) -> torch.dtype:
        return self[0:0, 0:0, 0:0, 0:0].dtype

    def dim(self) -> int:
        return 4

    def element_size(self) -> int:
        return int(self.dtype.itemsize)

    def __len__(self) -> int:
        return self._image.shape[0]

    def __getitem__(self, key: Any) -> Any:
        # What was loaded may have been edited.
        slices = None if self._image._loaded else _slices_of(key, self._image.shape)
        if slices is None:
            return self.whole()[key]
        wanted, dropped = slices
        voxels = self._image._parse_tensor(_read(self._image._opened(), wanted))
        return voxels[tuple(0 if axis in dropped else slice(None) for axis in range(4))]

    def whole(self) -> torch.Tensor:
        """All voxels; the image is loaded from then on."""
        self._image.load()
        data = self._image.data
        assert isinstance(data, torch.Tensor)
        return data

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of NumPy's and of copies: what a tensor has is below
            raise AttributeError(name)
        return getattr(self.whole(), name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        voxels = self.whole().numpy()
        other = dtype is not None and np.dtype(dtype) != voxels.dtype
        if copy is False and other:
            raise ValueError(f"voxels of {voxels.dtype} cannot be {dtype} without a copy")
        return np.array(voxels, dtype) if copy or other else voxels

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return function(*_wholes(args), **_wholes(kwargs or {}))


def _wholes(value: Any) -> Any:
    """The same with tensors."""
    if isinstance(value, _Voxels):
        return value.whole()
    if isinstance(value, (tuple, list)):
        return type(value)(_wholes(one) for one in value)
    if isinstance(value, dict):
        return {name: _wholes(one) for name, one in value.items()}
    return value


def _by_whole(name: str) -> Any:
    def method(self: _Voxels, *args: Any) -> Any:
        return getattr(self.whole(), name)(*_wholes(args))

    method.__name__ = name
    return method


for _name in (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul"),
    *("rand", "ror", "rxor", "lt", "le", "gt", "ge", "eq", "ne", "neg", "abs", "invert"),
    *("iter", "contains", "bool", "float", "int", "setitem"),
):
    setattr(_Voxels, f"__{_name}__", _by_whole(f"__{_name}__"))


def _slices_of(key: Any, shape: Sequence[int]) -> tuple[list[slice], set[int]] | None:
    """Four slices of a key, and which of them came of an int; None for what is no slices.

    Raises
    ------
    IndexError
        For an int outside of the image.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    if parts.count(Ellipsis) > 1:
        return None
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (len(shape) - len(parts) + 1)
    parts += [slice(None)] * (len(shape) - len(parts))
    if len(parts) != len(shape):
        return None
    slices, dropped = [], set()
    for axis, (part, length) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            try:
                begin, end, step = part.indices(length)
            except TypeError:
                return None
            if step < 1:
                return None
            slices.append(slice(begin, end, step))
            continue
        try:
            index = operator.index(part)
        except TypeError:
            return None
        if isinstance(part, bool):
            return None
        if not -length <= index < length:
            raise IndexError(f"index {index} of an axis of {length} voxels")
        slices.append(slice(index % length, index % length + 1, 1))
        dropped.add(axis)
    return slices, dropped


class _Lazy(torchio.Image):
    """An image of TorchIO that reads what is sliced, until it is loaded."""

    def __init__(
        self,
        path: PathLike | Sequence[PathLike] | None = None,
        *args: Any,
        channel_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        if path is not None and kwargs.get("tensor") is None:
            for one in as_paths(path, "path"):
                checked_path(one)
        # Copies that TorchIO makes have the reader, and by it the axis of channels.
        kwargs.setdefault("reader", functools.partial(_read_whole, channel_dim=channel_dim))
        super().__init__(path, *args, **kwargs)

    @property
    def _channel_dim(self) -> int | None:
        known: int | None = getattr(self.reader, "keywords", {}).get("channel_dim")
        return known

    def _opened(self) -> Opened:
        return _open(self._as_path_list(), self._channel_dim)

    @property
    def data(self) -> Any:
        """The tensor; of an image that is not loaded, what reads when it is sliced."""
        return self[torchio.DATA] if self._loaded else _Voxels(self)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Channels, width, height and depth."""
        if not self._loaded:
            return _shape_of(self._opened())
        channels, width, height, depth = self[torchio.DATA].shape
        return channels, width, height, depth

    @property
    def affine(self) -> NDArray[np.float64]:
        """From an index to a position in RAS, 4 x 4."""
        if not self._loaded:
            return placed_in_3d(*self._opened()[0])
        matrix: NDArray[np.float64] = self[torchio.AFFINE]
        return matrix

    @affine.setter
    def affine(self, matrix: Any) -> None:
        if not self._loaded and self._has_file():
            self.load()  # which would overwrite it later
        self[torchio.AFFINE] = self._parse_affine(matrix)

    def set_data(self, tensor: Any) -> None:
        """Take other voxels, as TorchIO's images do.

        Parameters
        ----------
        tensor : tensor or numpy.ndarray
            Of four axes.
        """
        if not self._loaded and self._has_file():
            self[torchio.AFFINE] = self.affine  # the file is not asked any more
        super().set_data(_wholes(tensor))

    def _has_file(self) -> bool:
        return getattr(self, "path", None) is not None  # not yet, when a tensor is given


class MlaImage(_Lazy, torchio.ScalarImage):
    """A ``torchio.ScalarImage`` of a ``.mla`` file, which is read where it is sliced.

    ``shape``, ``affine``, ``spacing`` and what else does not need voxels reads none. ``data``
    can be sliced without loading the image; anything else that is done with it, and `load`,
    loads the image. Width, height and depth are the file's axes of space, in its order.

    Parameters
    ----------
    path : path or sequence of path, optional
        Of ``.mla`` or ``.b2nd`` files; the channels of several are stacked.
    channel_dim : int, optional
        The axis of channels of files that do not say it.
    *args, **kwargs
        As for ``torchio.ScalarImage``.

    Examples
    --------
    >>> image = MlaImage("image.mla")
    >>> image.shape, tuple(image.data[:, 2:4, :8, :8].shape)
    ((1, 24, 64, 32), (1, 2, 8, 8))
    """


class MlaLabelMap(_Lazy, torchio.LabelMap):
    """A ``torchio.LabelMap`` of a ``.mla`` file, which is read where it is sliced.

    Parameters
    ----------
    path : path or sequence of path, optional
        As for `MlaImage`.
    channel_dim : int, optional
        As for `MlaImage`.
    *args, **kwargs
        As for ``torchio.LabelMap``.
    """


class PatchSampler(torchio.data.PatchSampler):
    """Random patches for TorchIO's ``Queue``, of which nothing else is read.

    Without a label map, patches lie anywhere, as those of TorchIO's ``UniformSampler``. With
    one, their centres are drawn as ``LabelSampler`` does it, but by the index of the label map.
    Images of other kinds, and those that a transform has loaded already, are cropped as by
    TorchIO.

    Parameters
    ----------
    patch_size : int or sequence of int
        Along each of the three axes.
    label_name : str, optional
        The name of the label map in the subject.
    label_probabilities : dict of int to float, optional
        How often the centre has each label; they need not add up to 1. Default: all voxels
        above 0 alike.
    index_cache : path, optional
        A folder for the indexes of label maps that have none stored. Without it, each process
        makes those that it needs, once; ``mlarray index`` stores them in the files.

    Raises
    ------
    InvalidValueError
        For `label_probabilities` without a label map, below 0, or all 0.

    Examples
    --------
    >>> subject = torchio.Subject(
    ...     image=MlaImage("image.mla"), label=MlaLabelMap("label.mla")
    ... )
    >>> sampler = PatchSampler(8, "label")
    >>> [tuple(patch.image.shape) for patch in sampler(subject, num_patches=2)]
    [(1, 8, 8, 8), (1, 8, 8, 8)]
    """

    def __init__(
        self,
        patch_size: int | Sequence[int],
        label_name: str | None = None,
        label_probabilities: Mapping[int, float] | None = None,
        *,
        index_cache: PathLike | None = None,
    ) -> None:
        super().__init__(patch_size)
        if label_probabilities is not None and (
            label_name is None
            or any(share < 0 for share in label_probabilities.values())
            or not sum(label_probabilities.values()) > 0
        ):
            raise InvalidValueError(
                f"label_probabilities={dict(label_probabilities)} with label_name="
                f"{label_name!r}: give the name of a label map, and shares of which none is "
                f"below 0 and one is above it"
            )
        self.label_name = label_name
        self.label_probabilities = (
            None if label_probabilities is None else dict(label_probabilities)
        )
        self._indexes = Files(index_cache)

    def _generate_patches(
        self, subject: torchio.Subject, num_patches: int | None = None
    ) -> Generator[torchio.Subject, None, None]:
        name = self.label_name
        if name is None:
            patches = torchio.data.UniformSampler(self._lengths())
            yield from patches(subject, num_patches)
            return
        if name not in subject:
            raise KeyError(f"a subject has no {name!r}, but {sorted(map(str, subject))}")
        label = subject.get_image(name)
        opened = label._opened() if isinstance(label, _Lazy) and not label._loaded else []
        if len(opened) != 1 or not is_label_map(*opened[0]):
            patches = LabelSampler(self._lengths(), name, self.label_probabilities)
            yield from patches(subject, num_patches)
            return
        path = label._as_path_list()[0]
        labels = Labels(self._indexes, path, opened[0][1])
        done = 0
        while num_patches is None or done < num_patches:
            center = self._center_of(labels, opened[0][1].shape, path)
            half = [n // 2 for n in self._lengths()]
            start = [a - b for a, b in zip((*center, 0, 0), half)]
            yield self.extract_patch(subject, tuple(start))
            done += 1

    def _lengths(self) -> tuple[int, int, int]:
        width, height, depth = (int(n) for n in self.patch_size)
        return width, height, depth

    def _center_of(
        self, labels: Labels, shape: Sequence[int], path: PathLike
    ) -> tuple[int, ...]:
        """A voxel that a patch around it lies within the image."""
        patch = self._lengths()[: len(shape)]
        inside = (
            [n // 2 for n in patch],
            [most - (n - 1) // 2 for most, n in zip(shape, patch, strict=True)],
        )
        if self.label_probabilities is None:
            above = [label for label in labels.counts if label > 0]
            voxel = labels.draw(above, _below, inside)
        else:
            voxel = self._of_class(labels, inside)
        if voxel is None:
            wanted = (
                "above 0"
                if self.label_probabilities is None
                else (f"of {sorted(self.label_probabilities)}")
            )
            raise InvalidUseError(
                f"'{os.fsdecode(path)}' has no label {wanted} around which a patch of "
                f"{self._lengths()} lies within the image"
            )
        return voxel

    def _of_class(self, labels: Labels, inside: Box) -> tuple[int, ...] | None:
        assert self.label_probabilities is not None
        shares = {
            label: share
            for label, share in self.label_probabilities.items()
            if share > 0 and labels.counts.get(label, 0) > 0
        }
        while shares:
            at = float(torch.rand(())) * sum(shares.values())
            chosen = next(iter(shares))
            for label, share in shares.items():
                chosen, at = label, at - share
                if at < 0:
                    break
            voxel = labels.draw([chosen], _below, inside)
            if voxel is not None:
                return voxel
            del shares[chosen]  # all of it is too near to the border
        return None


def _below(count: int) -> int:
    return int(torch.randint(count, ()))
