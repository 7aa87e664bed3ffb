"""Compare random cases with an oracle, for as long as is asked.

    python tests/numbers/campaign.py --minutes 60 [--subject keys] [--first SEED]
    python tests/numbers/campaign.py --subject keys --seed 4711      one case, in this process

Every case is made by its subject and its seed alone. Workers are forked; one that dies, or
takes far too long for a case, is a failure like any other, and the next goes on behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import mmap
import os
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python" / "support"))

import check_assignments
import check_codecs
import check_geometry
import check_keys
import check_metadata
import check_statistics
from making import MismatchError, Place, Story

if TYPE_CHECKING:
    from types import FrameType, ModuleType

SUBJECTS: dict[str, ModuleType] = {
    "keys": check_keys,
    "assignments": check_assignments,
    "geometry": check_geometry,
    "statistics": check_statistics,
    "codecs": check_codecs,
    "metadata": check_metadata,
}
# How the time is divided.
WEIGHTS = {
    "keys": 3,
    "assignments": 3,
    "geometry": 2,
    "statistics": 2,
    "codecs": 2,
    "metadata": 1,
}
NAMES = list(SUBJECTS)
SECONDS = 60  # for one case; it takes milliseconds, but the machine may be busy
CPU_SECONDS = 5.0  # of this process
SHOWN = 2  # cases of one kind of failure that are printed whole
_ROW = struct.Struct("<qqd")  # of one subject: cases begun, things compared, seconds
_NOW = struct.Struct("<qqd")  # subject, seed, and when the case began


class HangError(BaseException):
    """A case that takes too long. No Exception, so that no case takes it for a result."""


def case(subject: str, seed: int, place: Place) -> int:
    """Run one case; how many things were compared."""
    rng = np.random.default_rng([seed, zlib.crc32(subject.encode())])
    Story.latest = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        count: int = SUBJECTS[subject].check(rng, place)
    return count


def kind_of(error: BaseException) -> str:
    """What all failures of one fault have in common, as far as one can tell."""
    if isinstance(error, MismatchError):
        return error.kind
    if isinstance(error, HangError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(last.filename).name}, {last.name}"


def command(subject: str, seed: int) -> str:
    """How to repeat a case."""
    return f"python tests/numbers/campaign.py --subject {subject} --seed {seed}"


class Worker:
    """A forked process that works until a time; replaced when it dies."""

    def __init__(self, names: list[str], first: int, step: int, until: float) -> None:
        self.names, self.first, self.step, self.until = names, first, step, until
        self.memory = mmap.mmap(-1, _ROW.size * len(NAMES) + _NOW.size)
        self.folder = tempfile.TemporaryDirectory(dir=_memory_folder())
        self.log = Path(self.folder.name) / "failures"
        self.log.touch()
        self.read = 0
        self.start()

    def start(self) -> None:
        """Begin, or go on behind the case that the last process died of."""
        self._note(0, -1)
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self._work()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)

    def row(self, name: str) -> tuple[int, int, float]:
        """Cases begun, things compared, seconds."""
        found = _ROW.unpack_from(self.memory, _ROW.size * NAMES.index(name))
        return int(found[0]), int(found[1]), float(found[2])

    def _note(self, subject: int, seed: int) -> None:
        _NOW.pack_into(self.memory, _ROW.size * len(NAMES), subject, seed, time.monotonic())

    def now(self) -> tuple[str, int, float]:
        """The case that runs: subject, seed, when it began."""
        subject, seed, began = _NOW.unpack_from(self.memory, _ROW.size * len(NAMES))
        return NAMES[subject], seed, began

    def _work(self) -> None:
        signal.signal(signal.SIGPROF, _too_long)
        place = Place(Path(self.folder.name))
        with self.log.open("a") as log:
            while time.monotonic() < self.until:
                rows = {name: self.row(name) for name in self.names}
                name = min(rows, key=lambda n: rows[n][2] / WEIGHTS[n])
                begun, compared, seconds = rows[name]
                seed = self.first + begun * self.step
                place_in = _ROW.size * NAMES.index(name)
                _ROW.pack_into(self.memory, place_in, begun + 1, compared, seconds)
                self._note(NAMES.index(name), seed)
                began = time.monotonic()
                signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS, 1.0)
                try:
                    compared += case(name, seed, place)
                except (Exception, HangError) as error:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    entry = {"subject": name, "seed": seed, "kind": kind_of(error)}
                    print(json.dumps({**entry, "text": text_of(error)}), file=log, flush=True)
                signal.setitimer(signal.ITIMER_PROF, 0)
                seconds += time.monotonic() - began
                _ROW.pack_into(self.memory, place_in, begun + 1, compared, seconds)
        place.close()

    def failures(self) -> list[dict[str, Any]]:
        """Those that were not asked for yet."""
        with self.log.open() as log:
            log.seek(self.read)
            lines = [line for line in log if line.endswith("\n")]
        self.read += sum(len(line.encode()) for line in lines)
        return [json.loads(line) for line in lines]

    def ended(self) -> dict[str, Any] | bool:
        """Whether it has ended, or the failure that it has died of; then it is started anew."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        name, seed, began = self.now()
        what = f"crash: status {status}"
        if pid == 0:
            if time.monotonic() - began < SECONDS:
                return False
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            what = "hang that no signal ends"
        elif status == 0:
            return True
        self.start()
        return {"subject": name, "seed": seed, "kind": what, "text": ""}


def _too_long(number: int, frame: FrameType | None) -> None:
    where = (
        ""
        if frame is None
        else f"{Path(frame.f_code.co_filename).name}, {frame.f_code.co_name}"
    )
    raise HangError(f"more than {CPU_SECONDS:g} s in {where}")


def text_of(error: BaseException) -> str:
    if isinstance(error, MismatchError):
        return str(error)
    story = [] if Story.latest is None else Story.latest.lines
    return "\n".join([*story, *traceback.format_exception(error)[-3:]])


def _memory_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(names: list[str], minutes: float, first: int, jobs: int) -> bool:
    """The campaign; whether everything agreed."""
    print(f"numbers: seeds from {first}, {jobs} processes, {minutes:g} minutes", flush=True)
    began = time.monotonic()
    until = began + 60 * minutes
    workers = [Worker(names, first + i, jobs, until) for i in range(jobs)]
    kinds: Counter[tuple[str, str]] = Counter()
    seeds: dict[tuple[str, str], list[int]] = {}

    def report(failure: dict[str, Any]) -> None:
        kind = (failure["subject"], failure["kind"])
        kinds[kind] += 1
        seeds.setdefault(kind, []).append(failure["seed"])
        if kinds[kind] <= SHOWN:
            indented = failure["text"].replace("\n", "\n    ")
            print(f"\nFAILED {kind[0]}: {kind[1]}\n    {indented}")
            print(f"  repeat: {command(failure['subject'], failure['seed'])}", flush=True)

    running = list(workers)
    while running:
        time.sleep(0.2)
        for worker in list(running):
            ended = worker.ended()
            for failure in worker.failures():
                report(failure)
            if isinstance(ended, dict):
                report(ended)
            elif ended:
                running.remove(worker)
    _print_table(names, workers, kinds)
    for (subject, kind), count in sorted(kinds.items()):
        some = ", ".join(map(str, seeds[subject, kind][:4]))
        print(f"  {subject}: {count} x {kind} (seeds {some})")
    print(f"numbers: {time.monotonic() - began:.0f} s, seeds from {first}", flush=True)
    return not kinds


def _print_table(
    names: list[str], workers: list[Worker], kinds: Counter[tuple[str, str]]
) -> None:
    print(f"\n{'subject':<12} {'cases':>8} {'compared':>24} {'per second':>11} {'failed':>7}")
    for name in names:
        rows = [worker.row(name) for worker in workers]
        cases, compared = sum(r[0] for r in rows), sum(r[1] for r in rows)
        seconds = max(sum(r[2] for r in rows), 1e-9)
        failed = sum(n for (subject, _), n in kinds.items() if subject == name)
        what = f"{compared:,} {SUBJECTS[name].UNIT}"
        print(f"{name:<12} {cases:>8,} {what:>24} {compared / seconds:>11,.0f} {failed:>7,}")


def main(arguments: list[str] | None = None) -> int:
    """Run the campaign, or one case; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0, metavar="N")
    parser.add_argument("--subject", choices=NAMES, action="append", help="only this")
    parser.add_argument(
        "--first", type=int, metavar="SEED", help="default: other ones each time"
    )
    parser.add_argument("--seed", type=int, help="only this case of the subject")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    options = parser.parse_args(arguments)
    names = options.subject or NAMES
    if options.seed is None:
        first = options.first
        if first is None:
            first = int.from_bytes(os.urandom(4), "little") % 1_000_000 * 1000
        return 0 if run(names, options.minutes, first, options.jobs) else 1
    with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder:
        place = Place(Path(folder))
        with contextlib.closing(place):
            for name in names:
                try:
                    count = case(name, options.seed, place)
                except Exception as error:
                    print(text_of(error))
                    return 1
                print(f"{name}, seed {options.seed}: {count} {SUBJECTS[name].UNIT} agree")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
