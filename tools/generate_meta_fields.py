"""Write the annotations of the metadata classes from the core's table of fields.

The table in ``src/metadata/schema.cpp`` is the only place where a field is defined. The
annotations in ``python/mlarray/_meta_sections.py`` tell type checkers and readers of it; this
script renews them. Run it, with the package installed, after a change of the table::

    python tools/generate_meta_fields.py
"""

from __future__ import annotations

import re
from pathlib import Path

from mlarray import _core

TARGET = Path(__file__).parents[1] / "python" / "mlarray" / "_meta_sections.py"

TYPES = {
    "json_object": "dict[str, Any]",
    "number": "float",
    "number_list": "list[float]",
    "matrix": "list[list[float]]",
    "count": "int",
    "size_list": "list[int]",
    "string": "str",
    "string_list": "list[str]",
    "bool": "bool",
    "flag": "bool",
    "box_list": "list[list[list[float]]]",
    "label_list": "list[str | float]",
}

BLOCK = re.compile(
    r"(?P<head> +# fields: (?P<section>\w+)\n).*?(?P<tail> +# end of fields\n)", re.S
)


def field_lines(section: str) -> str:
    """The lines of one class."""
    single = {row.name for row in _core.metadata_sections() if row.single}
    lines = []
    for row in _core.metadata_fields():
        if row.section != section:
            continue
        is_always_set = row.kind == "flag" or (row.kind == "json_object" and section in single)
        kind = TYPES[row.kind] if is_always_set else f"{TYPES[row.kind]} | None"
        lines.append(f"    {row.name}: Field[{kind}]\n")
    return "".join(lines)


def renewed(text: str) -> str:
    """`text` of the module with its annotations as the table says."""
    return BLOCK.sub(
        lambda block: block["head"] + field_lines(block["section"]) + block["tail"], text
    )


if __name__ == "__main__":
    TARGET.write_text(renewed(TARGET.read_text(encoding="utf-8")), encoding="utf-8")
