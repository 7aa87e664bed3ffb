"""The names of the package, for Python and for type checkers."""

from __future__ import annotations

import ast
from pathlib import Path

import mlarray

STUB = Path(mlarray.__file__).with_suffix(".pyi")


def _imported() -> dict[str, tuple[str, str]]:
    """What the stub imports: where each name is, and what it is called there."""
    names = {}
    for node in ast.parse(STUB.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = (node.module or "", alias.name)
    return names


def test_type_checkers_see_the_same_names() -> None:
    modules = {name: ("", name) for name in mlarray._MODULES}
    assert _imported() == {**mlarray._HOME, **modules}


def test_all_is_the_same() -> None:
    (listed,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(STUB.read_text("utf-8")).body
        if isinstance(node, ast.Assign)
    )
    assert sorted(listed) == mlarray.__all__
