"""The pages: every example runs and prints what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages import ROOT, UNTESTED, assert_same, blocks_of, run_page

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("python", "console")
# docs/usage.md is run by test_seed_page.py.
WITH_EXAMPLES = [
    page
    for page in PAGES
    if page.name != "usage.md" and any(block.language in RUN for block in blocks_of(page))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=name_of)
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page)


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
