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

from .. import _core
from .metadata import is_of_metadata

if TYPE_CHECKING:
    from .base import Store

__all__ = ["add", "before_use_of", "discard", "warn", "warn_of_detached"]

_live: weakref.WeakSet[Store] = weakref.WeakSet()


def add(store: Store) -> None:
    """Remember a writer until it is closed or gone."""
    _live.add(store)


def discard(store: Store) -> None:
    """Forget a writer."""
    _live.discard(store)


def before_use_of(path: str, besides: object = None) -> None:
    """Hand over the metadata edits of this process's writers of `path`.

    Called before `path` is opened again or replaced; the core then commits them. What a writer
    cannot store is its own affair, to be mended there: here it is a warning. An error of its
    file is raised by its `close`.

    Parameters
    ----------
    path : str
        The file.
    besides : object
        The writer that asks.
    """
    if not _live:
        return
    for store in list(_live):
        if store is besides or not _same_file(path, store.absolute):
            continue
        fault = store.push_metadata()
        if fault is not None and is_of_metadata(fault):
            warn(
                f"an MLArray that has {path!r} open for writing in this process has metadata "
                f"that cannot be stored; the file goes without it: mend its meta, close it "
                f"({fault})"
            )


def warn_of_detached() -> None:
    """Warn of each writer that the core has just committed and detached."""
    if not _live:
        return
    for path in _core.take_detached_notice():
        warn(
            f"{path!r} is open for writing in this process already: the older MLArray was "
            f"saved (if not, its `close` says so) and is only for reading now. Close it first, "
            f"or use `with`, to avoid this"
        )


def warn(text: str) -> None:
    """Warn the caller of this package."""
    warnings.warn(text, UserWarning, stacklevel=_level_of_the_user())


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
    lost = []
    for store in list(_live):
        try:
            lost.append(store.close_at_last())
        except Exception as error:  # the others must still be saved
            lost.append(f"{store.path!r} was not saved: {error}")
    _core.close_all_writers()
    for text in filter(None, lost):
        warn(text)
