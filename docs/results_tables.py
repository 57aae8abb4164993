"""Puts the committed results into the pages: `python docs/results_tables.py` rewrites the tables of `PAGES`.

`docs/results/SUITE.AGENT.csv` is what `anymdp-bench table results/SUITE-AGENT.csv --format csv` printed of a
whole run. Between a line `<!-- table: SUITE -->` and the next `<!-- end -->` comes the table of all of
that suite's files beside the paper's figures; between `<!-- file: NAME -->` and `<!-- end -->` that file of
`docs/results`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from anymdp_bench.suites import load_suite
from anymdp_bench.tables import render

DOCS = Path(__file__).parent
CARD = DOCS.parent / "baselines" / "anymdp_baselines" / "omnirl" / "weights" / "README.md"
PAGES = DOCS / "results.md", DOCS / "omnirl.md", CARD
PART = re.compile(r"(<!-- (table|file): (\S+) -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)


def summary(suite: str) -> pd.DataFrame:
    """The rows of all agents on a suite, in its order, agents by name."""
    parts = [
        pd.read_csv(path, dtype={"agent_version": str}, keep_default_na=False, na_values=[""])
        for path in sorted((DOCS / "results").glob(f"{suite}.*.csv"))
    ]
    frame = pd.concat(parts, ignore_index=True).drop(columns="best")
    order = [row.env_id for row in load_suite(suite).rows]
    frame["place"] = frame["env_id"].map(order.index)
    return frame.sort_values(["place", "agent"], ignore_index=True).drop(columns="place")


def filled(text: str) -> str:
    """The page with its tables made anew."""

    def part(found: re.Match[str]) -> str:
        head, kind, name, tail = found.groups()
        if kind == "file":
            body = (DOCS / "results" / name).read_text(encoding="utf-8")
        else:
            body = render(summary(name), "markdown", reference=True)
        return head + "\n" + body.strip("\n") + "\n" + tail

    return PART.sub(part, text)


if __name__ == "__main__":
    for page in [Path(word) for word in sys.argv[1:]] or PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
