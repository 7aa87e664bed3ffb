"""An MLArray as something open: flushing, closing, refreshing, and what is unsaved."""

from __future__ import annotations

import os
import warnings
from _thread import allocate_lock  # `threading` is a tenth of our import
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from . import _core, _writers
from ._checks import checked_path, is_of_metadata, to_core
from ._dtypes import dtype_from_text
from ._options import commit_level
from ._state import State
from ._voxels import Voxels
from .errors import InvalidUseError, InvalidValueError, MLArrayError

if TYPE_CHECKING:
    from ._types import Level, PathLike
    from ._verify import VerifyReport

__all__ = ["Handle"]

HandleType = TypeVar("HandleType", bound="Handle")

# So that no refresh takes back what a later one has seen.
_refreshing = allocate_lock()


def _new_lock_in_child() -> None:
    global _refreshing
    _refreshing = allocate_lock()  # the thread that held it may not be here


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock_in_child)


class Handle(State):
    """Saving what is unsaved, letting go of the file, and looking at it anew."""

    def flush(self, durable: bool | None = None, *, level: Level | None = None) -> None:
        """Make all edits so far part of the file; nothing to do for other images.

        Parameters
        ----------
        durable : bool, optional
            True is another name of ``level='durable'``.
        level : {'none', 'ordered', 'durable'}, optional
            What a power cut may do to the file. Not given: as the image was opened with.
            'none': it may be lost, edits of before included.
            'ordered': it is the old state or the new one, whole.
            'durable': when the call returns, it is the new one.

        Raises
        ------
        FileAccessError
            If the file cannot be written. That ends all writing through this image: the file
            keeps its last commit, reading goes on, and `close` raises it once more.
        InvalidTypeError, InvalidValueError, UnsupportedError
            If edited metadata cannot be stored, naming the field; voxels are saved. Mend it,
            and flush again.
        """
        commits = commit_level(level, durable)
        if self._access not in ("r+", "w+") or self._array is None:
            return
        fault = self._push_fault()
        self._array.flush(commits)
        if fault is not None:
            raise self._explained(fault) if is_of_metadata(fault) else fault

    def close(self, *, discard_metadata: bool = False) -> None:
        """Save edits of voxels and metadata, and release the file. Closing twice is fine.

        Parameters
        ----------
        discard_metadata : bool
            Give up edits of metadata since the last commit, such as those that cannot be
            stored.

        Raises
        ------
        FileAccessError
            If the file cannot be written, or could not be before: it keeps its last commit.
            The image is closed all the same.
        MemoryError
            The image stays open, with all edits: free some memory and close it again.
        InvalidTypeError, InvalidValueError, UnsupportedError
            If edited metadata cannot be stored, naming the field. Voxels are saved, and the
            image stays open: mend `meta` and close again, or discard it. Whoever opens the
            file meanwhile finds the metadata of the last commit, and a warning.

        Warns
        -----
        UserWarning
            If metadata was edited that has nowhere to go: in mode 'r', in a ``.b2nd``, or in
            a writer whose file was opened again meanwhile.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.open("image.mla", mmap="r+")
        >>> image.meta.extra["checked"] = True
        >>> image.close(discard_metadata=True)
        >>> "checked" in MLArray("image.mla").meta.extra
        False
        """
        core = self._array
        if core is None or core.closed:
            self._plain = None
            return
        if self._pid != os.getpid():
            core.close()  # a child process gives up what belongs to its parent
            return
        if not discard_metadata:
            self._warn_of_lost_metadata()
        self._save_and_let_go(discard_metadata)

    def _save_and_let_go(self, discard_metadata: bool = False) -> None:
        """Close, unless it is edited metadata that keeps all from being saved."""
        core = self._array
        assert core is not None
        fault = None if discard_metadata else self._push_fault()
        if fault is not None and is_of_metadata(fault):
            try:
                core.flush()
            except MLArrayError:
                pass  # close() raises it again, and nothing that could be mended would help
            else:
                raise self._explained(fault)
        if isinstance(fault, MemoryError):
            raise fault  # nothing is lost yet: it stays open
        try:
            core.close()
        finally:
            if core.closed:  # not where there was no memory
                _writers.discard(self)
        if fault is not None:
            raise fault

    def _close_at_last(self) -> str | None:
        """Close where nobody is left to mend anything; what to warn of if edits were lost."""
        try:
            self.close()
        except MLArrayError as error:
            with suppress(MLArrayError):
                self.close(discard_metadata=True)
            return (
                f"edits of {self._path!r} are lost, as it was left to be closed by itself: "
                f"{error.__cause__ or error}"
            )
        return None

    def refresh(self) -> bool:
        """Show the newest commit of the file from now on, also if the file was replaced.

        For readers of a file that another process writes: an open image keeps the commit that
        it was opened with. An indexing, and a look at `meta`, sees one commit or the other,
        also in other threads; a `Meta` that was taken before stays as it was.

        Returns
        -------
        bool
            Whether there is a newer commit. Always False for images in memory, and for a
            writer, whose file nobody else changes; always True for files that another Blosc2
            writer made, which do not say it.

        Raises
        ------
        NotFoundError, CorruptionError, UnsupportedError
            As for `open`; the image stays as it was.
        InvalidUseError
            For edits in mode 'c', which would be lost, and if the file holds voxels of another
            shape or type by now: open it again.
        ClosedError
            After `close`.

        Warns
        -----
        UserWarning
            If metadata was edited in mode 'r': these edits are gone.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> image = MLArray.open("image.mla")
        >>> image.refresh()
        False
        """
        if self._plain is not None or self._access is None:
            return False
        with _refreshing:
            core = self._open_core()
            if self._access == "c" and self._is_metadata_edited():
                raise InvalidUseError(
                    f"the metadata of {self._path!r} was edited in memory (mode 'c'), which a "
                    f"refresh would drop: save the image to another path, or open it again"
                )
            _writers.before_use_of(self._absolute)
            newer = core.newer()
            if newer is None:
                return False
            self._warn_of_lost_metadata()
            self._voxels = Voxels(newer, dtype_from_text(newer.dtype), self._threads)
            self._array = newer
        return True

    def __enter__(self: HandleType) -> HandleType:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._array is None:
            return
        if lost := self._close_at_last():
            _writers.warn(lost)

    def verify(self, decode: bool = True) -> VerifyReport:
        """Look at the seal, every checksum, and whether every block decodes.

        Parameters
        ----------
        decode : bool
            False looks at checksums and structure only, which is several times faster.

        Returns
        -------
        VerifyReport
            Damage is in it; it is no error. Voxels that were never in a file are
            'unverified'.

        Raises
        ------
        ClosedError
            After `close`.
        InvalidUseError
            If the image holds a NumPy array, in which there is nothing to verify.

        Examples
        --------
        >>> from mlarray import MLArray
        >>> with MLArray.open("image.mla") as image:
        ...     image.verify().status
        'verified'
        """
        from ._verify import report_of

        if self._plain is not None:
            raise InvalidUseError("the image holds a NumPy array: there is nothing to verify")
        core = self._open_core()
        return report_of(_core.verify_array(core, decode, self._threads), self._path)

    def _load(self, filepath: PathLike, verify: bool | None) -> None:
        path = checked_path(filepath)
        _writers.before_use_of(path)
        self._attach(
            _core.Array.load(path, self._threads, verify), path, None, False, self._threads
        )

    def _changed_metadata(self) -> _core.Metadata | None:
        """The metadata for the core, if it is not what was loaded."""
        if self._loaded is None:
            return None
        meta, before = self._loaded
        now = to_core(meta)
        return None if now == before else now

    def _push_metadata(self) -> None:
        if self._access not in ("r+", "w+") or not self._has_metadata() or self._is_detached():
            return
        changed = self._changed_metadata()
        if changed is not None and self._array is not None:
            self._array.set_metadata(changed)
            self._loaded = (self.meta, changed)

    def _push_fault(self) -> Exception | None:
        """Hand over edited metadata; the error if that fails."""
        try:
            self._push_metadata()
        except Exception as error:
            return error
        return None

    def _explained(self, fault: Exception) -> MLArrayError:
        """What to raise where `fault` kept metadata from being stored, but voxels were."""
        kind = type(fault) if isinstance(fault, MLArrayError) else InvalidValueError
        path = repr(self._path)
        text = str(fault) if path in str(fault) else f"{path}: {fault}"
        error = kind(
            f"{text}; the voxels are saved, this metadata is not: mend image.meta and close or "
            f"flush again, or give its edits up with close(discard_metadata=True)",
            path=self._path,
        )
        error.__cause__ = fault
        return error

    def _is_metadata_edited(self) -> bool:
        try:
            return self._changed_metadata() is not None
        except Exception:  # what cannot be stored was never read from a file
            return True

    def _warn_of_lost_metadata(self) -> None:
        if self._access is None or self._access == "c" or self._loaded is None:
            return
        if self._access == "r":
            reason = "it is open for reading: open it with 'r+'"
        elif not self._has_metadata():
            reason = "a .b2nd file holds no metadata: save the image as .mla"
        elif self._is_detached():
            reason = "its file was opened again or replaced meanwhile: use the newer MLArray"
        else:
            return
        if self._is_metadata_edited():
            warnings.warn(
                f"the metadata of {self._path!r} was edited, but the edits are not saved, "
                f"because {reason}",
                UserWarning,
                stacklevel=3,
            )

    def _is_detached(self) -> bool:
        core = self._array
        return core is None or (not core.writable and not core.closed)

    def _is_file(self, path: str) -> bool:
        try:
            return os.path.samefile(path, self._absolute)
        except OSError:
            return False
