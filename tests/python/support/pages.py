"""Runs the examples of a page, as a reader would who types them one after the other.

All blocks of a page share one folder and, for Python, one namespace.

- A ``python`` block is executed. A ``python torch`` block needs PyTorch: it is executed where
  that is, by tests/training.
- A ``console`` block is run by the shell: lines that begin with ``$ `` are commands, those
  below are what the command prints (stdout, then stderr).
- A ``text`` block right behind a ``python`` block is what it prints.

In output, ``...`` stands for anything: times and random numbers. Blocks of other languages
are not run; `UNTESTED` lists which a page may have.
"""

from __future__ import annotations

import atexit
import contextlib
import doctest
import functools
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
# Shown, not run: commands of the system and of a network, sources that other tests build.
UNTESTED = {
    "",
    "sh",
    "text",
    "cmake",
    "cpp",
    "json",
    "{csv-table}",
    "{toctree}",
    "{doxygenfile}",
    "{eval-rst}",
}
_BLOCK = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.M | re.S)
# The pages open a path again while an older writer of it is alive, and say so.
_EXPECTED_WARNING = ".*is open for writing in this process already"


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    text: str
    line: int
    output: str | None  # of a python block: what the page says it prints
    needs_torch: bool = False


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    source = page.read_text(encoding="utf-8")
    matches = list(_BLOCK.finditer(source))
    blocks = []
    for match, behind in zip(matches, [*matches[1:], None]):
        output = None
        if match[1] == "python" and behind is not None and behind[1] == "text":
            between = source[match.end() : behind.start()]
            output = behind[3] if not between.strip() else None
        line = source.count("\n", 0, match.start()) + 2
        blocks.append(Block(match[1], match[3], line, output, match[2] == "torch"))
    return blocks


def write_scans(folder: Path) -> None:
    """A folder of scans as a reader of the README has it: ``.nii.gz`` images with labels."""
    import nibabel
    import numpy as np

    random = np.random.default_rng(0)
    affine = np.diag([1, 1, 1.5, 1])
    for number in range(4):
        labels = np.zeros((72, 80, 70), np.uint8)
        labels[20:40, 20:60, 10:40] = 1
        labels[30:33, 25:29, 15:19] = 2
        scan = (labels * 300.0 + random.normal(0, 40, labels.shape)).astype(np.int16)
        for kind, voxels in (("imagesTr", scan), ("labelsTr", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(voxels, affine)
            nibabel.save(image, folder / kind / f"case{number}.nii.gz")


def run_page(page: Path) -> str:
    """Run a page's blocks in the current folder.

    Parameters
    ----------
    page : Path
        The page.

    Returns
    -------
    str
        What the Python blocks printed.

    Raises
    ------
    AssertionError
        If something prints what the page does not say; naming page and line.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    has_torch = importlib.util.find_spec("torch") is not None
    printed = []
    for block in blocks_of(page):
        place = f"{page.name}, line {block.line}"
        if block.needs_torch and not has_torch:
            continue
        if block.language == "python":
            printed.append(_run_python(block, namespace, place))
        elif block.language == "console":
            _run_console(block, place)
    return "".join(printed)


def _run_python(block: Block, namespace: dict[str, Any], place: str) -> str:
    # As many empty lines before the code as the page has, so that a traceback tells the line.
    code = compile("\n" * (block.line - 1) + block.text, place, "exec")
    stdout = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(stdout):
        warnings.filterwarnings("ignore", _EXPECTED_WARNING)
        exec(code, namespace)
    if block.output is not None:
        assert_same(stdout.getvalue(), block.output, place)
    return stdout.getvalue()


def _run_console(block: Block, place: str) -> None:
    environment = {**os.environ, "PATH": os.pathsep.join([*_scripts(), os.environ["PATH"]])}
    # pynrrd's clock: see pytest's filters in pyproject.toml.
    quiet = "error,ignore::DeprecationWarning:nrrd.writer"
    environment.update(COLUMNS="80", PYTHONWARNINGS=quiet)
    for step in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, expected = step.partition("\n")
        run = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert_same(run.stdout + run.stderr, expected, f"{place}, $ {command}")


@functools.cache
def _scripts() -> list[str]:
    """Folders of commands: an environment that the package is linked to has no `mlarray`."""
    scripts = Path(sysconfig.get_path("scripts"))
    if (scripts / "mlarray").exists():
        return [str(scripts)]
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made)
    command = Path(made, "mlarray")
    program = "import sys; from mlarray.cli.main import main; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{program}" "$@"\n')
    command.chmod(0o755)
    return [made, str(scripts)]


def assert_same(got: str, expected: str, place: str) -> None:
    """Compare output; ``...`` in what is expected stands for anything."""
    if not doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS):
        raise AssertionError(f"{place}\nthe page says:\n{expected}\nit prints:\n{got}")
