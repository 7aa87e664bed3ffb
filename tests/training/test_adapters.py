"""What holds for each module that stands on another library: `torch`, `monai`, `torchio`."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlarray import MLArray
from pages import ROOT, run_page

pytestmark = pytest.mark.parametrize("library", ["torch", "monai", "torchio"])


def test_docstrings(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    MLArray(np.ones((24, 64, 32), np.float32)).save("image.mla")
    labels = np.zeros((24, 64, 32), np.uint8)
    labels[5:9] = 1
    MLArray(labels).save("label.mla")
    module = "mlarray.torch.loader" if library == "torch" else f"mlarray.{library}"
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 3
    assert result.failed == 0


def test_without_the_library(library: str) -> None:
    """The error says what to install."""
    code = (
        f"import sys; sys.modules['{library}'] = None\n"
        f"try:\n    import mlarray.{library}\nexcept ImportError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install" in run.stdout
    assert f"mlarray[{library}]" in run.stdout


def test_the_page(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(ROOT / "docs" / f"{library}.md")
