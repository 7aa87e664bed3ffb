"""The floors of the package: a module imports from its own and lower ones, in no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import mlarray

ROOT = Path(mlarray.__file__).parent
FLOORS = (
    "errors typing",
    "meta _dtypes _foreign _checks _settings params orientation _index _compat",
    "_store _save_options _create _exchange _statistics _reports _display spatial",
    "array mlarray blosc2_layout_strategies",
    "tools convert integrations training torch monai torchio",
    "cli",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
FILES = {
    ".".join(("mlarray", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in ROOT.rglob("*.py")
    if path != ROOT / "__init__.py"  # which imports what is asked for
}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


def _imports(module: str) -> set[str]:
    """The modules of the package that one names, wherever it does, for type checkers too."""
    path, found = MODULES[module], set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return (found & MODULES.keys()) - {module}


def test_no_module_imports_from_a_higher_floor() -> None:
    floors = {module: FLOOR[module.split(".")[1]] for module in MODULES}
    upwards = [(a, b) for a in MODULES for b in _imports(a) if floors[b] > floors[a]]
    assert upwards == []


def test_no_circle() -> None:
    TopologicalSorter({module: _imports(module) for module in MODULES}).prepare()
