"""A process that writes one file in every way there is, until it is killed."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Literal

from states import (
    LAYOUT,
    LEVELS,
    NOISE,
    SHAPE,
    Ledger,
    Level,
    judge,
    key_of,
    save,
    slab_of,
    value_of,
    voxels_of,
)

import mlarray
from mlarray import MLArray

PRESETS: tuple[Literal["fast", "balanced"], ...] = ("fast", "balanced")


class Writer:
    """One file of a folder: `lane-N.mla`."""

    def __init__(
        self,
        folder: Path,
        lane: int,
        ledger: Ledger,
        seed: int,
        levels: tuple[Level, ...],
        new_files: bool = False,
    ) -> None:
        self.folder, self.lane, self.ledger, self.levels = folder, lane, ledger, levels
        self.path = folder / f"lane-{lane}.mla"
        self.random = random.Random(seed)
        # Until it has written all voxels: who was killed may have begun edits that are gone.
        self.base: int | None = None
        self.ways = [self.edit, self.edit, self.edit, self.save, self.create, self.repack]
        if new_files:
            self.ways.append(self.new_file)

    def run(self) -> None:
        """Write for ever."""
        while True:
            self.random.choice(self.ways)()

    def level(self) -> Level:
        return self.random.choice(self.levels)

    def _assign(self, image: MLArray, number: int) -> None:
        # Metadata first: they reach the file with the commit that follows the voxels.
        image.meta.source["number"] = number
        if self.base is None:
            image.meta.source["base"] = self.base = number
            image[...] = voxels_of(number, number)
            return
        slab = slab_of(number)
        if slab is not None:
            key = key_of(slab)
            image[key] = NOISE[key] + value_of(number)

    def edit(self) -> None:
        """Open, some edits, each flushed, saved over the file or neither, and close."""
        level = self.level()
        image = MLArray.open(self.path, mmap="r+", level=level)
        pending = 0
        for _ in range(self.random.randint(1, 4)):
            own = self.level()
            number = self.ledger.begin(level, own)
            self._assign(image, number)
            how = self.random.randrange(5)
            pending = number if how == 4 else 0
            if how < 3:
                image.flush(level=own)
            elif how == 3:
                image.save(self.path, level=own)
            if how < 4:
                self.ledger.done(number, own)
        image.close()
        if pending:
            self.ledger.done(pending, level)

    def save(self) -> None:
        """A new file over the old one."""
        level = self.level()
        number = self.ledger.begin(level)
        save(self.path, number, level)
        self.base = number
        self.ledger.done(number, level)

    def create(self) -> None:
        """A new file of zeros over the old one, then filled."""
        level = self.level()
        self.ledger.begin(level, blank=True)
        image = MLArray.open(
            self.path, shape=SHAPE, dtype="int16", mmap="w+", level=level, **LAYOUT
        )
        number = self.ledger.begin(level)
        self.base = None
        self._assign(image, number)
        image.close()
        self.ledger.done(number, level)

    def repack(self) -> None:
        """The same state in a new file."""
        level = self.level()
        self.ledger.begin_unsafe(level)
        preset = self.random.choice(PRESETS)
        mlarray.repack(self.path, preset=preset, level=level, **LAYOUT)

    def new_file(self) -> None:
        """A file under a name that there was not."""
        level = self.random.choice([level for level in self.levels if level != "none"])
        number = self.ledger.begin_new()
        save(self.folder / f"new-{self.lane}-{number}.mla", number, level)
        if level == "durable":
            self.ledger.done_new(number)
        safe = self.ledger.read().new_safe
        for path in self.folder.glob(f"new-{self.lane}-*.mla"):
            if int(path.stem.split("-")[2]) not in (number, number - 1, safe):
                path.unlink()


def warm_up() -> None:
    """Do everything once, so that forked processes need not import it each time."""
    with tempfile.TemporaryDirectory(prefix="mlarray-soak-") as folder:
        writer = Writer(Path(folder), 0, Ledger(), 0, LEVELS)
        for act in (writer.save, writer.edit, writer.create, writer.repack):
            act()
        counts = writer.ledger.read()
        judge(writer.path, counts.kept, counts)
