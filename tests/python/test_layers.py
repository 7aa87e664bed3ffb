"""The floors of the package: what stands on one imports from lower ones only, in no circle."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import mlarray

ROOT = Path(mlarray.__file__).parent
# Modules and folders; a folder's own modules may import each other.
FLOORS = (
    "errors typing params orientation _argument_orders _foreign _reports",
    "_compat _dtypes _index _paths _settings meta",
    "_display _store",
    "array",
    "blosc2_layout_strategies convert mlarray tools training",
    "cli monai torch torchio xarray",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
FILES = {
    ".".join(("mlarray", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in ROOT.rglob("*.py")
    if path != ROOT / "__init__.py"  # the root: it names all, and stands above it
}
MODULES = {name.removesuffix(".__init__"): path for name, path in FILES.items()}


def _named(module: str, *, at_once: bool = False) -> set[str]:
    """What a module imports by name, wherever it does, for type checkers too.

    `at_once`: only what runs when it is imported itself.
    """
    path, found = MODULES[module], set()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def _imports(module: str, *, at_once: bool = False) -> set[str]:
    """The modules of the package among these."""
    return (_named(module, at_once=at_once) & MODULES.keys()) - {module}


def _place(module: str) -> str:
    """The module or folder of the package that it is, or is in."""
    return module.split(".")[1]


def test_every_place_has_a_floor() -> None:
    assert {_place(module) for module in MODULES} == FLOOR.keys()


def test_imports_go_down() -> None:
    wrong = [
        (module, other)
        for module in MODULES
        for other in _imports(module)
        if _place(module) != _place(other) and FLOOR[_place(module)] <= FLOOR[_place(other)]
    ]
    assert wrong == []


def test_the_root_is_imported_by_nobody() -> None:
    """It has all names of the package: what imports it stands on every floor at once."""
    known = {f"mlarray.{name}" for name in (*FLOOR, "_core")}
    for module in MODULES:
        names = {name for name in _named(module) if name.startswith("mlarray.")}
        assert {name for name in names if name.count(".") == 1} <= known, module


def test_no_circle() -> None:
    TopologicalSorter({module: _imports(module) for module in MODULES}).prepare()


def test_chains_of_imports_are_short() -> None:
    lengths: dict[str, int] = {}
    graph = {module: _imports(module, at_once=True) for module in MODULES}
    for module in TopologicalSorter(graph).static_order():
        lengths[module] = 1 + max((lengths[other] for other in graph[module]), default=0)
    assert lengths["mlarray.array"] <= 6
    assert max(lengths.values()) <= 9


def test_nothing_else_is_imported_by_a_text() -> None:
    """Which these tests would not see."""
    texts = {module: path.read_text("utf-8") for module, path in MODULES.items()}
    by_text = {module for module, text in texts.items() if "import_module" in text}
    assert by_text == {"mlarray.convert._model"}  # other libraries
