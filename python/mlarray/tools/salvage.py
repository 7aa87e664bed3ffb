"""What is left of a damaged file, written to a new one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from .. import _core
from .._paths import checked_path
from .._reports import Damage, damage_of
from .._store.save_options import commit_level
from ..errors import InvalidValueError
from ._interrupt import interruptible

if TYPE_CHECKING:
    from ..typing import Level, PathLike

__all__ = ["SalvageReport", "SalvageState", "salvage"]

_Found = Literal["verified", "unverified", "older", "lost", "absent"]


@dataclass(frozen=True)
class SalvageState:
    """A commit that was found in a damaged file, whole or not.

    Attributes
    ----------
    offset, end : int
        Where its index and trailer begin and end in the file; `end` is None if it is lost.
    sealed : bool
        Header, index and trailer are as they were committed.
    named : bool
        The header of the file names it: it is what a reader would open.
    foreign : bool
        Written by another Blosc2 writer, without a seal.
    """

    offset: int
    end: int | None
    sealed: bool
    named: bool
    foreign: bool


@dataclass(frozen=True)
class SalvageReport:
    """What was saved of a damaged file, and what was not (docs/integrity.md, "Salvage").

    Attributes
    ----------
    bad, good : str or None
        The damaged file and the new one; `good` is None if nothing was written.
    status : {'verified', 'unverified', 'lost'}
        'verified': everything is there, and right. 'unverified': nothing is lost, but not
        everything could be verified, or there may have been a newer commit. 'lost': voxels,
        metadata or the newest commit are lost.
    states : tuple of SalvageState
        The commits that were found, newest first.
    state : int or None
        Which of them was taken. None: chunks were placed in the order of the file.
    newer_lost : bool
        Whether there was a newer commit, which is damaged or gone.
    may_be_older : bool
        Whether there may have been one: bytes follow the commit taken, and no header says that
        they were never committed. False if the argument `state` chose it.
    whole_state : int or None
        An older state of which nothing is lost, where something of the one taken is.
    shape : tuple of int
    dtype : str
        In NumPy's notation.
    voxels, verified_voxels, unverified_voxels, lost_voxels : int
        The first is the sum of the others. Unverified ones were decoded, with nothing to
        verify them by; some of them may be wrong.
    lost : tuple of Damage
        The boxes that were filled, in the order of the array; at most 10000.
    lost_is_complete : bool
        False if there are more.
    unverified : tuple of Damage
        The boxes of unverified voxels, at most 10000. Their chunks have no checksums in the new
        file, so that `verify_file` does not call them verified.
    unverified_is_complete : bool
        False if there are more.
    metadata : {'verified', 'unverified', 'older', 'lost', 'absent'}
        'older' is of another commit than the voxels; 'absent': the file has none.
    notes : tuple of str
        What else is to be known, one line each.
    """

    bad: str
    good: str | None
    status: Literal["verified", "unverified", "lost"]
    states: tuple[SalvageState, ...]
    state: int | None
    newer_lost: bool
    may_be_older: bool
    whole_state: int | None
    shape: tuple[int, ...]
    dtype: str
    voxels: int
    verified_voxels: int
    unverified_voxels: int
    lost_voxels: int
    lost: tuple[Damage, ...]
    lost_is_complete: bool
    unverified: tuple[Damage, ...]
    unverified_is_complete: bool
    metadata: _Found
    notes: tuple[str, ...]

    @property
    def lost_share(self) -> float:
        """Of all voxels, from 0 to 1."""
        return self.lost_voxels / self.voxels if self.voxels else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        out = dict(vars(self))
        out["states"] = [dict(vars(state)) for state in self.states]
        out["lost"] = [dict(vars(place)) for place in self.lost]
        out["unverified"] = [dict(vars(place)) for place in self.unverified]
        out["lost_share"] = self.lost_share
        return out


def salvage(
    bad: PathLike,
    good: PathLike | None = None,
    *,
    fill: float | bool = 0,
    only_verified: bool = False,
    assume_order: bool = False,
    state: int | None = None,
    like: PathLike | None = None,
    num_threads: int | None = None,
    level: Level | None = None,
) -> SalvageReport:
    """Save what is left of a damaged file to a new one.

    The newest commit whose header, index and trailer are whole is taken, found by looking
    through all of the file; else every block that is whole, without index or trailer too. What
    is lost is filled. The new file has the layout and the codec of the damaged one, is read
    back before it gets its name, and never takes the place of another. The damaged file is
    only read. Ctrl-C ends it at any time, and nothing is written then.

    Parameters
    ----------
    bad : path
        The damaged file, under any name.
    good : path, optional
        The new file, ``.mla`` or ``.b2nd``, which must not exist. None: nothing is written,
        and the report says what would be saved.
    fill : number
        What lost voxels become; NaN for floats only. Types that are no numbers take 0 alone.
    only_verified : bool
        Fill as well what could be decoded, but has nothing to verify it by. Files of other
        writers have nothing at all.
    assume_order : bool
        Where neither index nor checksums are left, take the chunks in the order of the file.
        Right for a file that was written once and has no chunks of zeros.
    state : int, optional
        Which of the report's `states` to take instead; 0 is the newest.
    like : path, optional
        A whole file of the same shape, type and layout, for its header, where that of the
        damaged file is lost.
    num_threads : int, optional
        At most so many; default: as `set_num_threads` says.
    level : {'none', 'ordered', 'durable'}, optional
        What a power cut may do to the new file, as in `MLArray.save`; default: 'durable'.

    Returns
    -------
    SalvageReport
        What is lost is in it; it is no error.

    Raises
    ------
    InvalidUseError
        If `good` exists, which includes `bad` itself.
    CorruptionError
        If nothing can be saved. The text says why, and which argument would help.
    InvalidValueError
        For a `fill` that the type does not hold, and a `state` that is not there.
    NotFoundError, FileAccessError, UnsupportedError
        If there is no such file, it cannot be read, or it is of another format.

    Examples
    --------
    >>> import mlarray
    >>> report = mlarray.salvage("image.mla")
    >>> report.status, report.lost_share
    ('verified', 0.0)
    """
    if state is not None and state < 0:
        raise InvalidValueError(f"state={state} is below 0; 0 is the newest")
    source = os.fsdecode(bad)
    target = None if good is None else checked_path(good, writes=True)
    other = None if like is None else os.fsdecode(like)
    safe = commit_level(level) or _core.CommitLevel.durable
    core = interruptible(
        lambda cancel: _core.salvage(
            source,
            target,
            fill,
            only_verified,
            assume_order,
            state,
            other,
            num_threads or 0,
            safe,
            cancel,
        )
    )
    return report_of(core, source, target)


def report_of(core: _core.SalvageReport, bad: str, good: str | None) -> SalvageReport:
    """The core's report as Python's."""
    status: Literal["verified", "unverified", "lost"] = "lost"
    if core.verified:
        status = "verified"
    elif core.complete:
        status = "unverified"
    return SalvageReport(
        bad=bad,
        good=good,
        status=status,
        states=tuple(
            SalvageState(item.offset, item.end or None, item.sealed, item.named, item.foreign)
            for item in core.states
        ),
        state=core.state,
        newer_lost=core.newer_lost,
        may_be_older=core.may_be_older,
        whole_state=core.whole_state,
        shape=tuple(core.shape),
        dtype=core.dtype,
        voxels=core.voxels,
        verified_voxels=core.verified_voxels,
        unverified_voxels=core.unverified_voxels,
        lost_voxels=core.lost_voxels,
        lost=tuple(damage_of(place) for place in core.lost),
        lost_is_complete=core.lost_is_complete,
        unverified=tuple(damage_of(place) for place in core.unverified),
        unverified_is_complete=core.unverified_is_complete,
        metadata=cast("_Found", core.metadata),
        notes=tuple(core.notes),
    )
