"""The process of a loader, which train_worker.py is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Worker"]


class Worker:
    """A loader's process, which stands still unless it is asked for something."""

    def __init__(self, python: str, setup: dict[str, Any], log: Path) -> None:
        self._errors = log.open("w")
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("train_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            preexec_fn=os.setpgrp,  # a group of its own, with all that it starts
        )
        self._log = log
        self._tell(json.dumps(setup))

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._signal(signal.SIGCONT)
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
        self._signal(signal.SIGSTOP)  # it reads nothing ahead while others have the processors
        return json.loads(line)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def round(self, seconds: float) -> dict[str, float]:
        """Samples a second of so many seconds, their number, and processor time."""
        self._tell(str(seconds))
        found: dict[str, float] = self.answer()
        return found

    def rate(self, seconds: float) -> float:
        """Samples a second, of so many seconds."""
        return self.round(seconds)["rate"]

    def end(self) -> None:
        assert self._process.stdin is not None
        self._signal(signal.SIGCONT)
        self._process.stdin.close()  # then it ends by itself
        self._process.wait()
        self._signal(signal.SIGKILL)  # what it has left
        self._errors.close()
