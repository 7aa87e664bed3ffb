"""Damage many copies of files, read each, and count what happens.

    python tests/damage/campaign.py [--ours 10000] [--others 10000] [--jobs N] [--seed S]
    python tests/damage/campaign.py --only ours:4711      one trial, in this process

Every trial has a number, from which its file and its damage follow. Workers are forked and
write the number of a trial down before they begin it, so that a crash or a hang is one line of
the report, and the next worker goes on behind it.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from damages import damage
from samples import golden_samples, our_samples

import mlarray
from mlarray import MLArray, MLArrayError

SECONDS = 20.0  # for one trial; it takes milliseconds, but the machine may be busy
MEMORY = 4 << 30  # address space of a worker
LARGEST = 64 << 20  # bytes of voxels that a trial asks for: a caller looks at the shape first
OUTCOMES = ("unchanged", "error", "wrong", "memory", "bug", "hang", "crash")
# What must not happen at all. Files of other writers carry nothing that tells wrong voxels.
FORBIDDEN = {
    "ours": ("wrong", "memory", "bug", "hang", "crash"),
    "others": ("memory", "bug", "hang", "crash"),
}
_RECORD = struct.Struct("<qd")  # trial that runs, when it began


@dataclass
class Result:
    """What happened, by outcome, and each trial that must not have happened."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)


class Campaign:
    """All trials on files of one kind."""

    def __init__(self, kind: str, files: list[Path], folder: Path, seed: int) -> None:
        self.kind = kind
        self.seed = seed
        self.folder = folder
        self.good: list[tuple[Path, bytes, Any]] = []
        for path in files:
            try:
                self.good.append((path, path.read_bytes(), _read(path)))
            except MLArrayError:
                continue  # a golden file that is refused on purpose

    def trial(self, number: int) -> tuple[str, str]:
        """One damaged copy: the outcome, and what was done."""
        random = Random(f"{self.seed}:{self.kind}:{number}")
        path, good, expected = random.choice(self.good)
        data, what = damage(good, random)
        copy = self.folder / f"{os.getpid()}{path.suffix}"
        copy.write_bytes(data)
        story = f"{self.kind}:{number} {path.parent.name}/{path.name}: {what}"
        try:
            found = _read(copy)
            if number % 8 == 0:
                mlarray.verify_file(copy, num_threads=1)
        except MLArrayError:
            return "error", story
        except MemoryError:
            return "memory", story
        except Exception as error:  # anything that is not ours is a bug
            return "bug", f"{story}: {type(error).__name__}: {error}"
        return ("unchanged" if _equal(found, expected) else "wrong"), story

    def run(self, count: int, jobs: int) -> Result:
        """Trials 0 to count - 1, over `jobs` processes."""
        result = Result()
        workers = [_Worker(self, range(i, count, jobs)) for i in range(jobs)]
        while workers:
            workers = [worker for worker in workers if not worker.finished(result)]
            time.sleep(0.02)
        return result


class _Worker:
    """A forked process that works on some trials; replaced when it dies."""

    def __init__(self, campaign: Campaign, numbers: range) -> None:
        self.campaign = campaign
        self.left = numbers
        self.journal = mmap.mmap(-1, _RECORD.size)
        self._start()

    def _start(self) -> None:
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the worker)
        self.journal[:] = _RECORD.pack(self.left[0], time.monotonic())
        self.pid = os.fork()
        if self.pid == 0:
            self._work()

    def _work(self) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            for number in self.left:
                self.journal[:] = _RECORD.pack(number, time.monotonic())
                outcome, story = self.campaign.trial(number)
                print(outcome, story.replace("\n", " "), file=self.log, flush=True)
            os._exit(0)
        finally:
            os._exit(1)

    def finished(self, result: Result) -> bool:
        """Look after it; True when there is nothing left to do."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        number, began = _RECORD.unpack(self.journal[:])
        outcome = "crash"
        if pid == 0:
            if time.monotonic() - began < SECONDS:
                return False
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            outcome = "hang"
        self._collect(result)
        if pid != 0 and status == 0:
            return True
        story = f"{self.campaign.kind}:{number} (status {status})"
        result.counts[outcome] += 1
        result.bad.append(f"{outcome} {story}")
        self.left = self.left[self.left.index(number) + 1 :]
        if not self.left:
            return True
        self._start()
        return False

    def _collect(self, result: Result) -> None:
        self.log.seek(0)
        for line in self.log:
            outcome, _, story = line.rstrip("\n").partition(" ")
            result.counts[outcome] += 1
            if outcome in FORBIDDEN[self.campaign.kind]:
                result.bad.append(f"{outcome} {story}")
        self.log.close()


def _read(path: Path) -> Any:
    """All voxels and all metadata of a file."""
    with MLArray.open(path, num_threads=1) as image:
        if image.shape is None:
            voxels = None
        elif int(np.prod(image.shape, dtype=object)) * image.dtype.itemsize <= LARGEST:
            voxels = image[...]
        else:
            voxels = image[tuple(slice(0, 8) for _ in image.shape)]
        return image.shape, image.dtype, voxels, image._store.core.metadata().to_json()


def _equal(a: Any, b: Any) -> bool:
    same = a[0] == b[0] and a[1] == b[1] and a[3] == b[3]
    if a[2] is None or b[2] is None:  # metadata only
        return same and a[2] is b[2]
    return same and np.asarray(a[2]).tobytes() == np.asarray(b[2]).tobytes()


def _print(kind: str, result: Result) -> bool:
    numbers = ", ".join(f"{name} {result.counts[name]}" for name in OUTCOMES)
    print(f"{kind}: {sum(result.counts.values())} damaged copies: {numbers}")
    for line in result.bad[:50]:
        print(f"  {line}")
    return not any(result.counts[name] for name in FORBIDDEN[kind])


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign; 1 if anything happened that must not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ours", type=int, default=10_000, metavar="N")
    parser.add_argument("--others", type=int, default=10_000, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="KIND:NUMBER", help="one trial, in this process")
    options = parser.parse_args(arguments)
    # In memory where there is such a place: a copy lives for milliseconds.
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    good = True
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        (folder / "good").mkdir()
        files = {"ours": our_samples(folder / "good"), "others": golden_samples()}
        for kind, count in (("ours", options.ours), ("others", options.others)):
            campaign = Campaign(kind, files[kind], folder, options.seed)
            if options.only:
                if options.only.startswith(f"{kind}:"):
                    print(*campaign.trial(int(options.only.partition(":")[2])))
                continue
            started = time.monotonic()
            good &= _print(kind, campaign.run(count, min(options.jobs, max(1, count))))
            print(f"  {time.monotonic() - started:.0f} s, seed {options.seed}")
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
