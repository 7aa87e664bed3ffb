"""Cases of folders: images and labels by name, and what nnU-Net has preprocessed."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import AccessDeniedError, FileAccessError, InvalidValueError, NotFoundError
from ._arguments import folder_path
from .case import Case

if TYPE_CHECKING:
    from ..typing import PathLike

__all__ = ["cases_from_folder"]

_SUFFIXES = (".mla", ".b2nd")
_CHANNEL = re.compile(r"(.+)_(\d{4})")
_SEG = "_seg"
_CONVERTIBLE = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".dcm", ".npy", ".npz")


def cases_from_folder(images: PathLike, labels: PathLike | None = None) -> list[Case]:
    """Make a case of each image of a folder, in the order of their names.

    ``labels/NAME.mla`` belongs to ``images/NAME.mla``, or to ``images/NAME_0000.mla``,
    ``NAME_0001.mla`` and so on, which are its channels. Without `labels`, files
    ``NAME_seg.b2nd`` or ``NAME_seg.mla`` beside images are their labels, as in a folder that
    nnU-Net has preprocessed; a folder without such files has cases without labels.

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
    NotFoundError, AccessDeniedError
        If there is no such folder, or it cannot be read.
    InvalidValueError
        If it has no images; if some have a label map, and another one has none, or a label map
        has no image.

    Examples
    --------
    >>> from mlarray.training import cases_from_folder
    >>> [case.name for case in cases_from_folder(".")]
    ['image']
    """
    files = _files(images)
    if labels is not None:
        return _of_groups(_channels(files), _files(labels), images, labels)
    maps = {stem.removesuffix(_SEG): path for stem, path in files.items() if _is_map(stem)}
    scans = _channels({stem: path for stem, path in files.items() if not _is_map(stem)})
    if not maps.keys() & scans.keys():
        return _of_groups(_channels(files), {}, images)
    where = folder_path(images)
    _same_names(scans, maps, f"images in {where!r}", "image", f"NAME of NAME{_SEG}")
    _same_names(
        maps, scans, f"files NAME{_SEG} in {where!r}", "label map", f"NAME of NAME{_SEG}"
    )
    return [
        Case(image=paths, label=maps[name], name=name, class_locations=_listed(name, files))
        for name, paths in sorted(scans.items())
    ]


def _is_map(stem: str) -> bool:
    return stem.endswith(_SEG) and stem != _SEG


def _files(folder: PathLike) -> dict[str, str]:
    """Paths of the images in a folder by their names without suffix."""
    path = folder_path(folder)
    try:
        with os.scandir(path) as entries:
            # A link to nothing too: the case is missed then, and not left out.
            names = sorted(entry.name for entry in entries if not entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no folder {path!r}", path=path) from None
    except OSError as error:
        kind = AccessDeniedError if isinstance(error, PermissionError) else FileAccessError
        raise kind(
            f"the folder {path!r} cannot be read: {error.strerror}",
            path=path,
            errno=error.errno,
        ) from None
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
        others = [name for name in names if name.endswith(_CONVERTIBLE)]
        out = f"; {others[0]!r} can be converted: mlarray convert" if others else ""
        raise InvalidValueError(
            f"{path!r} has no files ending in {' or '.join(_SUFFIXES)}{out}"
        )
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


def _same_names(
    have: Mapping[str, object],
    need: Mapping[str, object],
    where: str,
    what: str,
    names: str = "",
) -> None:
    missing = sorted(need.keys() - have.keys())
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        rule = f"The names must agree{', ' + names if names else ''}"
        raise InvalidValueError(
            f"{', '.join(map(repr, missing[:3]))}{more}: no such {what} among the {where}. "
            f"{rule}; an image may end in _0000, _0001 ... for its channels"
        )


def _listed(name: str, files: Mapping[str, str]) -> str | None:
    """The ``.pkl`` beside an image of one file, if there is one."""
    if name not in files:
        return None
    listed = os.path.splitext(files[name])[0] + ".pkl"
    return listed if os.path.exists(listed) else None
