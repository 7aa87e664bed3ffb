"""Write the sections of the metadata as Python classes, and their table in docs/metadata.md.

The table in ``src/metadata/schema.cpp`` is the only place where a field is defined. The classes
in ``python/mlarray/meta/fields.py`` show it to type checkers and to completion, and
``docs/fields.csv`` to readers.
Run it, with the package installed, after a change of the table::

    python tools/generate_meta_fields.py
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from mlarray import _core

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "python" / "mlarray" / "meta" / "fields.py"
TABLE = ROOT / "docs" / "fields.csv"


class Kind(NamedTuple):
    """The types of a field: what it reads as, what it can be set to, and in words."""

    read: str
    taken: str
    words: str


KINDS = {
    "json_object": Kind("dict[str, Any]", "Mapping[str, Any]", "dict"),
    "number": Kind("float", "Number", "number"),
    "number_list": Kind("list[float]", "Numbers", "numbers"),
    "matrix": Kind("list[list[float]]", "Rows", "matrix"),
    "count": Kind("int", "int", "integer"),
    "size_list": Kind("list[int]", "Numbers", "integers"),
    "string": Kind("str", "str", "text"),
    "string_list": Kind("list[str]", "Texts", "texts"),
    "bool": Kind("bool", "bool | np.bool_", "bool"),
    "flag": Kind("bool", "bool", "bool"),
    "box_list": Kind("list[list[list[float]]]", "Boxes", "n x axes x 2 numbers"),
    "label_list": Kind("list[str | float]", "Labels", "texts or numbers"),
}


class Section(NamedTuple):
    """A class: its name, what it is derived from, its docstring."""

    name: str
    base: str
    doc: str


SECTIONS = {
    "source": Section(
        "MetaSource",
        "DictMeta",
        "Metadata of the image's original file, a dict (``meta.original`` in older versions).",
    ),
    "extra": Section("MetaExtra", "DictMeta", "Anything else, a dict."),
    "spatial": Section(
        "MetaSpatial", "SpatialBase", "Where the voxels are, and what the axes mean."
    ),
    "stats": Section(
        "MetaStatistics",
        "BaseMeta",
        "Statistics of the voxel values, which `MLArray.compute_statistics` fills.",
    ),
    "bbox": Section("MetaBbox", "BaseMeta", "Boxes with scores and labels."),
    "is_seg": Section(
        "MetaIsSeg", "ValueMeta", "Whether the image is a segmentation; None: not known."
    ),
    "blosc2": Section(
        "MetaBlosc2", "BaseMeta", "How the voxels are stored; managed by `MLArray`."
    ),
    "_has_array": Section(
        "MetaHasArray", "ValueMeta", "Whether there are voxels; managed by `MLArray`."
    ),
    "_image_meta_format": Section(
        "MetaImageFormat",
        "ValueMeta",
        "Name of the format that the source metadata is from; managed by `MLArray`.",
    ),
    "_mlarray_version": Section(
        "MetaVersion",
        "ValueMeta",
        "Version of the metadata's layout; managed by `MLArray`.",
    ),
}

# Arguments that are no fields, and decorators: names of other versions.
MORE_ARGUMENTS = {"spatial": ["channel_axis"]}
DECORATORS = {"spatial": '    @in_either_order("MetaSpatial")\n'}

HEAD = '''"""The sections of the metadata and their fields.

Written by ``tools/generate_meta_fields.py`` from the core's table, ``src/metadata/schema.cpp``:
do not edit. docs/metadata.md shows the same table.

At run time the classes take their fields from the table; the annotations tell type checkers
what a field reads as, and what it takes. A misspelt argument is refused by them, as no value is
a ``NoReturn``, and at run time with an error that lists the fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from .._argument_orders import in_either_order
from .base import BaseMeta, DictMeta, Field, ValueMeta
from .spatial import SpatialBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    from .words import AxisLabel

    Number: TypeAlias = float | np.integer[Any] | np.floating[Any]
    Numbers: TypeAlias = Sequence[Number] | NDArray[Any]
    Rows: TypeAlias = Sequence[Sequence[Number]] | Sequence[NDArray[Any]] | NDArray[Any]
    Boxes: TypeAlias = Sequence[Rows] | NDArray[Any]
    # A text is a sequence of texts, but no list of labels.
    Texts: TypeAlias = list[str] | list[AxisLabel] | tuple[str, ...] | NDArray[Any]
    Labels: TypeAlias = Sequence[str | float] | NDArray[Any]

__all__ = [
'''


def _class(section: str) -> str:
    """The text of one class."""
    single = {row.name for row in _core.metadata_sections() if row.single}
    rows = [row for row in _core.metadata_fields() if row.section == section]
    name, base, doc = SECTIONS[section]
    lines = [f'\n\nclass {name}({base}, section="{section}"):\n    """{doc}"""\n\n']
    for row in rows:
        read, taken, _ = KINDS[row.kind]
        is_always_set = row.kind == "flag" or (row.kind == "json_object" and section in single)
        read = read if is_always_set else f"{read} | None"
        taken = "NoReturn" if row.read_only else f"{taken} | None"
        lines.append(f"    {row.name}: Field[{read}, {taken}]\n")
    lines.append("\n" + DECORATORS.get(section, "") + "    def __init__(\n        self,\n")
    for row in rows:
        lines.append(f"        {row.name}: {KINDS[row.kind].taken} | None = None,\n")
    names = [row.name for row in rows]
    if section in MORE_ARGUMENTS:
        lines.append("        *,\n")
        for extra in MORE_ARGUMENTS[section]:
            lines.append(f"        {extra}: int | None = None,\n")
            names.append(extra)
    lines.append("        **misspelt: NoReturn,\n    ) -> None:\n        super().__init__(\n")
    lines += [f"            {name}={name},\n" for name in names]
    lines.append("            **misspelt,\n        )\n")
    return "".join(lines)


def written() -> str:
    """The text of the module as the table says."""
    names = sorted(section.name for section in SECTIONS.values())
    text = HEAD + "".join(f'    "{name}",\n' for name in names) + "]\n"
    return text + "".join(_class(section) for section in SECTIONS)


def table() -> str:
    """The table of the documentation, as comma-separated values."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["field", "type", "legacy", "meaning"])
    for row in _core.metadata_fields():
        legacy = f"`{row.legacy_name}`" if row.legacy_name else ""
        meaning = f"*Managed*. {row.doc}" if row.read_only else row.doc
        words = KINDS[row.kind].words + (f", {row.extent}" if row.extent else "")
        # The section of one value is that value.
        name = "" if row.section.lstrip("_") == row.name else f".{row.name}"
        rows.writerow([f"`{row.section}{name}`", words, legacy, meaning])
    return text.getvalue()


if __name__ == "__main__":
    TARGET.write_text(written(), encoding="utf-8")
    TABLE.write_text(table(), encoding="utf-8")
