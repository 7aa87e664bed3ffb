"""The classes of the metadata and the table of fields they are made from."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

from mlarray import _core
from mlarray.meta import AxisLabel, CoordSystem, MetaSpatial

ROOT = Path(__file__).parents[3]


def test_the_classes_are_those_of_the_table() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "generate_meta_fields.py"))
    text = tool["TARGET"].read_text(encoding="utf-8")
    assert tool["written"]() == text, "run tools/generate_meta_fields.py"
    assert {row.kind for row in _core.metadata_fields()} <= set(tool["KINDS"])


def test_the_table_of_the_documentation_is_that_of_the_core() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "generate_meta_fields.py"))
    table = tool["TABLE"].read_text(encoding="utf-8")
    assert tool["table"]() == table, "run tools/generate_meta_fields.py"


def test_enums_are_those_of_the_core() -> None:
    assert [label.value for label in AxisLabel] == _core.axis_roles()
    assert [system.value for system in CoordSystem] == _core.coord_systems()
    assert MetaSpatial.AxisLabel.channel == "channel"


def test_importing_needs_no_numpy() -> None:
    script = "import sys, mlarray.meta; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
