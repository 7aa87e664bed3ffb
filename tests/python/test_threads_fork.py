"""One open array for many threads, and for child processes."""

from __future__ import annotations

import multiprocessing
import operator
import os
import signal
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mlarray import MLArray

if TYPE_CHECKING:
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


def test_a_forked_child_cannot_write_its_parents_file(saved: Path, volume: Any) -> None:
    with MLArray.open(saved, mmap="r+") as image:
        image[0] = 5
        image.meta.source["by"] = "parent"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
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
