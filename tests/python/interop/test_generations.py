"""Code written for either generation gives here what it gave there, but for a list."""

from __future__ import annotations

import importlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
GENERATIONS = Path(__file__).with_name("generations")
VERSIONS = ("0.0.33", "0.0.54")
SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import mlarray, cases, names
answers = sys.stdout
sys.stdout = sys.stderr
steps = cases.main(mlarray, sys.argv[2], sys.argv[3])
json.dump({"steps": steps, "names": names.names()}, answers)
answers.flush()
"""


@pytest.fixture(scope="module")
def modules() -> Iterator[Callable[[str], ModuleType]]:
    """A function that imports what lies beside the scripts."""
    sys.path.insert(0, str(GENERATIONS))
    yield importlib.import_module
    sys.path.remove(str(GENERATIONS))


class Answers:
    """What the scripts gave here and there."""

    def __init__(self, environment: Callable[[str], Path], folder: Path) -> None:
        self.there = {
            v: self._run(environment(f"mlarray-{v}"), v, folder / f"{v}-there")
            for v in VERSIONS
        }
        self.here = {
            v: self._run(Path(sys.executable), v, folder / f"{v}-here") for v in VERSIONS
        }

    def _run(self, python: Path, version: str, folder: Path) -> dict[str, Any]:
        folder.mkdir()
        done = subprocess.run(
            [python, "-I", "-c", SCRIPT, GENERATIONS, version, folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers: dict[str, Any] = json.loads(done.stdout)
        return answers

    def differing(self, version: str) -> list[str]:
        """The steps that give something else here."""
        there, here = self.there[version]["steps"], self.here[version]["steps"]
        assert set(there) == set(here), sorted(set(there) ^ set(here))
        return [step for step in there if not _same(there[step], here[step])]


def _same(there: Any, here: Any) -> bool:
    if "error" in there:  # ours may be of a class of its own that is also theirs
        return "error" in here and there["error"][0] in here["error"]
    return bool(there == here)


@pytest.fixture(scope="module")
def answers(
    reference: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Answers:
    return Answers(reference, tmp_path_factory.mktemp("generations"))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_difference_is_listed_and_every_entry_is_one(
    answers: Answers, modules: Callable[[str], ModuleType], version: str
) -> None:
    listed = modules("differences").DIFFERENCES
    differing = answers.differing(version)
    there, here = answers.there[version]["steps"], answers.here[version]["steps"]
    unlisted = [
        f"{step}\n  there {str(there[step])[:300]}\n  here  {str(here[step])[:300]}"
        for step in differing
        if not any(one.covers(version, step) for one in listed)
    ]
    assert not unlisted, "\n".join(unlisted)
    for one in listed:
        for pattern in one.cases:
            narrowed = one._replace(cases=(pattern,))
            found = [
                v
                for v in one.versions
                for step in answers.differing(v)
                if narrowed.covers(v, step)
            ]
            assert found, f"nothing differs any more: {one.versions} {pattern}"
        assert set(one.versions) == {
            v for v in VERSIONS for step in answers.differing(v) if one.covers(v, step)
        }, f"another version than listed: {one}"


@pytest.mark.parametrize("version", VERSIONS)
def test_most_steps_are_the_same(answers: Answers, version: str) -> None:
    there = answers.there[version]["steps"]
    assert not [step for step in there if step.endswith(": set-up")]
    assert len(answers.differing(version)) < len(there) / 3
    assert len(there) > 400


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_of_the_version_is_used(
    answers: Answers, modules: Callable[[str], ModuleType], version: str
) -> None:
    cases = modules("cases")
    for name in cases.MODULES:
        modules(name)
    used = set(cases.names_exercised(version))
    for name in answers.there[version]["names"]:
        owner = name.rpartition(".")[0]
        # The cases of a class of metadata are about its members.
        assert name in used or (owner in used and owner != "MLArray"), name
    for name in used:
        assert name in answers.there[version]["names"], f"{version} has no {name}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_name_and_parameter_is_here(answers: Answers, version: str) -> None:
    here = answers.here[version]["names"]
    for name, parameters in answers.there[version]["names"].items():
        assert name in here, name
        if "*" in parameters or "*" in here[name] or "__" in name:
            continue
        # A letter is a parameter that is given by position.
        missing = {one for one in parameters if len(one) > 1} - set(here[name])
        assert not missing, f"{name}: {missing}"


def test_the_tables_of_names_and_differences_are_up_to_date(answers: Answers) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "generate_names.py"))
    names = tool["names"]({version: answers.there[version]["names"] for version in VERSIONS})
    for name, table in (("names", names), ("differences", tool["differences"]())):
        written = (ROOT / "docs" / f"{name}.csv").read_text("utf-8")
        assert table == written, "run tools/generate_names.py"
