"""Write docs/names.md: the names of both generations, and what is different here.

The names are those that 0.0.33 and 0.0.54 have, each asked in an environment of its own; what
they are here is the first line of their docstrings. Run it, with the package installed, after a
change of these or of ``tests/python/interop/generations/differences.py``::

    python tools/generate_names.py
"""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "names.md"
GENERATIONS = ROOT / "tests" / "python" / "interop" / "generations"
VERSIONS = ("0.0.33", "0.0.54")
Names = dict[str, list[str]]

GROUPS: dict[str, Callable[[str], bool]] = {
    "Package": lambda name: "." not in name,
    "MLArray": lambda name: name.startswith("MLArray."),
    "Metadata": lambda name: name.startswith(("Meta.", "MetaSpatial.", "meta.")),
    "All sections of metadata": lambda name: "BaseMeta." in name,
    "Other modules": lambda name: name.startswith(("cli.", "mlarray.", "blosc2_layout")),
}

HEAD = """# Names of other versions

Every public name of 0.0.33 and of 0.0.54, and whether that version has it. All of them are
here, with all their arguments; an argument has a row of its own where only one of the versions
takes it. `tools/generate_names.py` writes this page, and a test compares it with the versions
themselves.
"""
DIFFERENT = """
## What is different

What users write runs on this package and on both versions, name by name
(`tests/python/interop/generations`), and must give the same values and errors, but for these:

| version | there | here |
|---|---|---|
"""


def names_of(python: str | Path) -> Names:
    """The names that a Python's package has."""
    script = "import sys, json; sys.path.insert(0, sys.argv[1]); import names; "
    script += "json.dump(names.names(), sys.stdout)"
    done = subprocess.run(
        [python, "-I", "-c", script, GENERATIONS], check=True, capture_output=True, text=True
    )
    found: Names = json.loads(done.stdout)
    return found


def page(there: dict[str, Names]) -> str:
    """The whole page.

    Parameters
    ----------
    there : dict
        The names of each version, as `names_of` gives them.

    Returns
    -------
    str
        Markdown.
    """
    text = HEAD
    for title, belongs in GROUPS.items():
        text += f"\n## {title}\n\n| name | {' | '.join(VERSIONS)} | here |\n|---|---|---|---|\n"
        every = {name for found in there.values() for name in found if belongs(name)}
        for name in sorted(every, key=str.lower):
            text += _row(name, [name in there[v] for v in VERSIONS], _about(name))
            text += _rows_of_arguments(name, there)
    text += DIFFERENT
    sys.path.insert(0, str(GENERATIONS))
    for one in importlib.import_module("differences").DIFFERENCES:
        text += f"| {', '.join(one.versions)} | {one.there} | {one.here} |\n"
    sys.path.remove(str(GENERATIONS))
    return text


def _row(name: str, present: list[bool], about: str) -> str:
    marks = " | ".join("yes" if has else "-" for has in present)
    return f"| `{name}` | {marks} | {about} |\n"


def _rows_of_arguments(name: str, there: dict[str, Names]) -> str:
    """What only one of two versions takes."""
    if not all(name in there[v] for v in VERSIONS) or "__" in name:
        return ""
    taken = [there[v][name] for v in VERSIONS]
    rows = ""
    for argument in sorted(set(taken[0]) ^ set(taken[1])):
        about = _other_spelling(name, argument)
        rows += _row(f"{name}({argument}=)", [argument in one for one in taken], about)
    return rows


def _other_spelling(name: str, argument: str) -> str:
    """How the other generation says it, by the table of aliases."""
    from mlarray._compat.aliases import ALIASES

    short = name.rpartition(".")[2]
    for alias in ALIASES:
        where = [part.strip().rpartition(".")[2] for part in alias.where.split(",")]
        if short in where and alias.older == f"{argument}=":
            return f"the same as `{alias.newer}`"
    return "taken"


def _about(name: str) -> str:
    """The first line of the docstring of a name of this package."""
    value = _find(name)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return "" if name == "__version__" else f"`{value!r}`"
    doc = inspect.cleandoc(getattr(value, "__doc__", None) or "")
    if not doc and name.startswith("SingleKeyBaseMeta.__"):
        return "that of the value"
    return doc.partition("\n")[0].replace("``", "`")


def _find(name: str) -> Any:
    package = importlib.import_module("mlarray")
    first, *members = name.split(".")
    if first in ("meta", "cli", "mlarray", "blosc2_layout_strategies"):
        value: Any = importlib.import_module(f"mlarray.{first}")
    else:
        holder = importlib.import_module("mlarray.meta") if "BaseMeta" in first else package
        value = getattr(holder, first)
    for member in members:
        value = inspect.getattr_static(value, member, None) or getattr(value, member)
    return value.__func__ if isinstance(value, (classmethod, staticmethod)) else value


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tools"))
    ensure = importlib.import_module("reference_env").ensure
    TARGET.write_text(page({v: names_of(ensure(f"mlarray-{v}")) for v in VERSIONS}), "utf-8")
