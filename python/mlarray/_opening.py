"""MLArray from files: opening, creating, loading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from . import _core, _writers
from ._aliases import (
    UNSET,
    Unset,
    resolve_access,
    resolve_threads,
)
from ._checks import (
    Naming,
    as_dtype,
    as_shape,
    check,
    checked_path,
    given_names,
    new_meta,
    state_facts,
    to_core,
)
from ._dtypes import dtype_to_text
from ._options import Packing, check_dparams, codec_params, commit_level, save_options
from ._packing import Packable
from ._positions import in_either_order
from .errors import InvalidUseError
from .spatial import resolve_axis_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike

    from ._types import Level, MmapMode, Params, PatchSize, PathLike, Preset, Sizes
    from .meta import Meta

__all__ = ["Openable"]

Image = TypeVar("Image", bound="Openable")


class Openable(Packable):
    """The ways from a path to an image."""

    if TYPE_CHECKING:  # that of MLArray

        def __init__(self, array: Any = None, **options: Any) -> None: ...

    @classmethod
    @in_either_order("open")
    def open(
        cls: type[Image],
        filepath: PathLike,
        mode: str | Unset = UNSET,
        mmap_mode: MmapMode = UNSET,
        dparams: Params = None,
        *,
        mmap: MmapMode = UNSET,
        shape: int | Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        channel_axis: int | None = None,
        axis_labels: Sequence[str] | None = None,
        meta: Mapping[str, Any] | Meta | None = None,
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        num_threads: int | None = None,
        cparams: Params = None,
        verify: bool | None = None,
        level: Level | None = None,
    ) -> Image:
        """Open a file without reading its voxels.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd`` (whose metadata is ignored).
        mode : {'r', 'a', 'r+', 'c', 'w', 'w+'}, optional
            Used where `mmap_mode` does not say it: 'a' is 'r+'.
        mmap_mode, mmap : {'r', 'r+', 'c', 'w+', None}, optional
            'r' (default) reads; 'r+' edits the file; 'c' keeps edits in memory; 'w+' creates
            or replaces the file with zeros of `shape` and `dtype`; None: no memory map.
        dparams : dict, optional
            ``{'nthreads': n}``: at most so many threads per call.
        shape, dtype, meta, axis_labels, channel_axis, patch_size, chunk_size, block_size, \
cparams
            For 'w+' only: see `create`.
        num_threads : int, optional
            The older spelling of `dparams`.
        verify : bool, optional
            False neither checks the seal nor the checksum of what is read, to save what is
            left of a damaged file. None: as `set_verification` says, which is True unless
            the environment says ``MLARRAY_VERIFY=0``.
        level : {'none', 'ordered', 'durable'}, optional
            For 'r+' and 'w+': what a power cut may do to the edits that become part of the
            file in `flush`, in `close`, at exit and now and then in between.
            'none': the file may be lost, edits of before included.
            'ordered' (default): it is the old state or the new one, whole.
            'durable': when `flush` or `close` returns, it is the new one.

        Returns
        -------
        MLArray
            Close it, or use ``with``. A writer that is left open is saved when it is
            collected, when its path is opened again, and at exit.

        Raises
        ------
        NotFoundError
            If there is no such file (``FileNotFoundError`` and ``RuntimeError``).
        CorruptionError, UnsupportedError
            If the file is damaged, or holds what is refused (``RuntimeError``).
        BusyError
            If another process has the file open for writing (``RuntimeError``).
        InvalidUseError
            For a wrong suffix, mode or combination of arguments (``RuntimeError``).

        Warns
        -----
        UserWarning
            If an older writer of this path in this process was saved and detached.

        Notes
        -----
        Positional arguments may also be in the order of 0.0.33: filepath, shape, dtype,
        channel_axis, mmap, patch_size, chunk_size, block_size, num_threads, cparams, dparams.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> with MLArray.open("image.mla", mmap="r+") as image:
        ...     image[10:20, 50:60] *= 5
        """
        path = checked_path(filepath)
        with Naming(path):
            access = resolve_access(mode, mmap_mode, mmap)
            to_create: dict[str, Any] = {}
            described = not (shape is None and dtype is None and meta is None)
            described = described or not (axis_labels is None and channel_axis is None)
            packed = not (patch_size is UNSET and chunk_size is None and block_size is None)
            if access.mode == "w+" or described or packed or cparams is not None:
                to_create = {
                    "shape": shape,
                    "dtype": dtype,
                    "meta": meta,
                    "axis_labels": axis_labels,
                    "channel_axis": channel_axis,
                    **Packing(patch_size, chunk_size, block_size, cparams)._asdict(),
                }
            if access.mode == "w+":
                if verify is not None:
                    raise InvalidUseError(
                        "verify can only be given to open an existing file; mode 'w+' creates "
                        "one: leave it out"
                    )
                return cls.create(
                    path,
                    mmap_mode="w+" if access.mapped else None,
                    dparams=dparams,
                    num_threads=num_threads,
                    level=level,
                    **to_create,
                )
            if given := given_names(to_create):
                raise InvalidUseError(
                    f"{', '.join(given)} can only be given to create a file, with mode 'w+', "
                    f"but the mode is {access.mode!r}; leave it out or change the mode"
                )
            if level is not None and access.mode != "r+":
                raise InvalidUseError(
                    f"level={level!r} says how edits reach the file, with mode 'r+' or 'w+', "
                    f"but the mode is {access.mode!r}; leave it out or change the mode"
                )
            commits = commit_level(level) or _core.CommitLevel.ordered
            check_dparams(dparams)
            threads = resolve_threads(num_threads, dparams)
        _writers.before_use_of(path)
        core = _core.Array.open(path, access.mode, access.mapped, threads, verify, commits)
        image = cls.__new__(cls)
        image._attach(core, path, access.mode, access.mapped, threads)
        image._verify = verify
        if access.mode == "r+":
            _writers.warn_of_detached()
            _writers.add(image)
        return image

    @classmethod
    @in_either_order("create")
    def create(
        cls: type[Image],
        filepath: PathLike,
        shape: int | Sequence[int],
        dtype: DTypeLike,
        meta: Mapping[str, Any] | Meta | None = None,
        mode: str = "w",
        mmap_mode: MmapMode = "w+",
        patch_size: PatchSize = UNSET,
        chunk_size: Sizes = None,
        block_size: Sizes = None,
        cparams: Params = None,
        dparams: Params = None,
        *,
        axis_labels: Sequence[str] | None = None,
        channel_axis: int | None = None,
        num_threads: int | None = None,
        preset: Preset | None = None,
        level: Level | None = None,
        metadata_format: Literal["current", "legacy"] = "current",
    ) -> Image:
        """Create a file of zeros, or replace one, and open it for writing.

        The file is whole from the start: assign to it piece by piece.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd``.
        shape : int or sequence of int
            In voxels.
        dtype : dtype
            Any but objects.
        meta : dict or Meta, optional
            As for `MLArray`.
        mode : {'w', 'w+'}
            There is no other.
        mmap_mode : {'w+', None}
            None: no memory map.
        patch_size, chunk_size, block_size, cparams, dparams, num_threads, preset, \
metadata_format
            As for `save`.
        axis_labels, channel_axis : optional
            As for `MLArray`.
        level : {'none', 'ordered', 'durable'}, optional
            As for `save`, of the new file; then as for `open`, of the edits.

        Returns
        -------
        MLArray
            Open for writing.

        Raises
        ------
        NotFoundError
            If the folder does not exist.
        InvalidTypeError, InvalidValueError, InvalidUseError, LayoutError
            As for `MLArray` and `save`.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> with MLArray.create("new.mla", (64, 64), "uint8") as image:
        ...     image[:32] = 1
        """
        path = checked_path(filepath, writes=True)
        with Naming(path):
            access = resolve_access(mode, mmap_mode, UNSET)
            if access.mode != "w+":
                raise InvalidUseError(f"mode={mode!r} does not create a file; leave it out")
            sizes = {"shape": shape, "dtype": dtype}
            if missing := [name for name, value in sizes.items() if value is None]:
                raise InvalidUseError(
                    f"mode 'w+' creates a file, which needs {' and '.join(missing)}; give it, "
                    f"or open an existing file with 'r+'"
                )
            lengths = as_shape(shape)
            text = dtype_to_text(as_dtype(dtype))
            new = new_meta(meta)
            labels = resolve_axis_labels(axis_labels, channel_axis, len(lengths))
            if labels is not None:
                new.spatial.axis_labels = list(labels)
            state_facts(new, tuple(lengths))
            check(new, len(lengths))
            metadata = to_core(new)
            options = save_options(
                Packing(patch_size, chunk_size, block_size, cparams, preset),
                ndim=len(lengths),
                spatial_axes=metadata.spatial_axes(len(lengths)),
                codec=codec_params(cparams, text, preset),
                num_threads=num_threads,
                dparams=dparams,
                metadata_format=metadata_format,
                level=level,
                store_metadata=path.endswith(".mla"),
            )
            _writers.before_use_of(path)
            core = _core.Array.create(path, lengths, text, metadata, options)
        image = cls.__new__(cls)
        threads = resolve_threads(num_threads, dparams)
        image._attach(core, path, access.mode, access.mapped, threads)
        _writers.warn_of_detached()
        _writers.add(image)
        return image

    @classmethod
    @in_either_order("load")
    def load(
        cls: type[Image],
        filepath: PathLike,
        dparams: Params = None,
        compressed: bool | None = True,
        *,
        num_threads: int | None = None,
        verify: bool | None = None,
    ) -> Image:
        """Read a whole file into memory, detached from its path.

        Parameters
        ----------
        filepath : path
            Ends in ``.mla`` or ``.b2nd``.
        dparams : dict, optional
            ``{'nthreads': n}``.
        compressed : bool
            True keeps the voxels compressed and decodes what is indexed; False decodes them.
        num_threads : int, optional
            The older spelling of `dparams`.
        verify : bool, optional
            As for `open`; holds for what is decoded later, too.

        Returns
        -------
        MLArray
            In memory.

        Raises
        ------
        NotFoundError, CorruptionError, UnsupportedError, InvalidUseError
            As for `open`.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.load("image.mla")
        """
        return cls(
            checked_path(filepath),
            dparams=dparams,
            compressed=compressed,
            num_threads=num_threads,
            verify=verify,
        )
