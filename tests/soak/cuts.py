"""Cut the power under real file systems while real processes write, and look at what is left.

    python tests/soak/cuts.py --minutes 3 [--seed N]
    python tests/soak/cuts.py --again build/soak/cut-SEED-NUMBER-WAY

Needs Linux, root, FUSE, loop devices and mkfs; says what is missing. All mounts are in a mount
namespace of its own, so that nothing is left however it ends. What is written, and what is kept
of it, comes from the seed; the moment from the clock. So the disk after a failed cut is kept,
and `--again` looks at it once more.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import report
from processes import check, fork, kill
from states import Counts, Ledger, Level, WrongError, judge, read, save
from volatile_disk import Disk, mount
from writer import Writer, warm_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

SECONDS = 20.0  # until the next file system is made
# What each writer uses. Only what is mixed with "none" may be damaged, and only for a time.
LEVELS: tuple[tuple[Level, ...], ...] = (
    ("ordered",),
    ("durable",),
    ("ordered", "durable"),
    ("none", "ordered", "durable"),
)
_CLONE_NEWNS = 0x20000
_MS_PRIVATE = 1 << 18
_MS_REC = 1 << 14
_SYNC_FILE_RANGE_WRITE = 2


class FileSystem(NamedTuple):
    """How it is made and mounted."""

    kind: str
    megabytes: int
    options: str
    make: tuple[str, ...]
    again: str = ""  # what mounting a second copy needs besides

    @property
    def name(self) -> str:
        return f"{self.kind} {self.options}".strip()


_EXT4 = ("mkfs.ext4", "-q", "-F", "-J", "size=4", "-E", "nodiscard,lazy_itable_init=0")
_XFS = ("mkfs.xfs", "-q", "-f", "-K", "--unsupported")  # it is not meant to be so small
# Not data=writeback: ext4 gives the bytes of a file that was replaced to others before the
# replacement is on the disk, so that a cut may lose both. docs/crash_safety.md says so.
FILE_SYSTEMS = (
    FileSystem("ext4", 20, "data=ordered", _EXT4),
    FileSystem("xfs", 48, "", _XFS, ",nouuid"),
    # Without the help that ext4 gives to programs that rename and do not sync.
    FileSystem("ext4", 20, "data=ordered,noauto_da_alloc,commit=1", _EXT4),
    FileSystem("ext4", 20, "data=journal", _EXT4),
)


def missing() -> str:
    """What this machine lacks for all of it; empty if nothing."""
    if sys.platform != "linux":
        return "Linux"
    lacks = [] if os.geteuid() == 0 else ["root"]
    lacks += [name for name in ("/dev/fuse", "/dev/loop-control") if not Path(name).exists()]
    return ", ".join(lacks)


def own_mounts(folder: Path) -> None:
    """A namespace for mounts, in which `folder` is in memory."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "cannot have mounts of our own (CAP_SYS_ADMIN)")
    mount("none", "/", None, _MS_REC | _MS_PRIVATE, "")
    mount("tmpfs", folder, "tmpfs", 0, "size=1g,mode=700")


def run(*command: str | Path) -> None:
    """A command of the system; what it says where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["it fails"]
        raise OSError(f"{command[0]}: {said[0].removeprefix(f'{command[0]}: ')}")


@contextlib.contextmanager
def mounted(image: Path, at: Path, system: FileSystem, more: str = "") -> Iterator[None]:
    """A file system in a file; the loop device goes with the mount."""
    options = ",".join(["loop", "noatime", *system.options.split(",")]).rstrip(",") + more
    run("mount", "-t", system.kind, "-o", options, image, at)
    try:
        yield
    finally:
        run("umount", at)


class Cutter:
    """A file system on a disk that forgets, its writers, and cuts."""

    def __init__(self, folder: Path, seed: int, keep: Path) -> None:
        self.folder, self.seed, self.keep = folder, seed, keep
        self.random = random.Random(seed)
        self.live, self.copy = folder / "live", folder / "copy"
        for name in (self.live, self.copy):
            name.mkdir()
        self.target = folder / "disk"
        self.target.touch()
        self.ledgers: list[Ledger] = []
        self.moments = self.cuts = self.cached = self.damaged = 0
        self.found: list[str] = []

    # --- one file system ----------------------------------------------------------------------

    @contextlib.contextmanager
    def made(self, system: FileSystem) -> Iterator[tuple[socket.socket, TextIO]]:
        """It is mounted at `live`; the ends at which its disk is told and answers."""
        empty = self.folder / "empty.img"
        empty.write_bytes(bytes(system.megabytes << 20))
        run(*system.make, empty)
        ours, theirs = socket.socketpair()

        def serve() -> None:
            ours.close()
            Disk(empty.read_bytes()).serve(self.target, theirs, self._counts)

        server = fork(serve)
        theirs.close()
        with ours, ours.makefile() as answers:
            try:
                if answers.readline() != "mounted\n":
                    raise OSError("FUSE: it cannot be mounted, see above")
                try:
                    with mounted(self.target, self.live, system):
                        yield ours, answers
                finally:
                    run("umount", self.target)
            finally:
                kill(server)

    def round(self, system: FileSystem, until: float) -> None:
        """Make it, write, and cut until a time or until something is found."""
        self.ledgers = [Ledger() for _ in LEVELS]
        with self.made(system) as (disk, answers):
            writers: list[int] = []
            try:
                writers += [self._start(lane) for lane in range(len(LEVELS))]
                writers.append(fork(self._push))
                while time.monotonic() < until and len(self.found) < report.ENOUGH:
                    self._cut(disk, answers, writers, system)
            finally:
                for pid in writers:
                    kill(pid)

    def _start(self, lane: int) -> int:
        """A writer, with a first state that is safe."""
        ledger, seed = self.ledgers[lane], self.random.getrandbits(32)
        path = self.live / f"lane-{lane}.mla"
        number = ledger.begin()

        if wrong := check(lambda: save(path, number, "durable")):
            raise RuntimeError(wrong[0])
        ledger.done(number, "durable")
        writer = Writer(self.live, lane, ledger, seed, LEVELS[lane], new_files=True)
        return fork(writer.run)

    def _push(self) -> None:
        """Write to the disk what nobody has synced, as the system does in its own time."""
        library = ctypes.CDLL(None)
        chosen = random.Random(self.seed)
        while True:
            for path in self.live.glob("*.mla*"):
                with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                    library.sync_file_range(
                        *(file.fileno(), ctypes.c_int64(0), ctypes.c_int64(0)),
                        _SYNC_FILE_RANGE_WRITE,
                    )
            time.sleep(0.02 * chosen.random())

    def _counts(self) -> list[Counts]:
        return [ledger.read() for ledger in self.ledgers]

    # --- one cut ------------------------------------------------------------------------------

    def _cut(
        self, disk: socket.socket, answers: TextIO, writers: list[int], system: FileSystem
    ) -> None:
        seed, writes = self.random.getrandbits(32), self.random.randint(1, 60)
        disk.sendall(f"{seed} {writes} {self.folder}\n".encode())
        while not select.select([disk], [], [], 1)[0]:
            if any(_ended(pid) for pid in writers):
                raise RuntimeError("a writer has failed, see above")
        answer = answers.readline()
        if not answer:
            raise RuntimeError("the disk has failed, see above")
        cached, ways, rows = json.loads(answer)
        self.moments += 1
        self.cached += cached
        counts = [Counts(*row) for row in rows]
        for pid in writers:  # the processors are for those who look
            os.kill(pid, signal.SIGSTOP)
        for way in ways:
            self.cuts += 1
            image = self.folder / f"{way}.img"
            found = self.look_at_all(image, system, counts, rewrite=False)
            if not found and self.random.random() < 0.25:
                # Looking changes nothing, writing does.
                shutil.copyfile(image, self.folder / "kept.img")
                found = self.look_at_all(image, system, counts, rewrite=True)
                image = self.folder / "kept.img"
            if found:
                facts = {"system": system, "counts": rows, "image": image.name}
                name = self.keep / f"cut-{self.seed}-{self.moments}-{way}"
                report.keep(name, [image], facts)
                self.found += [f"{text} ({system.name}; --again {name})" for text in found]
        for pid in writers:
            os.kill(pid, signal.SIGCONT)

    def look_at_all(
        self, image: Path, system: FileSystem, counts: list[Counts], *, rewrite: bool
    ) -> list[str]:
        """Mount what a cut has left; what is wrong with it."""
        damaged = self.folder / "damaged"
        damaged.write_bytes(b"")

        def look() -> None:
            for lane in range(len(LEVELS)):
                self._look(lane, counts[lane], rewrite)

        with mounted(image, self.copy, system, system.again):
            found = check(look)
        if not rewrite:
            self.damaged += damaged.stat().st_size
        return found

    def _look(self, lane: int, counts: Counts, rewrite: bool) -> None:
        path = self.copy / f"lane-{lane}.mla"
        try:
            judge(path, counts.safe, counts)
        except WrongError:
            if counts.unsafe_begun == counts.unsafe_ended:
                raise
            with (self.folder / "damaged").open("ab") as file:  # as level none says
                file.write(b".")
            return
        self._look_at_new(lane, counts)
        if rewrite:
            ledger = Ledger()
            writer = Writer(self.copy, lane, ledger, counts.begun, ("durable",))
            for act in (writer.edit, writer.save, writer.edit):
                act()
                now = ledger.read()
                judge(path, now.kept, now)

    def _look_at_new(self, lane: int, counts: Counts) -> None:
        """Files under new names are whole or not there."""
        there = set()
        for path in self.copy.glob(f"new-{lane}-*.mla"):
            number = int(path.stem.split("-")[2])
            found = read(path)
            if found.number != number or not found.is_state(number, number):
                raise WrongError(f"wrong {path.name}: no state has these voxels")
            there.add(number)
        if counts.new_safe and counts.new_safe not in there:
            raise WrongError(f"lost new-{lane}-{counts.new_safe}.mla: it is not there")


def _ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def main(arguments: list[str] | None = None) -> int:
    """Print the counts; 1 if anything was found."""
    options = report.options(__doc__, arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    if lacks := missing():
        print(f"cuts: not cut here: any real file system: this machine lacks {lacks}")
        return report.conclude("power cuts", 0, [])
    if not options.again:
        print(f"cuts: --seed {options.seed}, {len(LEVELS)} writers at once", flush=True)
    warm_up()
    with tempfile.TemporaryDirectory(prefix="mlarray-soak-") as name:
        # Mounts end with the process that has the namespace, so it is not this one.
        pid = fork(lambda: os._exit(_in_namespace(Path(name), options)))
        try:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        except KeyboardInterrupt:
            kill(pid)  # its processes end with it, and its mounts with them
            time.sleep(0.5)
            raise


def _in_namespace(folder: Path, options: report.Options) -> int:
    try:
        own_mounts(folder)
    except OSError as error:
        print(f"cuts: not cut here: any real file system: {error}")
        return report.conclude("power cuts", 0, [])
    cutter = Cutter(folder, options.seed, options.keep)
    return _again(cutter, options.again) if options.again else _run(cutter, options.minutes)


def _again(cutter: Cutter, kept: Path) -> int:
    facts = report.facts_of(kept)
    image = cutter.folder / "again.img"
    shutil.copyfile(kept / facts["image"], image)
    system = FileSystem(*facts["system"])
    counts = [Counts(*row) for row in facts["counts"]]
    found = cutter.look_at_all(image, system, counts, rewrite=True)
    return report.conclude("power cuts", 1, found)


def _possible(cutter: Cutter) -> list[FileSystem]:
    """The file systems that this machine can make and mount; it says which it cannot."""
    possible = []
    reasons: dict[str, list[str]] = {}
    for system in FILE_SYSTEMS:
        try:
            if shutil.which(system.make[0]) is None:
                raise OSError(f"there is no {system.make[0]}")
            with cutter.made(system):
                possible.append(system)
        except OSError as error:
            reasons.setdefault(str(error), []).append(system.name)
    for reason, names in reasons.items():
        print(f"cuts: not cut here: {'; '.join(names)}: {reason}", flush=True)
    return possible


def _run(cutter: Cutter, minutes: float) -> int:
    end = time.monotonic() + 60 * minutes
    systems = _possible(cutter)
    used: dict[str, int] = {}
    for system in itertools.cycle(systems):
        if time.monotonic() > end or cutter.found:
            break
        before = cutter.cuts
        cutter.round(system, min(end, time.monotonic() + SECONDS))
        used[system.name] = used.get(system.name, 0) + cutter.cuts - before
    for name, cuts in used.items():
        print(f"cuts: {name}: power cuts {cuts}")
    if cutter.moments:
        cached = cutter.cached / cutter.moments
        print(
            f"cuts: {cutter.moments} moments with {cached:.0f} writes in the cache on average"
        )
        print(f"cuts: files damaged as level none allows: {cutter.damaged}")
    return report.conclude("power cuts", cutter.cuts, cutter.found)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
