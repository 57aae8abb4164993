"""Writes the generated parts into the pages: `python docs/scripts/results_tables.py` rewrites `PAGES`.

A part stands between a line `<!-- KIND: ARGUMENT -->` and the next line `<!-- end -->`. `PARTS` has the
kinds. Every figure comes from a committed file; nothing between the marks is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import agent_tables
import api_page
import cli_help
import row_tables
import score_tables
import steps_tables
import table_one

DOCS = Path(__file__).parents[1]
CARDS = tuple(
    DOCS.parent / "baselines" / "anymdp_baselines" / name / "weights" / "README.md"
    for name in ("planner", "omnirl")
)


def read_part(path: str) -> str:
    """The text of a file of `docs`."""
    return (DOCS / path).read_text(encoding="utf-8")


PARTS: dict[str, Callable[[str], str]] = {
    "file": read_part,  # a file of docs, such as a table that a study wrote
    "scores": score_tables.scores_table,  # of a suite: the final scores
    "to-target": score_tables.steps_to_target_table,  # of a suite: steps to a score of 0.9
    "online": score_tables.online_table,  # of a suite: the submissions, by their own episodes
    "paper": score_tables.paper_table,  # of a suite and some agents: beside the published figures
    "table-one": table_one.whole_table,  # the paper's table, ours beside the published figures
    "below": table_one.below_table,  # where ours are below them, and why
    "by-paper": table_one.by_paper_table,  # of an in-context agent: its rows by the paper's protocol
    "steps": steps_tables.steps_table,  # scores at fixed steps: `learners` (some) or `all`
    "rows": row_tables.rows_table,  # of an in-context agent: the rows of the paper's table
    "compare": row_tables.compare_table,  # the same rows of several agents
    "agents": agent_tables.facts_table,  # what the installed agents declare
    "settings": agent_tables.settings_table,  # what a search chose: `tql-ucb`, `ucbvi` or `ppo`
    "api": api_page.references,  # of some functions and classes, by their dotted paths
    "commands": cli_help.commands,  # the help of every command
}
MARKS = re.compile(
    rf"(<!-- ({'|'.join(PARTS)}): ([^>]+?) -->\n).*?(?<=\n)(<!-- end -->)", flags=re.DOTALL
)
PAGES = (
    DOCS.parent / "README.md",
    *(page for page in sorted(DOCS.rglob("*.md")) if MARKS.search(page.read_text("utf-8"))),
    *CARDS,
)


def fill_tables(text: str) -> str:
    """Returns the text of a page with new parts."""

    def part(found: re.Match[str]) -> str:
        head, kind, argument, tail = found.groups()
        return head + "\n" + PARTS[kind](argument).strip("\n") + "\n\n" + tail

    return MARKS.sub(part, text)


if __name__ == "__main__":
    for page in [Path(word) for word in sys.argv[1:]] or PAGES:
        page.write_text(fill_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
