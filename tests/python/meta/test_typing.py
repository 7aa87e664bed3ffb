"""What type checkers say of the metadata: mypy, and pyright as basedpyright, which has Node.js.

``misuse.py`` marks the lines that must be errors; all others must be none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("misuse.py")


def marked() -> list[int]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.endswith("# misuse")]


def test_mypy(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]
    command += ["--cache-dir", str(tmp_path), "--no-error-summary", str(FILE)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.findall(rf"{FILE.name}:(\d+): error", result.stdout)
    assert sorted({int(line) for line in found}) == marked(), result.stdout + result.stderr


def test_pyright(tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    (tmp_path / FILE.name).write_text(FILE.read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath"]
    command += [sys.executable, "-p", str(tmp_path)]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    report = json.loads(result.stdout)["generalDiagnostics"]
    found = {
        one["range"]["start"]["line"] + 1
        for one in report
        if one["severity"] == "error" and one["file"].endswith(FILE.name)
    }
    assert sorted(found) == marked(), report
