"""What type checkers say of misuses: mypy, and pyright as basedpyright, which has Node.js.

The files mark the lines that must be errors; all others must be none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("meta/misuse.py", "training/misuse.py", "training/misuse_torch.py")


def marked(name: str) -> list[int]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.endswith("# misuse")]


@pytest.mark.slow
def test_mypy(tmp_path: Path) -> None:
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\nexplicit_package_bases = True\n")
    command = [sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary"]
    command += ["--cache-dir", str(tmp_path), *FILES]
    result = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    found = defaultdict(set)
    for name, line in re.findall(r"^(\S+):(\d+): error", result.stdout, re.M):
        found[name].add(int(line))
    wanted = {name: marked(name) for name in FILES}
    got = {name.replace(os.sep, "/"): sorted(lines) for name, lines in found.items()}
    assert got == wanted, result.stdout + result.stderr


@pytest.mark.slow
def test_pyright(tmp_path: Path) -> None:
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "standard"}')
    for name in FILES:
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((HERE / name).read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath"]
    command += [sys.executable, "-p", str(tmp_path)]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    report = json.loads(result.stdout)["generalDiagnostics"]
    for name in FILES:
        found = {
            one["range"]["start"]["line"] + 1
            for one in report
            if one["severity"] == "error" and Path(one["file"]) == tmp_path / name
        }
        assert sorted(found) == marked(name), (name, report)
