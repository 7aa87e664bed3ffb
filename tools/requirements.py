"""Print the requirements that pyproject.toml names, one a line.

It is the only place where they are written. A name is a dependency group, an extra, or
``build-system``::

    python tools/requirements.py build-system test convert
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def requirements(name: str, pyproject: dict[str, Any]) -> list[str]:
    """Return the requirements of ``name``, those of included groups among them."""
    if name == "build-system":
        found: list[str | dict[str, str]] = pyproject["build-system"]["requires"]
    elif name in pyproject["dependency-groups"]:
        found = pyproject["dependency-groups"][name]
    else:
        found = pyproject["project"]["optional-dependencies"][name]
    result: list[str] = []
    for entry in found:
        if isinstance(entry, str):
            result.append(entry)
        else:
            result.extend(requirements(entry["include-group"], pyproject))
    return result


def main() -> None:
    """Print the requirements of the names on the command line."""
    pyproject = tomllib.loads(PYPROJECT.read_text("utf-8"))
    for name in sys.argv[1:]:
        print(*requirements(name, pyproject), sep="\n")


if __name__ == "__main__":
    main()
