"""Which preset and layout suit these data, this machine and this patch: by trying them."""

from __future__ import annotations

import math
import os
import random
import statistics
import tempfile
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _core
from .._paths import checked_path
from .._store.save_options import PRESETS
from ..array import MLArray
from ..errors import InvalidUseError
from .repack import core_of, known_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..typing import PathLike

__all__ = ["GOALS", "Choice", "Tuning", "tune"]

GOALS = PRESETS
_FILES = 3  # at most so many are tried, taken evenly from those given
_SAMPLE_BYTES = 64_000_000  # of the voxels of all of them
_BLOCK_SIDES = (16, 32, 48)  # cubes, tried beside the layouts that the library chooses
_MOST_CHUNK_BYTES = 4 << 20
_CLOSE = 0.03  # figures nearer than that are the same, for choosing


class Choice(NamedTuple):
    """One preset with one layout, and what was measured of it."""

    preset: str
    layout: str  # "for 128": for patches of that side; "blocks of 32"; "as it is"
    options: dict[str, Any]  # for `repack` and `MLArray.save`
    chunks: tuple[int, ...]  # of the first file
    blocks: tuple[int, ...]
    size: float  # of the files, as a share of what they have now
    patches_per_second: float
    megabytes_saved_per_second: float  # of voxels


class Tuning(NamedTuple):
    """What `tune` found."""

    patch_size: int
    files: tuple[str, ...]  # that were tried
    choices: tuple[Choice, ...]  # fastest first
    best: Choice  # by the goal


def tune(
    files: PathLike | Sequence[PathLike],
    patch_size: int,
    *,
    goal: str = "fast",
    seconds: float = 10.0,
    num_threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tuning:
    """Try presets and layouts on parts of real files; nothing is changed.

    A part of some of the files is saved in every way to a temporary folder. Then patches are
    read at random places, all ways in turns, from files in the system's cache.

    Parameters
    ----------
    files : path or sequence of path
        Images alike, such as those of one data set; a few of many are tried.
    patch_size : int
        Side of the patches that will be read, in voxels per axis of space; other axes are
        read whole.
    goal : {'fast', 'balanced', 'small'}
        What is best: most patches per second (and of those within 3 %, the smallest file),
        most patches per second and byte, or the smallest file (and of those within 3 %, the
        fastest).
    seconds : float
        How long patches are read, all choices together.
    num_threads : int, optional
        Of a read; default: as `set_num_threads` says.
    progress : callable, optional
        Called with the share that is done, 0 to 1.

    Returns
    -------
    Tuning
        All choices, and the best.

    Raises
    ------
    InvalidUseError
        Without files, for an unknown goal, a patch below 1, and images without axes of space
        or without voxels.
    NotFoundError, CorruptionError, UnsupportedError
        If a file cannot be read.

    Examples
    --------
    >>> import mlarray
    >>> found = mlarray.tune("image.mla", 32, seconds=0.1)
    >>> found.best in found.choices
    True
    """
    single = isinstance(files, (str, bytes, os.PathLike))
    given: Any = [files] if single else files
    paths = [checked_path(path) for path in given]
    if goal not in GOALS:
        raise InvalidUseError(f"goal={goal!r} is not one of {', '.join(GOALS)}")
    if not paths:
        raise InvalidUseError("tune needs at least one file")
    if patch_size < 1:
        raise InvalidUseError(f"patch_size={patch_size} is below 1")
    chosen = paths[:: math.ceil(len(paths) / _FILES)]
    say = progress or (lambda share: None)
    samples = [_Sample(path, patch_size, _SAMPLE_BYTES // len(chosen)) for path in chosen]
    with tempfile.TemporaryDirectory(prefix="mlarray-tune-") as folder:
        ways = [
            (preset, layout) for layout in _layouts(samples, patch_size) for preset in PRESETS
        ]
        trials = []
        for i, (preset, layout) in enumerate(ways):
            stem = os.path.join(folder, str(i))
            trials.append(_Trial(preset, layout, samples, stem, num_threads))
            say(0.5 * (i + 1) / len(ways))
        _read_in_turns(trials, samples, seconds, lambda share: say(0.5 + 0.5 * share))
        choices = sorted(
            (trial.choice(samples) for trial in trials), key=lambda c: -c.patches_per_second
        )
    return Tuning(patch_size, tuple(chosen), tuple(choices), _best(choices, goal))


class _Layout(NamedTuple):
    """One way to cut: for a patch, in cubes as blocks, or as a file is."""

    label: str
    patch: int | None = None
    block_side: int | None = None


class _Sample:
    """A part of a file, from its middle."""

    def __init__(self, path: str, patch: int, budget: int) -> None:
        with MLArray.open(path) as image:
            self.path, self.shape, self.itemsize = path, image.shape, image.dtype.itemsize
            self.spatial = image._spatial_axes()
            core = core_of(image)
            self.chunks, self.blocks = core.chunks, core.blocks
            if known_sizes(image).says_sizes:  # as repack would cut it anew
                self.chunks, self.blocks = self._for_patch(image.meta.blosc2.patch_size)
            self.stored_share = os.path.getsize(path) / max(
                image.dtype.itemsize * math.prod(image.shape), 1
            )
            if not any(self.spatial) or 0 in self.shape:
                raise InvalidUseError(
                    f"'{path}' has the shape {self.shape}: patches are read of images with "
                    f"voxels and axes of space"
                )
            self.patch = [min(patch, n) if s else n for n, s in zip(self.shape, self.spatial)]
            lengths = self._lengths(budget)
            starts = [(n - length) // 2 for n, length in zip(self.shape, lengths)]
            key = tuple(slice(a, a + length) for a, length in zip(starts, lengths))
            self.voxels: np.ndarray[Any, Any] = np.asarray(image[key])
            self.labels = image.meta.spatial.axis_labels

    def _lengths(self, budget: int) -> list[int]:
        """As large as the budget allows, in proportion, but not smaller than a patch."""
        share = min(1.0, budget / (self.itemsize * math.prod(self.shape)))
        scale = share ** (1 / sum(self.spatial))
        return [
            max(p, round(n * scale)) if s else n
            for n, p, s in zip(self.shape, self.patch, self.spatial)
        ]

    def sizes(self, layout: _Layout) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Chunks and blocks, as the whole file would have them."""
        if layout.patch is not None:
            return self._for_patch(layout.patch)
        if layout.block_side is None:
            return self.chunks, self.blocks
        side, axes = layout.block_side, sum(self.spatial)
        most = (_MOST_CHUNK_BYTES / (side**axes * self.itemsize)) ** (1 / axes)
        times = max(1, min(math.ceil(max(self.patch) / side), int(most)))
        block = tuple(side if s else 1 for s in self.spatial)
        return tuple(times * n if s else 1 for n, s in zip(block, self.spatial)), block

    def _for_patch(self, patch: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        found = _core.choose_layout(
            self.shape, self.itemsize, patch=patch, spatial_axes=self.spatial
        )
        return tuple(found["chunk_size"]), tuple(found["block_size"])

    def place(self, chance: random.Random) -> tuple[slice, ...]:
        """Where to read a patch."""
        starts = [chance.randint(0, n - p) for n, p in zip(self.voxels.shape, self.patch)]
        return tuple(slice(a, a + p) for a, p in zip(starts, self.patch))


class _Trial:
    """One way to pack the samples, saved."""

    def __init__(
        self,
        preset: str,
        layout: _Layout,
        samples: list[_Sample],
        stem: str,
        threads: int | None,
    ) -> None:
        self.preset, self.layout = preset, layout
        self.images: list[MLArray] = []
        self.bytes: list[int] = []
        self.save_seconds = 0.0
        self.times: list[float] = []
        for i, sample in enumerate(samples):
            path = f"{stem}-{i}.mla"
            chunks, blocks = sample.sizes(layout)
            image = MLArray(sample.voxels, axis_labels=sample.labels)
            started = time.perf_counter()
            image.save(
                path,
                chunk_size=chunks,
                block_size=blocks,
                preset=preset,  # type: ignore[arg-type]
                num_threads=threads,
            )
            self.save_seconds += time.perf_counter() - started
            self.bytes.append(os.path.getsize(path))
            self.images.append(MLArray.open(path, num_threads=threads))

    def choice(self, samples: list[_Sample]) -> Choice:
        """What was measured, in the end."""
        for image in self.images:
            image.close()
        voxel_bytes = sum(sample.voxels.nbytes for sample in samples)
        now = sum(sample.stored_share * sample.voxels.nbytes for sample in samples)
        chunks, blocks = samples[0].sizes(self.layout)
        options: dict[str, Any] = {"preset": self.preset}
        if self.layout.patch is not None:
            options["patch_size"] = self.layout.patch
        elif self.layout.block_side is not None:
            options.update(chunk_size=chunks, block_size=blocks)
        return Choice(
            self.preset,
            self.layout.label,
            options,
            chunks,
            blocks,
            sum(self.bytes) / now,
            1 / statistics.median(self.times),
            voxel_bytes / self.save_seconds / 1e6,
        )


def _layouts(samples: list[_Sample], patch: int) -> list[_Layout]:
    """Those to try; of layouts that come out the same, the first."""
    asked = [_Layout(f"for {side}", side) for side in (patch, max(patch // 2, 1), 2 * patch)]
    asked.append(_Layout("as it is"))
    # Sizes by axis are of use to all files only if these have the same axes.
    if len({tuple(sample.spatial) for sample in samples}) == 1:
        asked += [_Layout(f"blocks of {side}", None, side) for side in _BLOCK_SIDES]
    found: dict[object, _Layout] = {}
    for layout in asked:
        found.setdefault(tuple(sample.sizes(layout) for sample in samples), layout)
    return list(found.values())


def _read_in_turns(
    trials: list[_Trial],
    samples: list[_Sample],
    seconds: float,
    say: Callable[[float], None],
) -> None:
    chance = random.Random(0)
    begin = time.perf_counter()
    rounds = 0
    while rounds < 4 or time.perf_counter() - begin < seconds:
        i = rounds % len(samples)
        key = samples[i].place(chance)
        for trial in trials[rounds % len(trials) :] + trials[: rounds % len(trials)]:
            started = time.perf_counter()
            trial.images[i][key]
            took = time.perf_counter() - started
            if rounds >= len(samples):  # the first of each file warms up
                trial.times.append(took)
        rounds += 1
        say(min(1.0, (time.perf_counter() - begin) / max(seconds, 1e-9)))


def _best(choices: list[Choice], goal: str) -> Choice:
    if goal == "fast":
        most = max(c.patches_per_second for c in choices)
        fast = [c for c in choices if c.patches_per_second >= most * (1 - _CLOSE)]
        return min(fast, key=lambda c: c.size)
    if goal == "small":
        least = min(c.size for c in choices)
        small = [c for c in choices if c.size <= least * (1 + _CLOSE)]
        return max(small, key=lambda c: c.patches_per_second)
    return max(choices, key=lambda c: c.patches_per_second / c.size)
