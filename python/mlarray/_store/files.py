"""Between files and stores: a file is opened, created, loaded, written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .. import _core
from .._compat.names import Access, resolve_access, resolve_axis_labels, resolve_threads
from .._dtypes import as_dtype, dtype_to_text
from .._index.boxes import as_shape
from .._paths import Naming, checked_path, raise_named
from ..errors import InvalidTypeError, InvalidUseError, MLArrayError
from ..typing import UNSET
from . import writers
from .core import CoreStore
from .metadata import check, new_meta, state_facts, to_core
from .plain import decompressed
from .save_options import (
    Packing,
    check_dparams,
    codec_params,
    commit_level,
    options_for,
    save_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..typing import Level, PathLike
    from .base import Store

__all__ = ["create", "load", "open_existing", "open_or_create", "save"]

_ORDERED: Final = _core.CommitLevel.ordered


def load(
    filepath: PathLike,
    described: Mapping[str, Any],
    threads: int,
    compressed: bool | None,
    verify: bool | None,
) -> Store:
    """Read a whole file into memory. `described` are arguments that it leaves no room for."""
    if given := _given(described):
        raise InvalidUseError(
            f"{', '.join(given)} cannot be given together with {filepath!r}: the file "
            f"says it; change the image after loading it"
        )
    path = checked_path(filepath)
    writers.before_use_of(path)
    store = CoreStore(_core.Array.load(path, threads, verify), threads, path)
    if compressed is not None and not compressed and not store.is_empty:
        return decompressed(store, store.path)
    return store


def open_or_create(
    filepath: PathLike,
    mode: Any,
    mmap_mode: Any,
    mmap: Any,
    to_create: dict[str, Any] | None,
    num_threads: int | None,
    dparams: Any,
    verify: bool | None,
    level: Level | None,
) -> CoreStore:
    """Open a file as `MLArray.open` is told to; `to_create`, if any, is for mode 'w+' only."""
    path = checked_path(filepath)
    try:  # `Naming` would do the same, more slowly
        access = resolve_access(mode, mmap_mode, mmap)
        if access.mode == "w+":
            if verify is not None:
                raise InvalidUseError(
                    "verify can only be given to open an existing file; mode 'w+' creates "
                    "one: leave it out"
                )
            how: Any = {"dparams": dparams, "num_threads": num_threads, "level": level}
            mapping = "w+" if access.mapped else None
            return create(path, mmap_mode=mapping, **how, **(to_create or {}))
        if to_create is not None and (given := _given(to_create)):
            raise InvalidUseError(
                f"{', '.join(given)} can only be given to create a file, with mode 'w+', "
                f"but the mode is {access.mode!r}; leave it out or change the mode"
            )
        if level is not None and access.mode != "r+":
            raise InvalidUseError(
                f"level={level!r} says how edits reach the file, with mode 'r+' or 'w+', "
                f"but the mode is {access.mode!r}; leave it out or change the mode"
            )
        commits = None if level is None else commit_level(level)
        threads = 0
        if dparams is not None or num_threads is not None:
            check_dparams(dparams)
            threads = resolve_threads(num_threads, dparams)
    except MLArrayError as error:
        raise_named(error, path)
        raise
    return open_existing(path, access, threads, verify, commits or _ORDERED)


def open_existing(
    path: str,
    access: Access,
    threads: int,
    verify: bool | None,
    commits: _core.CommitLevel = _ORDERED,
) -> CoreStore:
    """Open a file that there is."""
    writers.before_use_of(path)
    core = _core.Array.open(path, access.mode, access.mapped, threads, verify, commits)
    store = CoreStore(core, threads, path, access.mode, access.mapped, verify)
    if access.mode == "r+":
        writers.warn_of_detached()
        writers.add(store)
    return store


def create(
    filepath: PathLike,
    shape: Any = None,
    dtype: Any = None,
    meta: Any = None,
    mode: str = "w",
    mmap_mode: Any = "w+",
    patch_size: Any = UNSET,
    chunk_size: Any = None,
    block_size: Any = None,
    cparams: Any = None,
    dparams: Any = None,
    *,
    axis_labels: Any = None,
    channel_axis: int | None = None,
    num_threads: int | None = None,
    preset: Any = None,
    level: Level | None = None,
    metadata_format: str = "current",
) -> CoreStore:
    """Create a file of zeros as `MLArray.create` is told to."""
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
        writers.before_use_of(path)
        core = _core.Array.create(path, lengths, text, metadata, options)
    threads = resolve_threads(num_threads, dparams)
    store = CoreStore(core, threads, path, access.mode, access.mapped)
    writers.warn_of_detached()
    writers.add(store)
    return store


def save(
    store: Store,
    path: str,
    asked: Packing,
    defaults: Packing,
    label_index: bool = False,
    **how: Any,
) -> None:
    """Write a store to a file as `MLArray.save` is told to."""
    if label_index and store.dtype.kind not in "biu":
        raise InvalidTypeError(
            f"'{path}': label_index=True is for labels, which are bool or integers, but the "
            f"image has dtype {store.dtype}; convert it first, or leave label_index out"
        )
    with Naming(path):
        is_mla = path.endswith(".mla")
        options = options_for(store, asked, defaults, store_metadata=is_mla, **how)
    writers.before_use_of(path, besides=store)
    store.save(path, options)
    if label_index:
        level = commit_level(how.get("level"), how.get("durable")) or _ORDERED
        threads = resolve_threads(how.get("num_threads"), how.get("dparams"))
        threads = threads or how.get("default_threads", 0)
        _index_labels(store, path, threads, level)
    writers.warn_of_detached()


def _index_labels(store: Store, path: str, threads: int, level: _core.CommitLevel) -> None:
    options = _core.LabelIndexOptions(10_000, 0, [], threads)
    if isinstance(store, CoreStore) and store.writes(path):
        _core.build_label_index_in(store.core, options, level)
    else:
        _core.build_label_index(path, options, level)


def _given(arguments: Mapping[str, Any]) -> list[str]:
    """Which optional arguments were given, and not as the defaults of some version."""
    return [
        name
        for name, value in arguments.items()
        if value is not None
        and value is not UNSET
        and not (name == "patch_size" and isinstance(value, str) and value == "default")
    ]
