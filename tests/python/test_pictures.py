"""The pictures of the pages are what their program draws."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "docs" / "pictures"


def test_every_picture_is_drawn_by_the_program(tmp_path: Path) -> None:
    program = FOLDER / "make_pictures.py"
    subprocess.run([sys.executable, str(program), str(tmp_path)], check=True, timeout=120)
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.svg")}
    del committed["layers.svg"]  # drawn from the sources; make lint compares it
    assert committed
    assert {path.name: path.read_text() for path in tmp_path.glob("*.svg")} == committed
