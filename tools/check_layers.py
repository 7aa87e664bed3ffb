"""Check that every layer of src/ includes only layers below it, and users only what is public.

The order is that of src/CMakeLists.txt; what a layer may include is what its own CMakeLists.txt
names after USES. Public headers, include/mlarray, belong to no layer. bindings/ and examples/
include them and what lies beside the including file; public headers include each other only.
Each layer has a short section in docs/layers.md.

    python tools/check_layers.py
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def order_of(cmake: str) -> list[str]:
    """Return the layers that src/CMakeLists.txt lists, the lowest first."""
    found = re.search(r"foreach\(layer IN ITEMS\s+([\w\s]+)\)", cmake)
    if found is None:
        raise ValueError("src/CMakeLists.txt: no foreach(layer IN ITEMS ...)")
    return found[1].split()


def uses_of(cmake: str) -> list[str]:
    """Return the layers that a layer's CMakeLists.txt names after USES."""
    found = re.search(r"\bUSES\s+([\w\s]+?)(?:\s+LINKS\b|\))", cmake)
    return found[1].split() if found else []


def problems(source: Path) -> Iterator[str]:
    """Yield what is wrong with the layers of a folder ``src``."""
    order = order_of((source / "CMakeLists.txt").read_text("utf-8"))
    folders = sorted(path.parent.name for path in source.glob("*/CMakeLists.txt"))
    if folders != sorted(order):
        yield f"src/CMakeLists.txt lists {sorted(order)}, but the folders are {folders}"
        return
    for place, layer in enumerate(order):
        uses = uses_of((source / layer / "CMakeLists.txt").read_text("utf-8"))
        for other in uses:
            if other not in order[:place]:
                yield f"src/{layer}/CMakeLists.txt uses {other}, which is no layer below it"
        for path in sorted((source / layer).iterdir()):
            if path.suffix not in (".cpp", ".hpp", ".inc"):
                continue
            for included in re.findall(r'^#include "(\w+)/', path.read_text("utf-8"), re.M):
                if included not in (layer, "mlarray", *uses):
                    yield f"src/{layer}/{path.name} includes {included}, not named after USES"


def problems_of_users(root: Path) -> Iterator[str]:
    """Yield what bindings, examples and public headers include besides public headers."""
    for folder in ("bindings", "examples", "include"):
        for path in sorted((root / folder).rglob("*.?pp")):
            text = path.read_text("utf-8")
            for included in re.findall(r'^\s*#\s*include "([^"]+)"', text, re.M):
                beside = folder != "include" and "/" not in included
                if beside and (path.parent / included).is_file():
                    continue
                public = (root / "include" / included).is_file()
                if not (included.startswith("mlarray/") and public):
                    yield f"{path.relative_to(root)} includes {included}, which is not public"


MOST_LINES = 60


def problems_of_page(page: str, layers: list[str]) -> Iterator[str]:
    """Yield which layers have no section in docs/layers.md, or a long one."""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    if list(sections) != layers:
        yield f"docs/layers.md has sections of {list(sections)}, but the layers are {layers}"
    for layer, text in sections.items():
        if text.count("\n") > MOST_LINES:
            yield f"docs/layers.md says more than {MOST_LINES} lines of {layer}"


def main() -> int:
    """Print what is wrong."""
    page = (ROOT / "docs/layers.md").read_text("utf-8")
    layers = order_of((ROOT / "src/CMakeLists.txt").read_text("utf-8"))
    found = [
        *problems(ROOT / "src"),
        *problems_of_users(ROOT),
        *problems_of_page(page, layers),
    ]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
