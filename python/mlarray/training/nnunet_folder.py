"""Folders that nnU-Net has preprocessed, rewritten: the same voxels in our layout.

Files keep their names and stay what nnU-Net reads. Label maps hold besides what the ``.pkl``
lists of their classes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from .. import _core
from .._paths import Naming
from .._store.save_options import Packing, codec_params, save_options
from ..errors import InvalidUseError, InvalidValueError, NotFoundError
from ._labels import LabelIndex

__all__ = ["Converted", "Folder", "convert_case", "find_cases", "patch_in_plans", "workshop"]

# nnU-Net looks at the files of a folder, and at no folder in it.
_WORKSHOP = ".mlarray-"
_LEFTOVER_AFTER = 24 * 3600.0  # seconds; a case takes some
_SPATIAL = [False, True, True, True]


class Folder(NamedTuple):
    """What is converted, where to, and how."""

    source: str
    target: str
    names: list[str]  # of cases
    patch: list[int]  # along the three axes of space


class Converted(NamedTuple):
    """What became of a case."""

    name: str
    bytes_before: int  # of image and label map
    bytes_after: int
    written: bool  # False: it was converted before


def find_cases(
    source: str, target: str | None = None, patch: int | Sequence[int] | None = None
) -> Folder:
    """Look what there is to convert.

    Parameters
    ----------
    source : str
        A folder of preprocessed cases, as ``nnUNetPlans_3d_fullres``.
    target : str, optional
        Where files are written; default: in their place.
    patch : int or sequence of int, optional
        Voxels along each axis; default: that of the plans.

    Returns
    -------
    Folder
        The cases.

    Raises
    ------
    NotFoundError
        If there is no such folder, or a case has not all of its files.
    InvalidUseError
        For a folder of something else, or plans that do not say the patch.
    """
    try:
        files = {entry.name for entry in os.scandir(source) if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no folder {source!r}", path=source) from None
    names = sorted(name[: -len("_seg.b2nd")] for name in files if name.endswith("_seg.b2nd"))
    if not names:
        raise InvalidUseError(f"{source!r} {_something_else(source, files)}")
    wanted = [name + end for name in names for end in (".b2nd", ".pkl")]
    refuse_missing(source, files, wanted, "preprocess the data set again")
    found = patch_in_plans(source) if patch is None else patch
    lengths = [found] * 3 if isinstance(found, int) else list(found)
    if len(lengths) == 2:
        lengths.insert(0, 1)
    if len(lengths) != 3 or min(lengths) < 1:
        raise InvalidValueError(
            f"a patch of {tuple(lengths)}; nnU-Net's have two or three lengths, 1 or more"
        )
    return Folder(source, source if target is None else target, names, lengths)


def refuse_missing(source: str, there: set[str], wanted: Iterable[str], way_out: str) -> None:
    """Name the files that a folder of preprocessed cases lacks.

    Raises
    ------
    NotFoundError
        If one of `wanted` is not `there`.
    """
    missing = [name for name in wanted if name not in there]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise NotFoundError(
            f"{source!r} has no {', '.join(map(repr, missing[:3]))}{more}; {way_out}",
            path=source,
        )


def _something_else(source: str, files: set[str]) -> str:
    """What a folder without ``_seg.b2nd`` is."""
    if any(name.endswith(".npz") for name in files):
        return (
            "holds .npz files, of another way to preprocess; run nnUNetv2_preprocess of "
            "nnunetv2 2.6 or later, which writes .b2nd"
        )
    inside = sorted(
        name
        for name in os.listdir(source)
        if os.path.isdir(os.path.join(source, name))
        and any(one.endswith("_seg.b2nd") for one in os.listdir(os.path.join(source, name)))
    )
    if inside:
        return f"has folders of preprocessed cases; name one of them: {', '.join(inside)}"
    return (
        "has no files ending in _seg.b2nd; name a folder of cases that nnU-Net has "
        "preprocessed, such as nnUNetPlans_3d_fullres"
    )


def patch_in_plans(source: str) -> list[int]:
    """The patch of the configuration whose cases lie in a folder, by the plans beside it.

    Raises
    ------
    InvalidUseError
        If no plans say it.
    """
    identifier = os.path.basename(os.path.abspath(source))
    above = os.path.dirname(os.path.abspath(source))
    for name in sorted(os.listdir(above)):
        if not name.endswith(".json"):
            continue
        try:
            with open(os.path.join(above, name), encoding="utf-8") as file:
                configurations = json.load(file)["configurations"]
            patches = [
                _of(configurations, one, "patch_size")
                for one in configurations
                if _of(configurations, one, "data_identifier") == identifier
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            continue  # other files lie there, too
        if patches and isinstance(patches[0], list):
            return [int(length) for length in patches[0]]
    raise InvalidUseError(
        f"no plans in {above!r} have a configuration with the data_identifier {identifier!r}, "
        f"and its patch_size; give --patch, as 128,128,128"
    )


def _of(configurations: dict[str, Any], name: str, key: str) -> Any:
    """A value of a configuration, which may inherit it from another."""
    for _ in configurations:
        one = configurations[name]
        if key in one:
            return one[key]
        name = one["inherits_from"]
    raise KeyError(key)


@contextmanager
def workshop(folder: str) -> Iterator[str]:
    """A folder in a folder, for files that are not whole yet.

    What killed processes have left of theirs is removed after a day.
    """
    for old in list(_leftovers(folder)):
        shutil.rmtree(old, ignore_errors=True)
    path = tempfile.mkdtemp(prefix=_WORKSHOP, dir=folder)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _leftovers(folder: str) -> Iterator[str]:
    for entry in os.scandir(folder):
        if not entry.name.startswith(_WORKSHOP) or not entry.is_dir(follow_symlinks=False):
            continue
        if time.time() - entry.stat().st_mtime > _LEFTOVER_AFTER:
            yield entry.path


def convert_case(
    folder: Folder,
    name: str,
    bench: str,
    *,
    preset: str | None = None,
    level: str | None = None,
    again: bool = False,
    num_threads: int | None = None,
) -> Converted:
    """Convert image and label map of a case.

    Each file is written elsewhere, read back and compared, and then renamed to its place. The
    image is the last, so that a new folder has a case as soon as that is whole.

    Parameters
    ----------
    folder : Folder
        By `find_cases`.
    name : str
        Of the case.
    bench : str
        By `workshop`, in the target folder.
    preset : {'fast', 'balanced', 'small'}, optional
        As for `MLArray.save`.
    level : {'none', 'ordered', 'durable'}, optional
        As for `MLArray.save`.
    again : bool
        Convert, too, what was converted before.
    num_threads : int, optional
        At most so many.

    Returns
    -------
    Converted
        Sizes before and after.

    Raises
    ------
    CorruptionError, UnsupportedError, FileAccessError, InvalidValueError
        If a file cannot be read or written. What stood in its place stays.
    """
    before = after = 0
    written = False
    lists = os.path.join(folder.source, f"{name}.pkl")
    if folder.target != folder.source:
        draft = os.path.join(bench, f"{name}.pkl")
        shutil.copyfile(lists, draft)
        os.replace(draft, os.path.join(folder.target, f"{name}.pkl"))
    for end in ("_seg.b2nd", ".b2nd"):
        source = os.path.join(folder.source, name + end)
        target = os.path.join(folder.target, name + end)
        before += os.path.getsize(source)
        index = None
        shape = _core.Array.open(source).shape
        if len(shape) != 4:
            raise InvalidValueError(
                f"{source!r} has shape {tuple(shape)}; nnU-Net's arrays have a channel axis "
                f"and three of space"
            )
        if end == "_seg.b2nd":
            index = LabelIndex.from_nnunet(lists, shape)
        if again or not _is_converted(target, folder.patch, index):
            draft = os.path.join(bench, name + end)
            _write(source, draft, folder.patch, preset, level, num_threads)
            if index is not None:
                index.keep_in(draft, level or "ordered")
            os.replace(draft, target)
            written = True
        after += os.path.getsize(target)
    return Converted(name, before, after, written)


def _is_converted(path: str, patch: list[int], index: LabelIndex | None) -> bool:
    if not os.path.exists(path):
        return False
    array = _core.Array.open(path)
    wanted = _core.choose_layout(
        array.shape, array.itemsize, patch=patch, spatial_axes=_SPATIAL
    )
    return bool(
        array.sealed
        and list(array.chunks) == list(wanted["chunk_size"])
        and list(array.blocks) == list(wanted["block_size"])
        and (index is None or LabelIndex.of(path) == index)
    )


def _write(
    source: str,
    draft: str,
    patch: list[int],
    preset: Any,
    level: Any,
    num_threads: int | None,
) -> None:
    array = _core.Array.open(source)
    with Naming(source):
        options = save_options(
            Packing(tuple(patch)),
            ndim=len(_SPATIAL),
            spatial_axes=_SPATIAL,
            codec=codec_params(None, array.dtype, preset or "fast"),
            store_metadata=False,
            num_threads=num_threads,
            level=level,
            verify=True,
        )
        array.save(draft, options)
