"""How far a command has come: a bar on a terminal, plain lines elsewhere, all on stderr."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

from ._run import printable

__all__ = ["Progress"]

_BAR = 24
_ERASE = "\r\x1b[K"


class Progress:
    """The progress of a list of jobs, weighted by their size.

    Parameters
    ----------
    total : int
        Number of jobs. A single one has no lines elsewhere than on a terminal.
    weight : int
        Sum of their sizes.
    quiet : bool
        Show nothing.
    """

    def __init__(self, total: int, weight: int, quiet: bool = False) -> None:
        self._total, self._weight = total, max(weight, 1)
        self._count = self._done = 0
        self._start = time.monotonic()
        self._bar = not quiet and sys.stderr.isatty()
        self._lines = not quiet and not self._bar and total > 1

    def __enter__(self) -> Progress:
        self._draw("")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def begin(self, name: str) -> None:
        """A job has begun."""
        self._draw(name)

    def show(self, weight: int, name: str) -> None:
        """So much of the weight is done, of a job that goes on."""
        self._done = weight
        self._draw(name)

    def end(self, name: str, weight: int) -> None:
        """A job is over, well or badly."""
        self._count += 1
        self._done += weight
        if self._lines:
            width = len(str(self._total))
            print(
                printable(f"[{self._count:>{width}}/{self._total}] {name}"),
                file=sys.stderr,
                flush=True,
            )
        self._draw(name)

    def clear(self) -> None:
        """Remove the bar, so that other lines can be written."""
        if self._bar:
            sys.stderr.write(_ERASE)
            sys.stderr.flush()

    def _draw(self, name: str) -> None:
        if not self._bar:
            return
        share = self._done / self._weight
        filled = int(share * _BAR)
        bar = "#" * filled + "." * (_BAR - filled)
        text = f"[{bar}] {self._count}/{self._total} {self._left(share)}{name}"
        columns = shutil.get_terminal_size().columns
        sys.stderr.write(_ERASE + printable(text[: columns - 1]))
        sys.stderr.flush()

    def _left(self, share: float) -> str:
        if not 0 < share < 1:
            return ""
        seconds = (time.monotonic() - self._start) * (1 - share) / share
        return f"{seconds // 60:.0f}:{seconds % 60:02.0f} left "
