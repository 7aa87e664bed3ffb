"""Forked processes, which end with their parent, and checks that have one of their own."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING

from states import WrongError

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 120.0  # seconds, for a check that takes milliseconds: the machine may be busy


def fork(body: Callable[[], object], say: int | None = None) -> int:
    """A process that does `body`; what it has found wrong goes to the descriptor `say`."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _end_with_parent()
        os.setsid()  # an interrupt of the terminal is for the driver alone
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        body()
        status = 0
    except BaseException as error:
        known = isinstance(error, WrongError)
        text = str(error) if known else "wrong: " + "".join(traceback.format_exception(error))
        os.write(2 if say is None else say, text.encode()[:3000] + b"\n")
    finally:
        os._exit(status)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def check(body: Callable[[], object]) -> list[str]:
    """Do it in a process of its own; what was found wrong, crashes and hangs among it."""
    ends = os.pipe()
    pid = fork(body, ends[1])
    os.close(ends[1])
    with os.fdopen(ends[0]) as said:
        status = wait(pid, LIMIT)
        text = said.read().strip()
    if status == 0:
        return []
    return [text or f"wrong: the process that looked ended with status {status}"]


def wait(pid: int, seconds: float) -> int:
    """The exit status, or minus the signal; it is killed where it takes too long."""
    until = time.monotonic() + seconds
    pause = 0.0002
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            kill(pid)
            return -signal.SIGALRM
        time.sleep(pause)
        pause = min(pause * 1.5, 0.01)


def kill(pid: int) -> int:
    """End it as `kill -9` does; what its end was."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
