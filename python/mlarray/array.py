"""MLArray: an N-dimensional image with its metadata, in memory or in one file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ._aliases import UNSET, resolve_threads
from ._checks import as_voxels, check, given_names, new_meta, state_facts
from ._exchange import Exchangeable
from ._options import Packing, check_dparams
from ._positions import in_either_order
from .errors import InvalidTypeError, InvalidUseError
from .spatial import filled_from, resolve_axis_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import Params, PatchSize, Sizes, Vector
    from .meta import Meta

__all__ = ["MLArray"]


class MLArray(Exchangeable):
    """An image: voxels and metadata.

    Three kinds look the same from outside. In memory, an `MLArray` holds a NumPy array as it
    is, without a copy. Loaded from a path, it stays compressed in memory and is decoded where
    it is indexed. Opened, it reads and edits a file in place.

    Indexing answers as NumPy does for every basic and advanced key, scalars included, always
    in new memory of your own; only the boxes that a key needs are read and decoded. Any number
    of threads may read one `MLArray`.

    Parameters
    ----------
    array : numpy.ndarray, path or MLArray, optional
        The voxels, any shape of 0 to 16 axes, any dtype but objects. A path is loaded; then
        only `num_threads`, `dparams`, `compressed` and `verify` may be given besides. Without
        it, the image is metadata only: it has no shape, and is saved as a file of less than
        1 kB.
    spacing, origin : sequence of float, optional
        Per axis of space, in `meta.spatial.axis_units`, commonly mm.
    direction : sequence of sequence of float, optional
        Direction cosines, ``(n, n)`` for n axes of space.
    affine : sequence of sequence of float, optional
        ``(n + 1, n + 1)``, instead of the three above.
    meta : dict or Meta, optional
        A dict is the metadata of the source image (``meta.source``).
    axis_labels : sequence of str, optional
        Role of each axis: 'spatial', 'spatial_x', 'channel', 'temporal', ...
    copy : MLArray, optional
        Fills whatever metadata is not given here.
    patch_size, chunk_size, block_size, cparams
        What `save` uses unless it is told otherwise; checked at once.
    dparams : dict, optional
        ``{'nthreads': n}``.
    compressed : bool, optional
        True: hold the voxels compressed, as `compress` does. False: hold a NumPy array, as
        `decompress` does. Default: an array as it is, and what is loaded compressed.
    channel_axis : int, optional
        The older spelling of `axis_labels`.
    num_threads : int, optional
        The older spelling of `dparams`.
    verify : bool, optional
        For a path: as for `load`.

    Notes
    -----
    Positional arguments may also be in the order of 0.0.33 (array, spacing, origin, direction,
    meta, channel_axis, num_threads, copy) or of 0.0.48 (..., meta, axis_labels, copy, ...).

    Raises
    ------
    NotFoundError
        If a path does not exist (``FileNotFoundError``).
    InvalidTypeError
        For an array of objects, or what is no array (``TypeError``).
    InvalidValueError
        For metadata that does not fit the array (``ValueError``).
    InvalidUseError
        For arguments that exclude each other (``RuntimeError``).

    Examples
    --------
    >>> import numpy as np
    >>> image = MLArray(np.zeros((4, 8, 8), "int16"), spacing=(3.0, 0.5, 0.5))
    >>> image.spacing[0] = 2.5
    >>> image
    MLArray(shape=(4, 8, 8), dtype=int16, spacing=[2.5, 0.5, 0.5], in memory)
    """

    @in_either_order("MLArray")
    def __init__(
        self,
        array: Any = None,
        spacing: Vector = None,
        origin: Vector = None,
        direction: Any = None,
        affine: Any = None,
        meta: Mapping[str, Any] | Meta | None = None,
        axis_labels: Sequence[str] | None = None,
        copy: MLArray | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        compressed: bool | None = None,
        *,
        channel_axis: int | None = None,
        num_threads: int | None = None,
        verify: bool | None = None,
    ) -> None:
        geometry = {
            "spacing": spacing,
            "origin": origin,
            "direction": direction,
            "affine": affine,
        }
        packing = Packing(patch_size, chunk_size, block_size, cparams)
        check_dparams(dparams)
        self._threads = resolve_threads(num_threads, dparams)
        if isinstance(array, (str, bytes, os.PathLike)):
            other = {"meta": meta, "axis_labels": axis_labels, "channel_axis": channel_axis}
            given = given_names({**geometry, **other, "copy": copy, **packing._asdict()})
            if given:
                raise InvalidUseError(
                    f"{', '.join(given)} cannot be given together with {array!r}: the file "
                    f"says it; change the image after loading it"
                )
            self._load(array, verify)
            if compressed is not None and not compressed and not self._is_metadata_only():
                path = self._path
                self.decompress()
                self._path = path
            return
        if copy is not None and not isinstance(copy, MLArray):
            raise InvalidTypeError(
                f"copy={copy!r} is a {type(copy).__name__}; give an MLArray, whose metadata is "
                f"taken"
            )
        has_array = array is not None
        base = copy
        if isinstance(array, MLArray):
            base = array if base is None else base
            has_array = not array._is_metadata_only()
            array = array.to_numpy() if has_array else None
        self._plain = np.empty((0,)) if array is None else as_voxels(array)
        self._asked = packing
        new = new_meta(meta)
        self._base_patch = (new if base is None else base.meta).blosc2.patch_size
        state_facts(new, self._plain.shape if has_array else None)
        ndim = self._plain.ndim
        for name, value in geometry.items():
            if value is not None:
                setattr(new.spatial, name, value)
        labels = (
            resolve_axis_labels(axis_labels, channel_axis, ndim) if has_array else axis_labels
        )
        if labels is not None:
            new.spatial.axis_labels = list(labels)
        if base is not None:
            new = filled_from(new, base.meta)
        check(new, ndim if has_array else -1)
        self._loaded = (new, None)
        self._check_asked()
        if compressed and has_array:
            self.compress()
