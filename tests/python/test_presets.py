"""Presets: what a file is saved for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlarray import MLArray
from mlarray.errors import InvalidUseError

PRESETS = ["fast", "balanced", "small"]


def ct(dtype: str) -> np.ndarray[Any, Any]:
    """A body in air, with noise in the low bits."""
    grid = np.linspace(-1, 1, 72)
    radius = np.sqrt(grid[:, None, None] ** 2 + grid[:, None] ** 2 + grid**2)
    body = np.where(radius < 0.8, 300 + 700 * np.cos(5 * radius), -1000)
    return (body + np.random.default_rng(0).normal(0, 10, body.shape)).round().astype(dtype)


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_smaller_presets_make_smaller_files(tmp_path: Path, dtype: str) -> None:
    voxels = ct(dtype)
    sizes = []
    for preset in PRESETS:
        path = tmp_path / f"{preset}.mla"
        MLArray(voxels).save(path, preset=preset)  # type: ignore[arg-type]
        assert np.array_equal(MLArray(path).to_numpy(), voxels)
        sizes.append(path.stat().st_size)
    assert sizes[0] > sizes[1] > sizes[2]
    # Of the low byte, which is noise of some bits, an entropy coder keeps three quarters.
    assert sizes[2] < 0.85 * sizes[0]


def test_nothing_said_is_fast(tmp_path: Path) -> None:
    MLArray(ct("int16")).save(tmp_path / "default.mla")
    MLArray(ct("int16")).save(tmp_path / "fast.mla", preset="fast")
    assert (tmp_path / "default.mla").read_bytes() == (tmp_path / "fast.mla").read_bytes()


@pytest.mark.parametrize("preset", PRESETS)
def test_files_are_saved_again_as_they_were(tmp_path: Path, preset: Any) -> None:
    first, second = tmp_path / "first.mla", tmp_path / "second.mla"
    MLArray(ct("int16")).save(first, preset=preset)
    MLArray(first).save(second)
    assert first.read_bytes() == second.read_bytes()
    MLArray(first).save(second, preset="small")
    MLArray(ct("int16")).save(first, preset="small")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("preset", PRESETS)
def test_edits_go_on_with_the_preset(tmp_path: Path, preset: Any) -> None:
    voxels = ct("int16")
    saved, filled = tmp_path / "saved.mla", tmp_path / "filled.mla"
    MLArray(voxels).save(saved, preset=preset)
    with MLArray.create(filled, voxels.shape, voxels.dtype, preset=preset) as image:
        image[...] = voxels
        by_edits = image._store.opened().compressed_bytes()
    with MLArray.open(saved) as image:
        assert image._store.opened().compressed_bytes() == by_edits


def test_a_preset_excludes_cparams(tmp_path: Path) -> None:
    image = MLArray(np.zeros((4, 4)))
    with pytest.raises(InvalidUseError, match=r"preset='small' .*cparams.* leave one out"):
        image.save(tmp_path / "a.mla", preset="small", cparams={"clevel": 1})
    with pytest.raises(InvalidUseError, match=r"'tiny' is not one of fast, balanced, small"):
        image.save(tmp_path / "a.mla", preset="tiny")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_cparams_are_followed_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.mla"
    MLArray(ct("int16")).save(path, cparams={"codec": "lz4hc", "clevel": 9})
    with MLArray.open(path) as image:
        codec = image._store.opened().codec
    assert (codec.codec, codec.level, codec.adaptive) == (2, 9, False)
