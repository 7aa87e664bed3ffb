"""Long calls of the core that Ctrl-C ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from .. import _core

__all__ = ["interruptible"]

_Result = TypeVar("_Result")


def interruptible(call: Callable[[_core.Cancel], _Result]) -> _Result:
    """What `call` returns; it is ended by its argument where the main thread is interrupted.

    Python runs signal handlers between two instructions of the main thread, so that one that is
    in the core would see none: the call is made on another thread, and this one waits.
    """
    cancel = _core.Cancel()
    if threading.current_thread() is not threading.main_thread():
        return call(cancel)  # which gets no signals
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(call, cancel)
        try:
            return future.result()
        except BaseException:  # Ctrl-C, or what the call itself raised
            cancel.cancel()
            raise
