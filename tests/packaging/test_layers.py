"""tools/check_layers.py finds a layer that includes what is above it, or not named.

And bindings, examples and public headers that include what is not public.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools/check_layers.py"
problems = runpy.run_path(str(TOOL))["problems"]
problems_of_users = runpy.run_path(str(TOOL))["problems_of_users"]


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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in (
        ("include/mlarray/array.hpp", '#include "mlarray/types.hpp"\n'),
        ("include/mlarray/types.hpp", "#include <vector>\n"),
        ("src/codec/chunk.hpp", ""),
        ("bindings/value.hpp", '#include "mlarray/array.hpp"\n'),
        ("bindings/value.cpp", '#include "value.hpp"\n#include <nanobind/nanobind.h>\n'),
        ("examples/cpp/read.cpp", '#include "mlarray/array.hpp"\n'),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_users_of_public_headers(root: Path) -> None:
    assert list(problems_of_users(root)) == []


@pytest.mark.parametrize(
    "file", ["bindings/value.cpp", "examples/cpp/read.cpp", "include/mlarray/array.hpp"]
)
@pytest.mark.parametrize(
    "header", ["codec/chunk.hpp", "mlarray/none.hpp", "../src/codec/chunk.hpp", "none.hpp"]
)
def test_an_include_of_what_is_not_public(root: Path, file: str, header: str) -> None:
    with (root / file).open("a") as more:
        more.write(f'  #  include "{header}"\n')
    assert list(problems_of_users(root)) == [f"{file} includes {header}, which is not public"]


def test_a_public_header_beside_a_public_one(root: Path) -> None:
    (root / "include/mlarray/array.hpp").write_text('#include "types.hpp"\n')
    (found,) = problems_of_users(root)
    assert found == "include/mlarray/array.hpp includes types.hpp, which is not public"


def test_every_layer_has_a_short_section() -> None:
    check = runpy.run_path(str(TOOL))["problems_of_page"]
    page = "# Title\n\n## base\n\nText.\n\n## io\n\nText.\n"
    assert list(check(page, ["base", "io"])) == []
    (found,) = check(page, ["base", "io", "frame"])
    assert "frame" in found
    (found,) = check(page + "line\n" * 60, ["base", "io"])
    assert found == "docs/layers.md says more than 60 lines of io"


def test_the_picture_has_arrows_downwards_only(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(TOOL.parent))
    tool = runpy.run_path(str(TOOL.with_name("draw_layers.py")))
    (source / "io" / "a.hpp").write_text('#include "base/a.hpp"\n')
    (source / "frame" / "b.cpp").write_text('#include "base/a.hpp"\n')
    includes = tool["includes_of"](source)
    assert includes == {"base": set(), "io": {"base"}, "frame": {"base", "io"}}
    assert tool["needed"](includes) == {("io", "base"), ("frame", "io")}
    assert tool["heights_of"](includes) == {"base": 0, "io": 1, "frame": 2}
    includes["base"] = {"frame"}
    with pytest.raises(ValueError, match="circle"):
        tool["heights_of"](includes)
