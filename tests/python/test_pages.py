"""The pages: every example runs and prints what the page says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import mlarray
from pages import ROOT, UNTESTED, assert_same, blocks_of, run_page, write_scans

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("python", "console")
# docs/usage.md is run by test_seed_page.py, the others by tests/training.
RUN_ELSEWHERE = ("usage.md", "torch.md", "inference.md", "from_scans_to_model.md")
RUN_ELSEWHERE += ("monai.md", "torchio.md")
WITH_EXAMPLES = [
    page
    for page in PAGES
    if page.name not in RUN_ELSEWHERE
    and any(block.language in RUN for block in blocks_of(page))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if page.name == "README.md":
        write_scans(tmp_path / "scans")
    threads = mlarray.num_threads()
    try:
        run_page(page)
    finally:
        mlarray.set_num_threads(threads)  # a page may change it


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_is_left_out_by_its_language(page: Path) -> None:
    assert {block.language for block in blocks_of(page)} <= {*RUN, *UNTESTED}


def test_a_wrong_output_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n", encoding="utf-8")
    assert run_page(page) == "2\n"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page\.md, line 2\n"):
        run_page(page)
    page.write_text("```console\n$ echo a; echo b >&2; exit 3\na\nc\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"\$ echo a"):
        run_page(page)
    assert_same("took 3 s\n", "took ... s\n", "here")


def names_of_the_package() -> list[str]:
    """Every public name, by its module's `__all__`."""
    modules = ("mlarray", "mlarray.meta", "mlarray.errors", "mlarray.convert", "mlarray.cli")
    modules += ("mlarray.training", "mlarray.training.augment")
    return sorted(
        {
            f"{module}.{name}"
            for module in modules
            for name in importlib.import_module(module).__all__
        }
    )


@pytest.mark.parametrize("name", names_of_the_package())
def test_every_public_name_is_in_the_python_reference(name: str) -> None:
    page = (ROOT / "docs" / "api" / "python.md").read_text(encoding="utf-8")
    module, _, short = name.rpartition(".")
    entries = set(re.findall(r"^\.\. (?:auto|py:)(?!module)\w+:: ([\w.]+)", page, re.M))
    whole = set(re.findall(r"^\.\. automodule:: ([\w.]+)\n   :members:\n", page, re.M))
    assert {name, f"mlarray.{short}"} & entries or module in whole


def test_every_public_header_is_in_the_cpp_reference() -> None:
    page = (ROOT / "docs" / "api" / "cpp.md").read_text(encoding="utf-8")
    entries = re.findall(r"^```\{doxygenfile\} (\S+)$", page, re.M)
    headers = [path.name for path in (ROOT / "include" / "mlarray").rglob("*.hpp")]
    headers.remove("array_inline.hpp")  # a part of array.hpp
    assert sorted(entries) == sorted(headers)


# Pages of the site are checked by Sphinx as well; these are read where they lie.
@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("*.md")], ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    prose = re.sub(
        r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.M | re.S
    )
    for target in re.findall(r"\]\(([^)#\s]+)", prose):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target
