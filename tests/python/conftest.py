"""Fixtures for all tests of the Python package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


@pytest.fixture
def volume() -> np.ndarray[Any, Any]:
    """A CT-like volume of odd lengths: several chunks, blocks that do not fit."""
    z, y, x = np.mgrid[0:37, 0:53, 0:41]
    smooth = 900 * np.sin(z / 9) * np.cos(y / 7) + 11 * x
    noise = np.random.default_rng(20).normal(0, 12, smooth.shape)
    return (smooth + noise).astype(np.int16)


@pytest.fixture
def small_chunks() -> dict[str, tuple[int, ...]]:
    """A layout of many chunks and blocks for `volume`."""
    return {"chunk_size": (16, 20, 24), "block_size": (8, 8, 12)}


@pytest.fixture
def saved(
    tmp_path: Path, volume: np.ndarray[Any, Any], small_chunks: dict[str, tuple[int, ...]]
) -> Path:
    """`volume` in a file of many chunks, with metadata."""
    from mlarray import MLArray

    path = tmp_path / "volume.mla"
    image = MLArray(volume, spacing=(3.0, 0.5, 0.7), meta={"patient_id": "123"})
    image.save(path, **small_chunks)
    return path
