"""The process of a loader, which train_worker.py is."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

__all__ = ["Worker"]

_LOOK = 0.2  # seconds
_AT_REST = 0.1  # of a processor
_MOST_REST = 20.0  # seconds; some loaders never rest


def _processor_seconds(process: int) -> float:
    """Of a process and all below it, as far as they still run."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        below = [one for task in tasks for one in task.read_text().split()]
    except OSError:
        return 0.0
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") + sum(_processor_seconds(int(one)) for one in below)


class Worker:
    """A loader's process."""

    def __init__(self, python: str, setup: dict[str, Any], log: Path) -> None:
        self._errors = log.open("w")
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("train_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._log = log
        self._tell(json.dumps(setup))

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """What it says next. Errors: RuntimeError with the end of its stderr."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            text = self._log.read_text().strip().splitlines()
            raise RuntimeError(text[-1] if text else "it ended")
        return json.loads(line)

    def round(self, seconds: float) -> dict[str, float]:
        """Samples a second of so many seconds, their number, and processor time.

        Returns when the loader has read ahead what it does: the next one has the processors.
        """
        self._tell(str(seconds))
        found: dict[str, float] = self.answer()
        end = time.monotonic() + _MOST_REST
        before = -1.0
        while (now := _processor_seconds(self._process.pid)) - before > _AT_REST * _LOOK:
            before = now
            if time.monotonic() > end:
                break
            time.sleep(_LOOK)
        return found

    def rate(self, seconds: float) -> float:
        """Samples a second, of so many seconds."""
        return self.round(seconds)["rate"]

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._errors.close()
