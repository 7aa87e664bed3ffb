"""tools/check_layers.py finds a layer that includes what is above it, or not named."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/check_layers.py"
problems = runpy.run_path(str(TOOL))["problems"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "CMakeLists.txt").write_text(
        "foreach(layer IN ITEMS base io\n        frame)\nendforeach()\n"
    )
    for layer, uses in (("base", ""), ("io", " USES base LINKS Z"), ("frame", " USES base io")):
        (tmp_path / layer).mkdir()
        (tmp_path / layer / "CMakeLists.txt").write_text(
            f"mlarray_layer({layer} A a.cpp{uses})"
        )
    (tmp_path / "frame" / "a.cpp").write_text(
        '#include <base/x>\n#include "mlarray/array.hpp"\n#include "io/file.hpp"\n'
    )
    return tmp_path


def test_layers_in_order(source: Path) -> None:
    assert list(problems(source)) == []


@pytest.mark.parametrize("wrong", ["frame", "zip"])
def test_an_include_of_what_is_not_below(source: Path, wrong: str) -> None:
    (source / "io" / "a.hpp").write_text(f'#include "{wrong}/a.hpp"\n')
    assert list(problems(source)) == [f"src/io/a.hpp includes {wrong}, not named after USES"]


def test_a_use_of_what_is_not_below(source: Path) -> None:
    (source / "io" / "CMakeLists.txt").write_text(
        "mlarray_layer(io A a.cpp\n  USES base frame)"
    )
    (found,) = problems(source)
    assert found == "src/io/CMakeLists.txt uses frame, which is no layer below it"


def test_a_folder_that_is_no_layer(source: Path) -> None:
    (source / "more").mkdir()
    (source / "more" / "CMakeLists.txt").touch()
    (found,) = problems(source)
    assert found.startswith("src/CMakeLists.txt lists ")
