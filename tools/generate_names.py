"""Write docs/names.csv and docs/differences.csv: names of both generations, what is different.

The names are those that 0.0.33 and 0.0.54 have, each asked in an environment of its own; what
they are here is the first line of their docstrings. Run it, with the package installed, after a
change of these or of ``tests/python/interop/generations/differences.py``::

    python tools/generate_names.py
"""

from __future__ import annotations

import csv
import importlib
import inspect
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"  # names.md shows both tables
GENERATIONS = ROOT / "tests" / "python" / "interop" / "generations"
VERSIONS = ("0.0.33", "0.0.54")
Names = dict[str, list[str]]


def names_of(python: str | Path) -> Names:
    """The names that a Python's package has."""
    script = "import sys, json; sys.path.insert(0, sys.argv[1]); import names; "
    script += "json.dump(names.names(), sys.stdout)"
    done = subprocess.run(
        [python, "-I", "-c", script, GENERATIONS], check=True, capture_output=True, text=True
    )
    found: Names = json.loads(done.stdout)
    return found


def differences() -> str:
    """What is different, as comma-separated values."""
    sys.path.insert(0, str(GENERATIONS))
    rows = [["version", "there", "here"]]
    for one in importlib.import_module("differences").DIFFERENCES:
        rows.append([" ".join(one.versions), one.there, one.here])
    sys.path.remove(str(GENERATIONS))
    return _as_csv(rows)


def names(there: dict[str, Names]) -> str:
    """The names, as comma-separated values.

    An argument has a row of its own where only one of the versions takes it.

    Parameters
    ----------
    there : dict
        The names of each version, as `names_of` gives them.

    Returns
    -------
    str
        One line a name, and a header.
    """
    rows = [["name", *VERSIONS, "here"]]
    for name in sorted({name for found in there.values() for name in found}, key=_place):
        rows.append(_row(name, [name in there[v] for v in VERSIONS], _about(name)))
        rows += _rows_of_arguments(name, there)
    return _as_csv(rows)


def _as_csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _place(name: str) -> tuple[bool, str, str, str]:
    """Names of the package come first; the members of one owner lie together."""
    owner = name.rpartition(".")[0]
    return (bool(owner), owner.lower(), name.lower(), name)


def _row(name: str, present: list[bool], about: str) -> list[str]:
    return [f"`{name}`", *("yes" if has else "no" for has in present), about]


def _rows_of_arguments(name: str, there: dict[str, Names]) -> list[list[str]]:
    """What only one of two versions takes."""
    if not all(name in there[v] for v in VERSIONS) or "__" in name:
        return []
    taken = [there[v][name] for v in VERSIONS]
    return [
        _row(
            f"{name}({argument}=)",
            [argument in one for one in taken],
            _other_spelling(name, argument),
        )
        for argument in sorted(set(taken[0]) ^ set(taken[1]))
    ]


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
    found = {v: names_of(ensure(f"mlarray-{v}")) for v in VERSIONS}
    (DOCS / "names.csv").write_text(names(found), "utf-8")
    (DOCS / "differences.csv").write_text(differences(), "utf-8")
