"""tools/check_alone.py finds a source that leans on what was compiled before it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools/check_alone.py"


def check(build: Path, second: str) -> subprocess.CompletedProcess[str]:
    unity = build / "src/base/Unity/unity_0_cxx.cxx"
    unity.parent.mkdir(parents=True)
    (build / "a.cpp").write_text("int one() { return 1; }\n")
    (build / "b.cpp").write_text(second)
    unity.write_text(f'#include "{build}/a.cpp"\n#include "{build}/b.cpp"\n')
    entry = {
        "directory": str(build),
        "file": str(unity),
        "command": f"c++ -MD -MT x.o -MF x.d -o x.o -c {unity}",
    }
    (build / "compile_commands.json").write_text(json.dumps([entry]))
    return subprocess.run(
        [sys.executable, TOOL, build], capture_output=True, text=True, check=False
    )


def test_sources_that_stand_alone(tmp_path: Path) -> None:
    run = check(tmp_path, "int two() { return 2; }\n")
    assert (run.returncode, run.stdout.strip()) == (0, "2 sources alone, 0 with errors")


def test_a_source_that_needs_another(tmp_path: Path) -> None:
    run = check(tmp_path, "int two() { return one() + 1; }\n")
    assert run.returncode == 1
    assert "b.cpp:1" in run.stdout
    assert "1 with errors" in run.stdout


def test_a_build_of_single_sources_is_refused(tmp_path: Path) -> None:
    (tmp_path / "compile_commands.json").write_text("[]")
    run = subprocess.run(
        [sys.executable, TOOL, tmp_path], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "compiles no sources together" in run.stderr
