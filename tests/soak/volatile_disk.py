"""A disk with a write cache that forgets, for a real file system above it.

A FUSE file (https://docs.kernel.org/filesystems/fuse.html) is the backing file of a loop
device, on which a file system is mounted. What is written lies in the cache until the system
flushes it, which a loop device passes on as fsync. A power cut keeps what was flushed, and of
the rest any part: some writes and not others, some sectors of a write and not others.

Linux, for root. `Disk.serve` is to run in a process of its own: nobody who waits for the file
system may be needed to answer it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import random
import select
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECTOR = 512
MOST = 128 << 10  # bytes in one request
_STEP = 64 << 10
_IN = struct.Struct("<IIQQIIII")  # length, what, number, node, user, group, process
_OUT = struct.Struct("<IiQ")  # length, minus errno, number
_TRANSFER = struct.Struct("<QQI")  # handle, offset, size of a read or a write; more follows
_TRANSFER_BYTES = 40
FORGET, GETATTR, SETATTR, OPEN, READ, WRITE = 2, 3, 4, 14, 15, 16
STATFS, RELEASE, FSYNC, FLUSH, INIT, INTERRUPT, BATCH_FORGET = 17, 18, 20, 25, 26, 36, 42
_ASYNC_READ, _BIG_WRITES, _MAX_PAGES = 1 << 0, 1 << 5, 1 << 22

# What is kept of the writes in the cache. A prefix is the cache of an earlier moment.
WAYS = ("nothing", "writes", "sectors", "all-but-one", "prefix", "torn-prefix")


def mount(source: str, target: Path | str, kind: str | None, flags: int, data: str) -> None:
    """mount(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    as_bytes = [None if text is None else text.encode() for text in (source, str(target), kind)]
    if libc.mount(*as_bytes, ctypes.c_ulong(flags), data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def write_sparse(path: str, content: bytearray) -> None:
    """A file of it, with holes where it is zero: most of a new file system is."""
    view, zeros = memoryview(content), bytes(_STEP)
    with open(path, "wb") as file:
        file.truncate(len(content))
        for start in range(0, len(content), _STEP):
            if view[start : start + _STEP] != zeros[: len(content) - start]:
                file.seek(start)
                file.write(view[start : start + _STEP])


class Disk:
    """What a disk holds, and what is in its cache."""

    def __init__(self, content: bytes) -> None:
        self.stable = bytearray(content)
        self.seen = bytearray(content)  # what a reader gets
        self.cached: list[tuple[int, bytes]] = []
        self.flushes = 0

    def write(self, offset: int, data: bytes) -> None:
        self.seen[offset : offset + len(data)] = data
        self.cached.append((offset, data))

    def flush(self) -> None:
        for offset, data in self.cached:
            self.stable[offset : offset + len(data)] = data
        self.cached.clear()
        self.flushes += 1

    def after_cut(self, way: str, chosen: random.Random) -> bytearray:
        """What is left when the power is cut now."""
        left = bytearray(self.stable)
        count = len(self.cached)
        one = chosen.randrange(count) if count else 0
        for number, (offset, data) in enumerate(self.cached):
            keep = {
                "nothing": False,
                "writes": chosen.random() < 0.5,
                "sectors": True,
                "all-but-one": number != one,
                "prefix": number <= one,
                "torn-prefix": number <= one,
            }[way]
            torn = way == "sectors" or (way == "torn-prefix" and number == one)
            step = SECTOR if torn else len(data)
            for start in range(0, len(data), step) if keep else ():
                if torn and chosen.random() < 0.5:
                    continue
                part = data[start : start + step]
                left[offset + start : offset + start + len(part)] = part
        return left

    # --- the file -----------------------------------------------------------------------------

    def serve(self, target: Path, control: socket.socket, note: Callable[[], object]) -> None:
        """Mount the file over the file `target` and answer until `control` is closed.

        A line "SEED WRITES FOLDER" on `control` cuts the power after so many more writes, when
        the next flush is asked for and not done: the cache has most then. Images of what can be
        left go to files in the folder, WAY.img, where two ways leave the same disk only one.
        The answer is a line of JSON when they are there: the number of writes in
        the cache, the ways, and what `note` returned at the cut.
        """
        self.control, self.note = control, note
        self.due: tuple[int, str] | None = None
        self.writes_left = 0
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        mount(
            "mlarray-soak",
            target,
            "fuse",
            0,
            f"fd={device},rootmode=100600,user_id=0,group_id=0,max_read={MOST}",
        )
        control.sendall(b"mounted\n")
        buffer = bytearray(MOST + 4096)
        poll = select.poll()
        poll.register(device, select.POLLIN)
        poll.register(control, select.POLLIN)
        while True:
            for ready, _ in poll.poll():
                if ready == device:
                    try:
                        size = os.readv(device, [buffer])
                    except OSError as error:
                        if error.errno == errno.ENODEV:  # unmounted
                            return
                        if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                            continue  # the request was taken back
                        raise
                    self._answer(device, memoryview(buffer)[:size])
                else:
                    line = control.recv(4096)
                    if not line:
                        return
                    seed, writes, folder = line.decode().split(maxsplit=2)
                    self.due, self.writes_left = (int(seed), folder.strip()), int(writes)

    def _cut(self, seed: int, folder: str) -> None:
        cached, noted = len(self.cached), self.note()
        # The child has the disk of this moment, and nobody waits for it.
        if os.fork():
            return
        try:
            images: dict[str, bytearray] = {}
            for way in WAYS:
                image = self.after_cut(way, random.Random(seed))
                if all(image != other for other in images.values()):
                    images[way] = image
                    write_sparse(f"{folder}/{way}.img", image)
            answer = json.dumps([cached, list(images), noted])
            self.control.sendall(answer.encode() + b"\n")
        finally:
            os._exit(0)

    def _answer(self, device: int, request: memoryview) -> None:
        _, what, number, *_ = _IN.unpack_from(request)
        if what in (FORGET, BATCH_FORGET, INTERRUPT):
            return
        found = self._do(what, request[_IN.size :])
        code, data = (found, b"") if isinstance(found, int) else (0, found)
        try:
            os.write(device, _OUT.pack(_OUT.size + len(data), -code, number) + data)
        except OSError as error:
            if error.errno != errno.ENOENT:  # it was taken back
                raise

    def _do(self, what: int, body: memoryview) -> bytes | int:
        """The answer, or an errno."""
        if what == READ:
            _, offset, size = _TRANSFER.unpack_from(body)
            return bytes(self.seen[offset : offset + size])
        if what == WRITE:
            _, offset, size = _TRANSFER.unpack_from(body)
            self.write(offset, bytes(body[_TRANSFER_BYTES : _TRANSFER_BYTES + size]))
            self.writes_left -= 1
            return struct.pack("<II", size, 0)
        if what == FSYNC:
            if self.due is not None and self.writes_left <= 0:
                self._cut(*self.due)
                self.due = None
            self.flush()
            return b""
        if what == INIT:
            flags = _ASYNC_READ | _BIG_WRITES | _MAX_PAGES
            pages = MOST // 4096
            return struct.pack(
                "<IIIIHHIIHHII24x", 7, 31, MOST, flags, 16, 12, MOST, 1, pages, 0, 0, 0
            )
        if what in (GETATTR, SETATTR):
            now = int(time.time())
            size = len(self.seen)
            times = (now, now, now, 0, 0, 0)
            return struct.pack(
                "<QII6Q10I",
                *(3600, 0, 0),
                *(1, size, size // SECTOR, *times[:3]),
                *times[3:],
                *(0o100600, 1, 0, 0, 0, 4096, 0),
            )
        if what == OPEN:
            return struct.pack("<QII", 1, 0, 0)
        if what == STATFS:
            return struct.pack("<5Q4I24x", 0, 0, 0, 1, 0, 4096, 255, 4096, 0)
        return b"" if what in (RELEASE, FLUSH) else errno.ENOSYS
