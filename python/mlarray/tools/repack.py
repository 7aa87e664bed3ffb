"""Rewriting a file with another layout or compression, and nothing else changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from .._paths import Naming, checked_path
from .._store.save_options import Packing
from ..array import MLArray
from ..errors import InvalidUseError
from ..typing import UNSET

if TYPE_CHECKING:
    from .. import _core
    from ..typing import Level, Params, PatchSize, PathLike, Preset, Sizes

__all__ = ["Repacked", "repack"]


class Repacked(NamedTuple):
    """What `repack` did."""

    path: str
    bytes_before: int
    bytes_after: int
    chunks: tuple[int, ...]
    blocks: tuple[int, ...]


def repack(
    filepath: PathLike,
    *,
    preset: Preset | None = None,
    patch_size: PatchSize = UNSET,
    chunk_size: Sizes = None,
    block_size: Sizes = None,
    cparams: Params = None,
    num_threads: int | None = None,
    level: Level | None = None,
    durable: bool | None = None,
) -> Repacked:
    """Write a file anew in its place: the same voxels and metadata, packed in another way.

    The new file is written beside the old one, read back and compared with it, voxel by voxel
    and all metadata, and only then renamed over it. Whatever happens before, the old file
    stays. It is locked meanwhile, so that no other process edits what is about to go.

    Parameters
    ----------
    filepath : path
        Ends in ``.mla``.
    preset : {'fast', 'balanced', 'small'}, optional
        As for `MLArray.save`; 'fast' where neither it nor `cparams` is given.
    patch_size, chunk_size, block_size : optional
        As for `MLArray.save`. Not given: the patch that the file was made for, or if it names
        none, the chunks and blocks that it has.
    cparams : dict or object, optional
        As for `MLArray.save`, instead of `preset`.
    num_threads : int, optional
        At most so many; default: as `set_num_threads` says.
    level, durable : optional
        As for `MLArray.save`.

    Returns
    -------
    Repacked
        Sizes of the file before and after, and its layout now.

    Raises
    ------
    NotFoundError
        If there is no such file.
    CorruptionError, UnsupportedError
        If the file is damaged, or holds what is refused: it stays as it is.
    BusyError, FileAccessError
        If somebody has it open for writing, or it cannot be written.
    InvalidUseError, LayoutError
        For a file that is no ``.mla``, and sizes that do not fit.

    Warns
    -----
    UserWarning
        If an older writer of this path in this process was saved and detached.

    Examples
    --------
    >>> import mlarray
    >>> mlarray.repack("image.mla", preset="small").bytes_after < 10**9
    True
    """
    path = checked_path(filepath)
    if not path.endswith(".mla"):
        raise InvalidUseError(
            f"'{path}': only .mla files are repacked; a .b2nd may hold what we do not keep: "
            f"open it and save it as .mla"
        )
    if preset is None and cparams is None:
        preset = "fast"
    sizes = Packing(patch_size, chunk_size, block_size)
    with Naming(path), MLArray.open(path, mmap="r+", num_threads=num_threads) as image:
        before = os.path.getsize(path)
        if not sizes.says_sizes:
            sizes = known_sizes(image)
        image.save(
            path,
            patch_size=sizes.patch_size,
            chunk_size=sizes.chunk_size,
            block_size=sizes.block_size,
            num_threads=num_threads,
            cparams=cparams,
            preset=preset,
            level=level,
            durable=durable,
            verify=True,
        )
        core = core_of(image)
        return Repacked(path, before, os.path.getsize(path), core.chunks, core.blocks)


def core_of(image: MLArray) -> _core.Array:
    """What is behind an image that is open on a file."""
    core = image._store.core
    assert core is not None
    return core


def known_sizes(image: MLArray) -> Packing:
    """What is taken where no sizes are given: the patch that the file was made for."""
    patch = core_of(image).patch()
    return Packing() if patch is None else Packing(patch)
