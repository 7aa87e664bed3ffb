"""tools/check_paths.py finds a path that is not there, and takes no other for one."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

missing = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools/check_paths.py"))[
    "missing"
]
FILES = ["tests/python/test_modes.py", "tools/lint.sh", "README.md"]


@pytest.mark.parametrize(
    "text",
    [
        "tests/python/test_gone.py",
        'test-command = "pytest {project}/tests/python/test_gone.py"',
        "`tests/python/test_gone.py`,",
        "[page](tests/python/test_gone.py).",
    ],
)
def test_a_path_that_is_gone(text: str) -> None:
    assert missing(text, FILES) == ["tests/python/test_gone.py"]


@pytest.mark.parametrize(
    "text",
    [
        "tests/python, tests/python/ and {project}/tests/python/test_modes.py",
        "tests/*.py and tests/NAME/test_modes.py, ^tests/python/.*$",
        "build/tools/gone, elsewhere/tests/gone.py, ../tests/gone.py, $folder/tests/gone.py",
        "gone/tests and gone.md",
    ],
)
def test_what_is_there_or_is_no_path_of_ours(text: str) -> None:
    assert missing(text, FILES) == []
