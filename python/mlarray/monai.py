"""MONAI reads and writes ``.mla`` files: a reader, a writer, and patches without whole images.

Importing the module is enough: ``LoadImage`` opens ``.mla`` and ``.b2nd`` files afterwards, and
``SaveImage(output_ext=".mla")`` writes them. `RandPatchByPosNegLabeld` takes the place of
``LoadImaged`` and ``RandCropByPosNegLabeld`` together, and reads the patch alone. Tested with
MONAI 1.6.1; ``pip install "mlarray[monai]"``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .array import MLArray
from .errors import InvalidValueError
from .training._patches import (
    Box,
    Files,
    Grid,
    Labels,
    Limit,
    as_paths,
    check_same,
    grid_of,
    is_label_map,
    moved,
    placed,
    read_stacked,
    whole_box,
)

try:
    import monai.data.image_writer as writers
    import torch
    from monai.data import ImageReader, ImageWriter, MetaTensor
    from monai.transforms import MapTransform, Randomizable, SpatialResample
    from monai.transforms.io.array import SUPPORTED_READERS
    from monai.transforms.traits import MultiSampleTrait
    from monai.transforms.utils import (
        correct_crop_centers,
        generate_pos_neg_label_crop_centers,
        map_binary_to_indices,
    )
    from monai.utils import ensure_tuple_rep, fall_back_tuple, get_equivalent_dtype
    from torch.utils.data import get_worker_info
except ImportError as error:
    raise ImportError(
        'mlarray.monai needs MONAI and PyTorch: pip install "mlarray[monai]"'
    ) from error

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from .typing import PathLike

__all__ = ["MlaReader", "MlaWriter", "RandPatchByPosNegLabeld"]

_SUFFIXES = (".mla", ".b2nd")
_NO_CHANNEL = float("nan")  # as MONAI says that there is no axis of channels


class MlaReader(ImageReader):
    """Reads ``.mla`` files for MONAI's ``LoadImage``.

    The axes stay in the file's order. The affine leads to RAS: positions of a file in LPS are
    converted, those of a file that does not name its frame are taken as they are.

    Parameters
    ----------
    channel_dim : int, optional
        The axis of channels of files that do not say it, as nnU-Net's ``.b2nd``.
    num_threads : int, optional
        For one file; default: as `mlarray.set_num_threads` says, in workers of a ``DataLoader``
        one.
    """

    def __init__(self, channel_dim: int | None = None, num_threads: int | None = None) -> None:
        super().__init__()
        self.channel_dim = channel_dim
        self.num_threads = num_threads

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all files end in ``.mla`` or ``.b2nd``."""
        return all(str(name).endswith(_SUFFIXES) for name in _each(filename))

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> Any:
        """Open a file, or several.

        Parameters
        ----------
        data : path or sequence of path
            Several have the channels of one image.
        **kwargs
            As for `MLArray.open`.

        Returns
        -------
        MLArray or list of MLArray
            For `get_data`.

        Raises
        ------
        NotFoundError, CorruptionError, UnsupportedError, InvalidUseError
            As for `MLArray.open`; also for an image that has other axes than MONAI.
        """
        kwargs.setdefault("num_threads", _threads(self.num_threads))
        images = [MLArray.open(name, **kwargs) for name in _each(data)]
        for image in images:
            grid_of(image, self.channel_dim)
        return images if len(images) > 1 else images[0]

    def get_data(self, img: Any) -> tuple[NDArray[Any], dict[str, Any]]:
        """The voxels as they are stored, and MONAI's metadata.

        Parameters
        ----------
        img : MLArray or list of MLArray
            What `read` gave.

        Returns
        -------
        voxels : numpy.ndarray
            Channels of several files are stacked.
        meta : dict
            ``affine``, ``original_affine``, ``spatial_shape``, ``space`` and
            ``original_channel_dim``.

        Raises
        ------
        InvalidValueError
            For several files of different grids.
        """
        opened = _Opened([(one, grid_of(one, self.channel_dim)) for one in _each(img)])
        check_same(opened.files)
        arrays = [image.to_numpy() for image, _ in opened.files]
        channel = opened.files[0][1].channel
        if len(arrays) == 1:
            return arrays[0], opened.meta()
        if channel is None:
            return np.stack(arrays), opened.meta()
        return np.concatenate(arrays, axis=channel), opened.meta()


class _Opened(NamedTuple):
    """The files of one image, with their axes."""

    files: list[tuple[MLArray, Grid]]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the axes of space."""
        return self.files[0][1].shape

    def meta(self) -> dict[str, Any]:
        """What MONAI's readers say of an image."""
        image, grid = self.files[0]
        affine = placed(image, grid)
        channel = grid.channel
        if channel is None and len(self.files) > 1:
            channel = 0
        return {
            "affine": affine,
            "original_affine": affine.copy(),
            "spatial_shape": np.asarray(grid.shape),
            "space": "RAS",
            "original_channel_dim": _NO_CHANNEL if channel is None else channel,
        }

    def read(self, box: Box) -> NDArray[Any]:
        """The voxels of a box, channels first."""
        return read_stacked(self.files, box)

    def whole(self) -> NDArray[Any]:
        """All voxels, channels first."""
        return self.read(whole_box(self.files[0][1]))


class RandPatchByPosNegLabeld(Randomizable, MapTransform, MultiSampleTrait):
    """Random patches around foreground and background, of which nothing else is read.

    It stands for MONAI's ``LoadImaged(ensure_channel_first=True)`` and
    ``RandCropByPosNegLabeld`` together: an item has paths under its keys, and becomes a list of
    `num_samples` dicts with patches. Types, affines and the distribution of the centres are as
    there. Voxels of the foreground come from the index of the label map, which counts each
    class exactly and has up to 10,000 voxels of it; label maps of floats or of several
    channels have no index, and are read whole for each item.

    Parameters
    ----------
    keys : str or sequence of str
        Items that are paths, or sequences of paths whose channels are stacked.
    label_key : str
        The label map. Foreground is what is not 0.
    spatial_size : int or sequence of int
        Of a patch; 0 and less: as long as the image.
    pos, neg : float
        ``pos / (pos + neg)`` of the patches have their centre in the foreground.
    num_samples : int
        Patches of one item.
    image_key : str, optional
        Centres in the background lie only where this image is above `image_threshold`.
    image_threshold : float
        For `image_key`.
    fg_indices_key, bg_indices_key : str, optional
        Items with flat indices of voxels to draw from, as ``FgBgToIndicesd`` makes them.
    allow_smaller : bool
        Whether images may be smaller than `spatial_size`; their patches are, too.
    allow_missing_keys : bool
        Whether items may lack some of `keys`.
    dtype : dtype or sequence of dtype, optional
        Of the patches, for all keys or each, as ``LoadImaged`` has it. None: as stored.
    channel_dim, num_threads : int, optional
        As for `MlaReader`.
    index_cache : path, optional
        A folder for the indexes of label maps that have none stored. Without it, each process
        makes those that it needs, once; ``mlarray index`` stores them in the files.

    Raises
    ------
    InvalidTypeError
        For an item that is no path.
    InvalidValueError
        For images of one item whose shapes differ, for one that is smaller than the patch, and
        where there is no voxel to draw.
    KeyError
        For an item that lacks a key.

    Examples
    --------
    >>> from monai.transforms import Compose, RandFlipd
    >>> patches = RandPatchByPosNegLabeld(["image", "label"], "label", 8, num_samples=2)
    >>> transform = Compose([patches, RandFlipd(["image", "label"], prob=0.5)])
    >>> items = transform({"image": "image.mla", "label": "label.mla"})
    >>> [tuple(item["image"].shape) for item in items]
    [(1, 8, 8, 8), (1, 8, 8, 8)]
    """

    def __init__(
        self,
        keys: Hashable | Sequence[Hashable],
        label_key: str,
        spatial_size: Sequence[int] | int,
        pos: float = 1.0,
        neg: float = 1.0,
        num_samples: int = 1,
        image_key: str | None = None,
        image_threshold: float = 0.0,
        fg_indices_key: str | None = None,
        bg_indices_key: str | None = None,
        allow_smaller: bool = False,
        allow_missing_keys: bool = False,
        *,
        dtype: DTypeLike | Sequence[DTypeLike] | None = np.float32,
        channel_dim: int | None = None,
        index_cache: PathLike | None = None,
        num_threads: int | None = None,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        if pos < 0 or neg < 0 or pos + neg == 0:
            raise InvalidValueError(
                f"pos={pos} and neg={neg}: neither is below 0, and one of them is above it"
            )
        self.label_key = label_key
        self.spatial_size = spatial_size
        self.pos_ratio = pos / (pos + neg)
        self.num_samples = num_samples
        self.image_key = image_key
        self.image_threshold = image_threshold
        self.fg_indices_key = fg_indices_key
        self.bg_indices_key = bg_indices_key
        self.allow_smaller = allow_smaller
        self.dtypes = [
            None if one is None else get_equivalent_dtype(one, np.ndarray)
            for one in ensure_tuple_rep(dtype, len(self.keys))
        ]
        self.channel_dim = channel_dim
        self.num_threads = num_threads
        self.centers: tuple[tuple[int, ...], ...] = ()
        self._files = Files(index_cache)

    def __call__(self, data: Mapping[Hashable, Any]) -> list[dict[Hashable, Any]]:
        """The patches of one item.

        Parameters
        ----------
        data : dict
            Paths under `keys`; what else is there is copied to each patch.

        Returns
        -------
        list of dict
            As many as `num_samples`, with channels first.
        """
        item = dict(data)
        self._files.num_threads = _threads(self.num_threads)
        indices = [
            None if key is None else item.pop(key, None)
            for key in (self.fg_indices_key, self.bg_indices_key)
        ]
        opened = {key: self._open(item, key) for key in self.key_iterator(item)}
        measured = list(opened.values())
        if not measured or any(one is None for one in indices):
            measured.insert(0, self._open(item, self.label_key))
        shape = measured[0].shape
        check_same([one.files[0] for one in measured], affines=False)
        self.randomize(item, shape, *indices)

        results = [dict(item) for _ in range(self.num_samples)]
        for result in results:
            for key in item.keys() - set(self.keys):
                result[key] = deepcopy(item[key])
        size = fall_back_tuple(self.spatial_size, shape)
        for key, dtype in self.key_iterator(item, self.dtypes):
            name = str(as_paths(item[key], key)[0])
            for number, (result, center) in enumerate(zip(results, self.centers, strict=True)):
                start = [max(c - n // 2, 0) for c, n in zip(center, size, strict=True)]
                stop = [min(a + n, most) for a, n, most in zip(start, size, shape, strict=True)]
                patch = _patch(opened[key], (start, stop), dtype)
                if isinstance(patch, MetaTensor):
                    patch.meta["filename_or_obj"] = name
                    patch.meta["patch_index"] = number
                    patch.meta["crop_center"] = center
                result[key] = patch
        return results

    def randomize(
        self,
        data: Mapping[Hashable, Any],
        shape: Sequence[int],
        fg_indices: Any = None,
        bg_indices: Any = None,
    ) -> None:
        """Draw the centres of one item's patches.

        Parameters
        ----------
        data : dict
            The item.
        shape : sequence of int
            Of the axes of space.
        fg_indices, bg_indices : array_like, optional
            Flat indices to draw from.
        """
        size = fall_back_tuple(self.spatial_size, shape)
        if not self.allow_smaller and any(n > most for n, most in zip(size, shape)):
            key = self.label_key if self.label_key in data else self.keys[0]
            raise InvalidValueError(
                f"a patch of {tuple(size)} is larger than {data[key]!r}, which has "
                f"{tuple(shape)} voxels; give allow_smaller=True, or a smaller spatial_size"
            )
        if fg_indices is None or bg_indices is None:
            opened = self._open(data, self.label_key)
            image, grid = opened.files[0]
            limit = self._limit(data, shape)
            if len(opened.files) == 1 and is_label_map(image, grid):
                path = as_paths(data[self.label_key], self.label_key)[0]
                self._draw(Labels(self._files, path, grid), shape, limit, path)
                return
            fg_indices, bg_indices = map_binary_to_indices(
                opened.whole(),
                None if limit is None else limit.whole(),
                self.image_threshold,
            )
        self.centers = generate_pos_neg_label_crop_centers(
            self.spatial_size,
            self.num_samples,
            self.pos_ratio,
            shape,
            fg_indices,
            bg_indices,
            self.R,
            self.allow_smaller,
        )

    def _draw(
        self, labels: Labels, shape: Sequence[int], limit: Limit | None, path: PathLike
    ) -> None:
        """The centres, by the index of the label map."""
        name = os.fsdecode(path)
        foreground = [label for label in labels.counts if label != 0]

        def voxel_of(positive: bool) -> tuple[int, ...] | None:
            if positive:
                return labels.draw(foreground, self._below)
            return labels.draw([0], self._below, limit=limit)

        ratio = self.pos_ratio
        centers = []
        for _ in range(self.num_samples):
            positive = bool(self.R.rand() < ratio)
            voxel = voxel_of(positive)
            if voxel is None:  # the other one, as MONAI does it
                ratio = 0.0 if positive else 1.0
                voxel = voxel_of(not positive)
                kinds = ("foreground", "background")[:: 1 if positive else -1]
                if voxel is None:
                    raise InvalidValueError(
                        f"'{name}' has neither foreground nor background to draw a patch from"
                    )
                warnings.warn(
                    f"'{name}' has no {kinds[0]}: its patches are drawn from the {kinds[1]}",
                    stacklevel=4,
                )
            centers.append(
                correct_crop_centers(list(voxel), self.spatial_size, shape, self.allow_smaller)
            )
        self.centers = tuple(centers)

    def _below(self, count: int) -> int:
        return int(self.R.randint(count, dtype=np.int64))

    def _limit(self, data: Mapping[Hashable, Any], shape: Sequence[int]) -> Limit | None:
        if self.image_key is None or self.image_key not in data:
            return None
        opened = self._open(data, self.image_key)
        if opened.shape != tuple(shape):
            raise InvalidValueError(
                f"{data[self.image_key]!r} has the shape {opened.shape}, the label map "
                f"{data[self.label_key]!r} {tuple(shape)}"
            )
        return Limit(opened.files, self.image_threshold)

    def _open(self, data: Mapping[Hashable, Any], key: Hashable) -> _Opened:
        if key not in data:
            raise KeyError(f"an item has no {key!r}, but {sorted(map(str, data))}")
        files = []
        for path in as_paths(data[key], key):
            image = self._files.image(path)
            files.append((image, grid_of(image, self.channel_dim)))
        check_same(files)
        return _Opened(files)


def _patch(opened: _Opened, box: Box, dtype: Any) -> Any:
    """A box as MONAI has it; a tensor if metadata is not tracked."""
    voxels = opened.read(box)
    wanted = voxels.dtype.newbyteorder("=") if dtype is None else dtype
    meta = opened.meta()
    meta["affine"] = moved(meta["affine"], box[0])
    array = np.ascontiguousarray(voxels, wanted)
    return MetaTensor.ensure_torch_and_prune_meta(array, meta)


class MlaWriter(ImageWriter):
    """Writes ``.mla`` files for MONAI's ``SaveImage``.

    Channels come first, and are left out if there is one. The affine is stored as RAS.

    Parameters
    ----------
    output_dtype : dtype, optional
        Of the voxels; None: as they are.
    scale : {255, 65535}, optional
        Values of 0 to 1 are stored as 0 to this.
    **kwargs
        As for MONAI's ``ImageWriter``.
    """

    def __init__(
        self,
        output_dtype: DTypeLike | None = np.float32,
        scale: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(output_dtype=output_dtype, scale=scale, affine=None, **kwargs)
        self.output_dtype = output_dtype
        self.scale = scale
        self.affine: NDArray[np.float64] | None = None
        self.squeeze = True

    def set_data_array(
        self,
        data_array: Any,
        channel_dim: int | None = 0,
        squeeze_end_dims: bool = True,
        **kwargs: Any,
    ) -> None:
        """Take the voxels.

        Parameters
        ----------
        data_array : tensor or numpy.ndarray
            Of an image.
        channel_dim : int, optional
            Its axis of channels; None: it has none.
        squeeze_end_dims : bool
            Whether a single channel is left out.
        **kwargs
            Not used.
        """
        data = torch.as_tensor(data_array).detach().cpu()
        if isinstance(data, MetaTensor):
            data = data.as_tensor()
        self.data_obj = data[None] if channel_dim is None else data.movedim(channel_dim, 0)
        self.squeeze = squeeze_end_dims or channel_dim is None

    def set_metadata(
        self, meta_dict: Mapping[str, Any] | None, resample: bool = True, **options: Any
    ) -> None:
        """Take the affine, and resample to the original grid.

        Parameters
        ----------
        meta_dict : dict, optional
            ``affine``, ``original_affine`` and ``spatial_shape``, as readers give them.
        resample : bool
            Whether the original grid is written, where it differs.
        **options
            ``mode``, ``padding_mode``, ``align_corners`` and ``dtype`` of MONAI's
            ``SpatialResample``.
        """
        assert self.data_obj is not None
        original, affine, shape = self.get_meta_info(meta_dict)
        count = self.data_obj.ndim - 1
        self.affine = _square(affine, count)
        target = _square(original, count)
        if not resample or target is None:
            return
        wanted = tuple(self.data_obj.shape[1:]) if shape is None else tuple(map(int, shape))
        now = np.eye(count + 1) if self.affine is None else self.affine
        if np.allclose(now, target) and wanted == tuple(self.data_obj.shape[1:]):
            return
        resampled = SpatialResample(**options)(
            MetaTensor(self.data_obj, affine=torch.as_tensor(now)),
            dst_affine=torch.as_tensor(target),
            spatial_size=wanted,
        )
        self.data_obj, self.affine = resampled.as_tensor(), target

    def write(self, filename: PathLike, verbose: bool = False, **kwargs: Any) -> None:
        """Save the image.

        Parameters
        ----------
        filename : path
            An older file is replaced.
        verbose : bool
            Whether to log it.
        **kwargs
            As for `MLArray.save`, such as ``patch_size``.
        """
        super().write(filename, verbose=verbose)
        assert self.data_obj is not None
        data = self.data_obj
        if data.dtype == torch.bfloat16:  # NumPy has none
            data = data.float()
        voxels = data.numpy()
        if self.scale is not None:
            voxels = np.clip(voxels, 0.0, 1.0) * self.scale
        if self.output_dtype is not None:
            voxels = voxels.astype(
                get_equivalent_dtype(self.output_dtype, np.ndarray), copy=False
            )
        labels = ["channel", *["spatial"] * (voxels.ndim - 1)]
        if self.squeeze and len(voxels) == 1:
            voxels, labels = voxels[0], labels[1:]
        image = MLArray(np.ascontiguousarray(voxels), affine=self.affine, axis_labels=labels)
        image.meta.spatial.coord_system = "RAS"
        image.save(filename, **kwargs)


def _square(affine: Any, count: int) -> NDArray[np.float64] | None:
    """An affine of so many axes of space, of one that may have more or less."""
    if affine is None:
        return None
    given = np.asarray(torch.as_tensor(affine).cpu(), np.float64)
    result = np.eye(count + 1)
    most = min(count, len(given) - 1)
    result[:most, :most] = given[:most, :most]
    result[:most, -1] = given[:most, -1]
    return result


def _each(value: Any) -> list[Any]:
    """One or several; an image, which can be iterated over, is one."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _threads(asked: int | None) -> int | None:
    """Workers are many already."""
    return 1 if asked is None and get_worker_info() is not None else asked


def _register() -> None:
    SUPPORTED_READERS.update(mlareader=MlaReader)
    # MONAI registers its own writers when it needs one and finds none.
    if not writers.SUPPORTED_WRITERS:
        writers.init()
    writers.register_writer("mla", MlaWriter)


_register()
