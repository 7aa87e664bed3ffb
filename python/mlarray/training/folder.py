"""Cases of folders: images and labels by name, and what nnU-Net has preprocessed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ..errors import InvalidTypeError, InvalidValueError, NotFoundError
from .case import Case

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["cases_from_folder", "folder_path"]

_SUFFIXES = (".mla", ".b2nd")
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_SEG = "_seg"


def cases_from_folder(images: PathLike, labels: PathLike | None = None) -> list[Case]:
    """Make a case of each image of a folder, in the order of their names.

    ``labels/NAME.mla`` belongs to ``images/NAME.mla``, or to ``images/NAME_0000.mla``,
    ``NAME_0001.mla`` and so on, which are its channels. Without `labels`, a folder with files
    ``NAME_seg.b2nd`` or ``NAME_seg.mla`` is one that nnU-Net has preprocessed: they are the
    labels of ``NAME.b2nd`` or ``NAME.mla``; any other has cases without labels.

    Parameters
    ----------
    images : path
        The folder.
    labels : path, optional
        The folder of label maps.

    Returns
    -------
    list of Case
        At least one.

    Raises
    ------
    NotFoundError
        If there is no such folder.
    InvalidValueError
        If it has no images, an image has no label map, or a label map no image.

    Examples
    --------
    >>> from mlarray.training import cases_from_folder
    >>> [case.name for case in cases_from_folder(".")]
    ['image']
    """
    files = _files(images)
    if labels is None:
        return _preprocessed(files) or _of_groups(_channels(files), {}, images)
    return _of_groups(_channels(files), _files(labels), images, labels)


def folder_path(folder: PathLike, argument: str = "the folder") -> str:
    """The path of a folder as text."""
    try:
        return os.fsdecode(folder)
    except TypeError:
        raise InvalidTypeError(
            f"{argument} is {folder!r}, a {type(folder).__name__}; give a path"
        ) from None


def _files(folder: PathLike) -> dict[str, str]:
    """Paths of the images in a folder by their names without suffix."""
    path = folder_path(folder)
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no folder {path!r}", path=path) from None
    found: dict[str, str] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)
        if suffix not in _SUFFIXES or name.startswith("."):
            continue
        if stem in found:
            raise InvalidValueError(
                f"{path!r} has {os.path.basename(found[stem])!r} and {name!r}; keep one of them"
            )
        found[stem] = os.path.join(path, name)
    if not found:
        raise InvalidValueError(f"{path!r} has no files ending in {' or '.join(_SUFFIXES)}")
    return found


def _channels(files: dict[str, str]) -> dict[str, list[str]]:
    """Paths by the name of their case. A lone ``NAME_0003`` is a name of its own."""
    groups: dict[str, list[str]] = defaultdict(list)
    for stem, path in files.items():
        match = _CHANNEL.fullmatch(stem)
        first = match and f"{match[1]}_0000" in files
        groups[match[1] if match and first else stem].append(path)
    return groups


def _of_groups(
    images: dict[str, list[str]],
    labels: dict[str, str],
    folder: PathLike,
    other: PathLike | None = None,
) -> list[Case]:
    if other is not None:
        _same_names(images, labels, f"images in {folder_path(folder)!r}", "image")
        _same_names(labels, images, f"label maps in {folder_path(other)!r}", "label map")
    return [
        Case(image=paths, label=labels.get(name), name=name)
        for name, paths in sorted(images.items())
    ]


def _same_names(have: object, need: object, where: str, what: str) -> None:
    missing = sorted(set(need) - set(have))  # type: ignore[call-overload]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InvalidValueError(
            f"{', '.join(map(repr, missing[:3]))}{more}: no such {what} among the {where}. The "
            f"names must agree; an image may end in _0000, _0001 ... for its channels"
        )


def _preprocessed(files: dict[str, str]) -> list[Case]:
    """Cases of a folder of nnU-Net's; none if it is no such folder."""
    names = sorted(
        stem.removesuffix(_SEG)
        for stem in files
        if stem.endswith(_SEG) and stem.removesuffix(_SEG) in files
    )
    return [
        Case(
            image=files[name],
            label=files[name + _SEG],
            name=name,
            class_locations=_listed(files[name]),
        )
        for name in names
    ]


def _listed(path: str) -> str | None:
    """The ``.pkl`` beside an image, if there is one."""
    listed = os.path.splitext(path)[0] + ".pkl"
    return listed if os.path.exists(listed) else None
