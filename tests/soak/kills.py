"""Kill real processes at random moments while they write.

    python tests/soak/kills.py --minutes 3 [--seed N]
    python tests/soak/kills.py --again build/soak/kill-SEED-LANE-NUMBER

Each lane has a file, whose writer is killed again and again; they share folders. What the
writers do comes from the seed; at which of their instructions they are killed, from the
clock. So what a failed kill has left is kept, and `--again` looks at it once more.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import report
from processes import check, fork, kill, wait
from states import LEVELS, Counts, Ledger, WrongError, judge, read, save
from writer import Writer, warm_up

from mlarray import MLArray

LANES = 4
PLACES = (None, "/dev/shm")  # the system's folder for temporary files, and memory
MOMENTS = (0.002, 0.008, 0.03)  # seconds: a few calls; a commit; some commits


class Lane:
    """A file and its writers, one after another."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        self.folder, self.number = folder, number
        self.path = folder / f"lane-{number}.mla"
        self.before = folder / f"before-{number}"  # the lane's files after a kill
        self.seed, self.random = seed, random.Random(seed + number)
        self.ledger = Ledger()
        self.kills = 0
        self.found: list[str] = []

    def files(self) -> list[Path]:
        """All that it has in the folder, temporary files too."""
        names = (f"lane-{self.number}.mla", f"new-{self.number}-")
        return [
            path
            for path in self.folder.iterdir()
            if path.is_file() and any(name in path.name for name in names)
        ]

    def begin(self) -> None:
        """Write the first state."""
        number = self.ledger.begin()
        save(self.path, number, "durable")
        self.ledger.done(number, "durable")

    def run(self, until: float, keep: Path) -> None:
        """Kill until the time is over or something is found: the file may be of no use then."""
        while time.monotonic() < until and not self.found:
            pid = fork(self._writer(self.random.getrandbits(32)).run)
            self._pass_time()
            if kill(pid) != -signal.SIGKILL:
                self.found.append("wrong: a writer failed, see above")
                continue
            self.kills += 1
            seed, counts = self.random.getrandbits(32), self.ledger.read()
            facts = {"lane": self.number, "pid": pid, "seed": seed, "counts": counts}
            report.keep(self.before, self.files(), facts)
            for text in check(partial(self.look, pid, seed)):
                kept = keep / f"kill-{self.seed}-{self.number}-{self.kills}"
                shutil.copytree(self.before, kept, dirs_exist_ok=True)
                self.found.append(f"{text} (--again {kept})")

    def _pass_time(self) -> None:
        """Some states, where the machine is not too busy for them, and a moment."""
        state = self.ledger.read().begun + self.random.randrange(4)
        limit = time.monotonic() + 2
        while self.ledger.read().begun < state and time.monotonic() < limit:
            time.sleep(0.0005)
        time.sleep(self.random.choice(MOMENTS) * self.random.random())

    def _writer(self, seed: int) -> Writer:
        return Writer(self.folder, self.number, self.ledger, seed, LEVELS, new_files=True)

    def look(self, killed: int, seed: int) -> None:
        """The file is a state that was promised; the next writer works and cleans up."""
        counts = self.ledger.read()
        judge(self.path, counts.kept, counts)
        for path in self.folder.glob(f"new-{self.number}-*.mla"):
            number = int(path.stem.split("-")[2])
            if not read(path).is_state(number, number):
                raise WrongError(f"wrong {path.name}: no state has these voxels")
        # Every second time the next writer is one that is killed as well.
        if seed % 2 == 0:
            return
        with MLArray.open(self.path, mmap="r+") as image:
            state = image._store.core.file_bytes  # type: ignore[union-attr]
        if (size := self.path.stat().st_size) != state:
            raise WrongError(f"wrong {self.path.name}: {size} bytes, its state has {state}")
        writer = self._writer(seed)
        for act in (writer.edit, writer.save):
            act()
            counts = self.ledger.read()
            judge(self.path, counts.kept, counts)
        left = [path.name for path in self.folder.glob(f".*.{killed}-*.tmp")]
        # Its number may be that of a new process, which nobody can tell from the old one.
        if left and not Path(f"/proc/{killed}").exists():
            raise WrongError(f"wrong: the next writer left {left[0]}")


def again(kept: Path) -> int:
    """Look at what one kill has left."""
    facts = report.facts_of(kept)
    with tempfile.TemporaryDirectory(prefix="mlarray-soak-") as folder:
        lane = Lane(Path(folder), facts["lane"], 0)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        lane.ledger.write(Counts(*facts["counts"]))
        found = check(lambda: lane.look(facts["pid"], facts["seed"]))
    return report.conclude("kills", 1, found)


def main(arguments: list[str] | None = None) -> int:
    """Print the counts; 1 if anything was found."""
    options = report.options(__doc__, arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.again:
        return again(options.again)
    print(f"kills: --seed {options.seed}, {LANES} writers at once", flush=True)
    warm_up()
    until = time.monotonic() + 60 * options.minutes
    with contextlib.ExitStack() as stack:
        folders = [
            stack.enter_context(tempfile.TemporaryDirectory(prefix="mlarray-soak-", dir=place))
            for place in PLACES
            if place is None or os.access(place, os.W_OK)
        ]
        running: list[tuple[int, int]] = []
        try:
            for number in range(LANES):
                lane = Lane(Path(folders[number % len(folders)]), number, options.seed)
                running.append(_start(lane, until, options.keep))
            answers = [_answer(*one) for one in running]
        except KeyboardInterrupt:
            for pid, _ in running:
                kill(pid)
            time.sleep(0.2)  # their writers end with them, before the folder goes
            raise
    states = sum(state for _, state, _ in answers)
    print(f"kills: the writers began {states} states")
    found = [text.replace("\\n", "\n") for *_, texts in answers for text in texts]
    return report.conclude("kills", sum(kills for kills, *_ in answers), found)


def _start(lane: Lane, until: float, keep: Path) -> tuple[int, int]:
    """A process for a lane, and where it says what it has found."""
    ends = os.pipe()

    def body() -> None:
        lane.found += check(lane.begin)
        if not lane.found:
            lane.run(until, keep)
        lines = [f"{lane.kills} {lane.ledger.read().begun}"]
        lines += [text.replace("\n", "\\n") for text in lane.found]
        os.write(ends[1], "\n".join(lines).encode())

    pid = fork(body)
    os.close(ends[1])
    return pid, ends[0]


def _answer(pid: int, answer: int) -> tuple[int, int, list[str]]:
    """Kills, states, findings."""
    with os.fdopen(answer) as said:
        first, *found = said.read().split("\n")
    if wait(pid, 60) != 0 or not first:
        return 0, 0, ["failed: a lane of this campaign, see above"]
    kills, states = map(int, first.split())
    return kills, states, found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
