"""The generated parts of the pages are those that the scripts of docs/scripts write today."""

import re
from pathlib import Path

import catalogue
import pytest
import results_tables

from anymdp_bench.tasks.family import families

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *results_tables.CARDS, *sorted((ROOT / "docs").rglob("*.md"))]


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", results_tables.PAGES, ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_page_holds_its_generated_parts(page):
    """Written by `python docs/scripts/results_tables.py`."""
    text = read(page)
    assert results_tables.MARKS.search(text)
    assert results_tables.fill_tables(text) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_is_whole_on_a_code_host(page):
    """No directive stands in place of content, and no mark is empty."""
    text = read(page)
    assert "--8<--" not in text
    assert not re.search(r"^:::", text, flags=re.MULTILINE)
    assert not re.search(r"^<!-- \w[\w-]*: [^>]+ -->\n+<!-- end -->", text, flags=re.MULTILINE)


def test_an_empty_part_is_filled():
    text = results_tables.fill_tables("<!-- rows: omnirl -->\n<!-- end -->\n")
    assert "| AnyMDP(128,5) | 36,300 | 64 x 1 | 0.910 [0.872, 0.940] |" in text
    assert results_tables.fill_tables(text) == text


def test_the_pages_of_the_environments_have_gymnasiums_headings():
    headings = ["Description", "Action Space", "Observation Space", "Starting State", "Rewards"]
    headings += ["Episode End", "Arguments", "References", "Version History"]
    for family in families().values():
        page = catalogue.page(family)
        assert re.findall(r"^## (.*)$", page, flags=re.MULTILINE) == headings, family.name
        assert (ROOT / "docs" / "environments" / f"{family.name.lower()}.md").read_text(
            "utf-8"
        ) == page
    assert (ROOT / "docs" / "environments.md").read_text("utf-8") == catalogue.overview()
