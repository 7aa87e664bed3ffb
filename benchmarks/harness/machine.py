"""What is measured of the machine and of processes: facts, the page cache, memory."""

from __future__ import annotations

import ctypes
import datetime
import mmap
import os
import platform
import subprocess
import threading
from pathlib import Path
from types import TracebackType

__all__ = ["AnonymousPeak", "cores", "evict", "facts", "load"]


def cores() -> int:
    """Processors that this process may run on."""
    return (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def load() -> float:
    """Processes that ran or wanted to run, on average over the last minute."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def facts() -> dict[str, str]:
    """What a reader must know of the machine to judge figures."""
    return {
        "processor": _first("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": str(cores()),
        "memory": _first("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
    }


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "not known"


def _first(path: str, key: str) -> str:
    try:
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    except OSError:
        pass
    return ""


def evict(path: Path) -> str:
    """Take a file, or the files of a folder, out of the page cache.

    Returns
    -------
    str
        Empty, or why it is still there.
    """
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    if not hasattr(os, "posix_fadvise"):
        return "this system has no posix_fadvise"
    for file in files:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())  # only clean pages can go
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if _resident(files):
        try:
            Path("/proc/sys/vm/drop_caches").write_text("1")
        except OSError as error:
            return f"its pages stay in the cache, and dropping all caches fails: {error}"
    left = _resident(files)
    return f"{left} of its pages stay in the cache" if left else ""


def _resident(files: list[Path]) -> int:
    """Pages of these files that are in the cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    count = 0
    for file in files:
        size = file.stat().st_size
        if size == 0:
            continue
        with file.open("rb") as stream:
            start = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, stream.fileno(), 0)
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if libc.mincore(start, size, pages) == 0:
            count += sum(byte & 1 for byte in pages.raw)
        libc.munmap(start, size)
    return count


class AnonymousPeak:
    """The most memory of its own that a process had, looked at again and again from outside.

    Pages of mapped files do not count: the system takes them back when it likes.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.first = self.peak = self._now()

    @staticmethod
    def available() -> bool:
        """Whether this system tells it."""
        status = Path("/proc/self/status")
        return status.exists() and "RssAnon" in status.read_text()

    def _now(self) -> int:
        for line in self._status.read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return 0

    def _watch(self) -> None:
        while not self._stop.is_set():
            self.peak = max(self.peak, self._now())

    def __enter__(self) -> AnonymousPeak:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
