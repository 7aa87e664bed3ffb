"""The open writers of this process: what is not yet in their files gets there.

The core commits the voxels of a writer that a second one replaces, and of all writers when
it is told to. Metadata is edited as Python objects, so this module hands it over first.
"""

from __future__ import annotations

import atexit
import os
import sys
import warnings
import weakref
from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    from ._handle import Handle

__all__ = ["add", "before_use_of", "discard", "warn_of_detached"]

_live: weakref.WeakSet[Handle] = weakref.WeakSet()


def add(image: Handle) -> None:
    """Remember a writer until it is closed or gone."""
    _live.add(image)


def discard(image: Handle) -> None:
    """Forget a writer."""
    _live.discard(image)


def before_use_of(path: str) -> None:
    """Hand over the metadata edits of this process's writers of `path`.

    Called before `path` is opened again or replaced; the core then commits them.
    """
    if not _live:
        return
    for image in list(_live):
        if _same_file(path, image._absolute):
            image._push_metadata()


def warn_of_detached() -> None:
    """Warn of each writer that the core has just committed and detached."""
    if not _live:
        return
    for image in list(_live):
        if image._is_detached():
            _live.discard(image)
    for path in _core.take_detached_notice():
        warnings.warn(
            f"{path!r} is open for writing in this process already: the older MLArray was "
            f"saved and is only for reading now. Close it first, or use `with`, to avoid this",
            UserWarning,
            stacklevel=_level_of_the_user(),
        )


def _level_of_the_user() -> int:
    """The `stacklevel` of the caller for the first frame outside of this package."""
    package = __name__.partition(".")[0]
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and (
        frame.f_globals.get("__name__", "").partition(".")[0] == package
    ):
        frame = frame.f_back
        level += 1
    return level


def _same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


@atexit.register
def _commit_all() -> None:
    failures = []
    for image in list(_live):
        try:
            image.close()
        except Exception as error:  # the others must still be saved
            failures.append(error)
    _core.close_all_writers()
    if failures:
        raise failures[0]
