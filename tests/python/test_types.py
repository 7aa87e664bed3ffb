"""What a type checker knows of an image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = """
from typing import Any

import numpy as np
from mlarray import MLArray
from numpy.typing import NDArray
from typing_extensions import assert_type

class Scan(MLArray):
    pass

image = MLArray.open("a.mla", mode="r+", level="ordered")
assert_type(image[...], NDArray[Any])
assert_type(image[10:20], NDArray[Any])
assert_type(image[0, :, 3:5], NDArray[Any])
assert_type(image[[1, 2]], NDArray[Any])
assert_type(image[image[...] > 5, ...], NDArray[Any])
assert_type(image[1, 2], Any)
assert_type(image.shape, tuple[int, ...])
assert_type(image.dtype, np.dtype[Any])
assert_type(image.ndim, int)
assert_type(Scan.open("a.mla", mmap="w+", shape=(3,), dtype="u1", patch_size=None), Scan)
assert_type(Scan.zeros((2,), "u1").astype("f4"), Scan)
assert_type(image.read_many([((0,), (1,))]), NDArray[Any])
"""
WRONG = """
from mlarray import MLArray

image = MLArray.open("a.mla")
image.spacng = [1]
image.spcing
MLArray.open("a.mla", shape=(3,))
MLArray.open("a.mla", shape=(3,), dtype="u1", verify=True)
MLArray.open("a.mla", level="safe")
image.save("b.mla", preset="tiny")
image.read_padded((0,), (1,), "wrap")
"""


def _errors(source: str, folder: Path) -> list[int]:
    """The lines of which mypy says something."""
    api = pytest.importorskip("mypy.api")
    file = folder / "case.py"
    file.write_text(source)
    cache = ("--cache-dir", str(folder), "--python-executable", sys.executable)
    out = api.run(["--strict", *cache, "--hide-error-context", str(file)])[0]
    lines = [line.split(":") for line in out.splitlines() if ": error:" in line]
    return sorted({int(line[1]) for line in lines})


@pytest.mark.slow
def test_what_mypy_knows(tmp_path: Path) -> None:
    assert _errors(RIGHT, tmp_path) == []
    assert _errors(WRONG, tmp_path) == [5, 6, 7, 8, 9, 10, 11]
