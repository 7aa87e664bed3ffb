"""One open array for many threads, and for child processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import ClosedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def boxes(shape: tuple[int, ...], count: int, seed: int) -> list[tuple[slice, ...]]:
    rng = np.random.default_rng(seed)
    starts = [rng.integers(0, length, count) for length in shape]
    lengths = [rng.integers(1, length, count) for length in shape]
    return [
        tuple(
            slice(start[i], start[i] + length[i])
            for start, length in zip(starts, lengths, strict=True)
        )
        for i in range(count)
    ]


def right(image: MLArray, volume: np.ndarray[Any, Any], seed: int, count: int = 30) -> bool:
    return all(
        np.array_equal(image[box], volume[box]) for box in boxes(volume.shape, count, seed)
    )


@pytest.mark.parametrize("mode", ["r", "c", "r+", None])
def test_sixteen_threads_read_one_image(saved: Path, volume: Any, mode: Any) -> None:
    with MLArray.open(saved, mmap_mode=mode) as image, ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda seed: right(image, volume, seed), range(16)))


def test_metadata_from_many_threads_is_one_object(saved: Path) -> None:
    with MLArray.open(saved) as image:
        barrier = threading.Barrier(8)

        def ask(_: int) -> int:
            barrier.wait()
            return id(image.meta)

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(ask, range(8)))) == 1


def test_readers_beside_a_writer_see_old_or_new_blocks(saved: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image, ThreadPoolExecutor(4) as pool:
        image[...] = 0
        done = threading.Event()

        def read() -> bool:
            while not done.is_set():
                block = image[8:16, 8:16, 12:24]
                if not (block == block[0, 0, 0]).all():
                    return False
            return True

        readers = [pool.submit(read) for _ in range(3)]
        for value in range(1, 60):
            image[...] = value
        done.set()
        assert all(reader.result() for reader in readers)


def test_writers_of_different_boxes(saved: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image, ThreadPoolExecutor(8) as pool:

        def write(z: int) -> None:
            image[z] = volume[z] + 1

        list(pool.map(write, range(len(volume))))
        np.testing.assert_array_equal(image[...], volume + 1)


def test_forked_children_read(saved: Path, volume: Any) -> None:
    with MLArray.open(saved) as image:
        assert right(image, volume, 0)  # the parent's threads have worked before
        children = []
        for seed in range(4):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads
                child = os.fork()
            if child == 0:
                signal.alarm(60)
                os._exit(0 if right(image, volume, seed) else 1)
            children.append(child)
        assert right(image, volume, 9)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


@pytest.mark.parametrize(
    "fork", [os.fork, ctypes.PyDLL(None).fork], ids=["of Python", "that Python does not see"]
)
def test_a_forked_child_cannot_write_its_parents_file(
    saved: Path, volume: Any, fork: Callable[[], int]
) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image[0] = 5
        image.meta.source["by"] = "parent"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = fork()
        if child == 0:
            signal.alarm(60)
            status = 1
            try:
                image[1] = 6
            except RuntimeError:
                image.meta.source["by"] = "child"
                image.close()
                status = 0
            os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        image[2] = 7
    with MLArray.open(saved) as again:
        assert again.meta.source["by"] == "parent"
        assert (again[0] == 5).all()
        assert (again[2] == 7).all()
        np.testing.assert_array_equal(again[1], volume[1])


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(saved: Path, volume: Any, method: str) -> None:
    asked = boxes(volume.shape, 8, 3)
    with MLArray.open(saved) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert right(image, volume, 0)
        with multiprocessing.get_context(method).Pool(2) as pool:
            answers = pool.starmap(operator.getitem, [(image, box) for box in asked])
    for box, answer in zip(asked, answers, strict=True):
        np.testing.assert_array_equal(answer, volume[box])


class Patches:
    """A data set as loaders of training frameworks use it, with an image that is open."""

    def __init__(self, image: MLArray, count: int) -> None:
        self.image = image
        self.boxes = boxes(image.shape, count, 5)

    def __getitem__(self, index: int) -> tuple[Any, str]:
        return self.image[self.boxes[index]], self.image.meta.source["patient_id"]


def _work(patches: Patches, indices: Any, answers: Any) -> None:
    while (index := indices.get()) is not None:
        answers.put((index, *patches[index]))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("mmap_mode", ["r", None])
def test_workers_of_a_loader(saved: Path, volume: Any, method: str, mmap_mode: Any) -> None:
    """Workers begin while threads of the parent read, work through a queue, and begin anew."""
    context = multiprocessing.get_context(method)
    with MLArray.open(saved, mmap_mode=mmap_mode) as image, ThreadPoolExecutor(2) as pool:
        patches = Patches(image, 24)
        assert patches[0][1] == "123"  # image and metadata were used before
        done = threading.Event()

        def read() -> bool:
            seeds = iter(range(1_000_000))
            while not done.is_set():
                if not right(image, volume, next(seeds), 3):
                    return False
            return True

        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(2):
            indices, answers = context.Queue(), context.Queue()
            for index in [*range(len(patches.boxes)), None, None]:
                indices.put(index)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads
                workers = [
                    context.Process(target=_work, args=(patches, indices, answers))
                    for _ in range(2)
                ]
                for worker in workers:
                    worker.start()
            for _ in patches.boxes:
                index, voxels, patient = answers.get(timeout=60)
                np.testing.assert_array_equal(voxels, volume[patches.boxes[index]])
                assert patient == "123"
            for worker in workers:
                worker.join(60)
                assert worker.exitcode == 0
        done.set()
        assert all(reader.result() for reader in readers)


def test_closing_beside_readers(saved: Path, volume: Any) -> None:
    """Each read gives the voxels or says that the image is closed."""
    for round_ in range(15):
        mode = "r" if round_ % 2 else "r+"
        image = MLArray.open(saved, mmap=mode)
        started = threading.Barrier(4)

        def read(seed: int, image: MLArray, started: threading.Barrier) -> bool:
            started.wait()
            try:
                while right(image, volume, seed, 2) and image.meta.source["patient_id"]:
                    pass
            except ClosedError:
                return True
            return False

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read, seed, image, started) for seed in range(3)]
            started.wait()
            if mode == "r+":
                image[3] = volume[3]
                image.flush()
            image.close()
            assert all(reader.result() for reader in readers)


def test_edits_beside_readers_are_old_or_new_in_each_block(saved: Path, volume: Any) -> None:
    """Random edits known beforehand: a block is as it was after one of those going on."""
    states = [volume]
    edits = boxes(volume.shape, 40, 9)
    for number, box in enumerate(edits):
        states.append(states[-1].copy())
        states[-1][box] = number
    # Whole blocks: none lies in two chunks.
    places = [
        np.s_[z : z + 8, y : y + 8, x : x + 12]
        for z in (0, 8, 16, 24)
        for y in (0, 8, 20, 28, 40)
        for x in (0, 12, 24)
    ]
    begun = ended = reads = 0
    done = threading.Event()
    with MLArray.open(saved, mmap="r+") as image, ThreadPoolExecutor(3) as pool:

        def read(first: int) -> bool:
            nonlocal reads
            for turn in range(10_000_000):
                if done.is_set():
                    return True
                place = places[(first + turn) % len(places)]
                earliest = ended
                block = image[place]
                if not any(
                    np.array_equal(block, states[i][place]) for i in range(earliest, begun + 1)
                ):
                    return False
                reads += 1
            return False

        readers = [pool.submit(read, 17 * number) for number in range(3)]
        for number, box in enumerate(edits):
            begun = number + 1
            image[box] = number
            ended = number + 1
            if number % 9 == 0:
                image.flush()
            wanted = reads + 5
            while reads < wanted and not any(reader.done() for reader in readers):
                done.wait(0.0005)
        done.set()
        assert all(reader.result() for reader in readers)
        np.testing.assert_array_equal(image[...], states[-1])


def test_the_gil_is_released(tmp_path: Path) -> None:
    """While one thread reads or saves, another one goes on."""
    array = np.random.default_rng(0).integers(0, 2000, (256, 256, 128)).astype(np.int16)
    path = tmp_path / "a.mla"
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    for action in (
        lambda: MLArray(array).save(path, num_threads=1),
        lambda: [MLArray.open(path, num_threads=1)[...] for _ in range(20)],
    ):
        ticks = 0
        done.clear()
        thread = threading.Thread(target=tick)
        thread.start()
        action()
        done.set()
        thread.join()
        assert ticks > 5


ENDS_BESIDE_A_CALL = """
import sys, threading, time
from mlarray import MLArray

image = MLArray.open(sys.argv[1], num_threads=1)
called = threading.Event()

def work():
    while True:
        called.set()
        {call}

class Last:
    def __del__(self, sleep=time.sleep):
        sleep(1)  # without the GIL

sys.last = Last()  # it goes when the interpreter has begun to end
threading.Thread(target=work, daemon=True).start()
called.wait()
time.sleep(0.1)
"""


@pytest.mark.parametrize("call", ["image[...]", "image.verify()"])
def test_a_program_ends_beside_a_thread_in_a_call(tmp_path: Path, call: str) -> None:
    path = tmp_path / "a.mla"
    array = np.random.default_rng(0).integers(0, 2000, (256, 256, 128)).astype(np.int16)
    MLArray(array).save(path)
    ended = subprocess.run(
        [sys.executable, "-c", ENDS_BESIDE_A_CALL.format(call=call), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
