"""The examples in the docstrings of the package run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

import mlarray

if TYPE_CHECKING:
    from pathlib import Path

MODULES = [
    name
    for _, name, is_package in pkgutil.walk_packages(mlarray.__path__, "mlarray.")
    if not is_package
    and name != "mlarray._core"
    # tests/training, and mlarray.xarray has none
    and name.split(".")[1] not in ("torch", "monai", "torchio", "xarray")
]


@pytest.mark.parametrize("name", ["mlarray", *MODULES])
def test_examples(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mlarray.MLArray(np.ones((24, 64, 32))).save("image.mla")
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
