"""Writes the committed results into the pages: `python docs/scripts/results_tables.py` rewrites `PAGES`.

The file `docs/results/SUITE.AGENT.csv` is the output of `anymdp-bench table results/SUITE-AGENT.csv
--format csv` on a whole run. A page has four kinds of marks, and each ends at the next line `<!-- end
-->`:

    <!-- table: SUITE -->   the table of all files of the suite, beside the paper's results
    <!-- file: NAME -->     the file NAME of `docs/results`, or of `docs` if it names a folder
    <!-- steps: learners --> some rows of `steps.csv`, of the tabular learners
    <!-- settings: tql-ucb --> the settings that the searches of TQL-UCB chose

A file of a tuned agent begins with a comment line `# tuned: yes ...`, as its result file did.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, TQLUCB, FastTQLUCB
from anymdp_baselines.tuning.search import FAMILIES
from anymdp_baselines.tuning.tql_ucb import read_file
from anymdp_bench.results.published import find_published
from anymdp_bench.results.records import is_marked_tuned, read_header
from anymdp_bench.results.tables import TUNED, render
from anymdp_bench.suites import load_suite

DOCS = Path(__file__).parents[1]
BASELINES = DOCS.parent / "baselines" / "anymdp_baselines"
CARDS = tuple(BASELINES / name / "weights" / "README.md" for name in ("planner", "omnirl"))
PAGES = (
    DOCS.parent / "README.md",
    *(DOCS / f"{name}.md" for name in ("agents", "results", "neural-planner", "omnirl")),
    DOCS / "dev" / "scoring.md",
    *CARDS,
)
PART = re.compile(
    r"(<!-- (table|file|steps|settings): (\S+) -->\n).*?(\n<!-- end -->)", flags=re.DOTALL
)
STEPS_ROWS = (
    ("AnyMDP-16s5a-v0", 1_000),
    ("AnyMDP-16s5a-v0", 2_000),
    ("AnyMDP-32s5a-v0", 6_500),
    ("AnyMDP-64s5a-v0", 7_700),
    ("AnyMDP-64s5a-v0", 20_000),
    ("AnyMDP-128s5a-v0", 36_300),
    ("Garnet-64s5a2b-v0", 8_000),
)
LEARNERS = ("psrl", "ucbvi", "tql-ucb-fast")
TUNED_LEARNERS = frozenset({"ucbvi", "tql-ucb-fast"})


def read(path: Path) -> pd.DataFrame:
    """The rows of one agent, with a column `tuned`."""
    types = {"agent_version": str}
    frame = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""], comment="#")
    if (
        "budget_episodes" not in frame
    ):  # from before budgets were kept, with another measure of the paper
        limits = load_suite(path.name.partition(".")[0]).training
        frame = frame.assign(budget_episodes=limits.episodes, budget_steps=limits.steps)
        frame = frame.assign(
            measure="test", paper_score=np.nan, paper_steps=np.nan, paper_episodes=np.nan
        )
    return frame.assign(tuned=is_marked_tuned(read_header(path)))


def summary(suite: str) -> pd.DataFrame:
    """Reads the rows of all agents on a suite; environments have the suite's order, agents that of names."""
    parts = [read(path) for path in sorted((DOCS / "results").glob(f"{suite}.*.csv"))]
    frame = pd.concat(parts, ignore_index=True).drop(columns="best")
    order = [row.env_id for row in load_suite(suite).rows]
    frame["place"] = frame["env_id"].map(order.index)
    return frame.sort_values(["place", "agent"], ignore_index=True).drop(columns="place")


def learners_table() -> str:
    """Renders scores at `STEPS_ROWS`: online of `omnirl`, `online / exact` of `LEARNERS`.

    The best online score is bold.
    """
    rows = pd.read_csv(DOCS / "results" / "omnirl.csv")
    rows = rows[rows["context"] == "empty"].set_index(["env_id", "steps"])["score"]
    frame = pd.read_csv(DOCS / "results" / "steps.csv")
    frame = frame[frame["tasks"] == "counting"]
    mean = frame.set_index(["env_id", "steps", "agent", "measure"])["mean"]
    titles = [f"`{name}`" + (f" {TUNED}" if name in TUNED_LEARNERS else "") for name in LEARNERS]
    lines = [
        f"| environment | steps | `omnirl` | {' | '.join(titles)} | paper's OmniRL |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for env_id, steps in STEPS_ROWS:
        online = [mean[env_id, steps, name, "online"] for name in LEARNERS]
        most = max(*online, rows[env_id, steps])
        cells = [_bold(rows[env_id, steps], most)]
        for name, score in zip(LEARNERS, online, strict=True):
            shown = _bold(score, most)
            cells.append(f"{shown} / {mean[env_id, steps, name, 'exact']:.3f}")
        paper = find_published(env_id, "omnirl")
        theirs = f"{paper.percent / 100:.3f}" if paper and paper.steps == steps else "—"
        lines.append(f"| {env_id} | {steps:,} | {' | '.join(cells)} | {theirs} |")
    return "\n".join(lines)


def _bold(score: float, most: float) -> str:
    return f"**{score:.3f}**" if score == most else f"{score:.3f}"


def settings_table() -> str:
    """Renders the settings of `tql-ucb` and `tql-ucb-fast` by task family, with the scores of the search."""
    lines = [
        "| family | agent | exploration | alpha | M | power | gamma | end in the search | speed |",
        "| :-- | :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    searched = read_file()["scores"]
    for family, (env_id, *_) in FAMILIES.items():
        end, speed = searched[family]["rounds"][-1][0][-2:]
        for name, agent in (("tql-ucb", TQLUCB), ("tql-ucb-fast", FastTQLUCB)):
            own = agent.settings_for(env_id)
            kind = "Boltzmann, no bonus" if own.variant == BOLTZMANN else f"bonus, c = {own.c:g}"
            kind = "greedy, no bonus" if own.variant != BOLTZMANN and own.bound == 0.0 else kind
            numbers = f"{own.alpha:g} | {own.m:g} | {own.power:g} | {own.gamma:g}"
            scores = f"{end:.3f} | {speed:.3f}" if agent is TQLUCB else "— | —"
            lines.append(f"| {family} | `{name}` | {kind} | {numbers} | {scores} |")
    return "\n".join(lines)


def fill_tables(text: str) -> str:
    """Returns the text of a page with new tables."""

    def part(found: re.Match[str]) -> str:
        head, kind, name, tail = found.groups()
        if kind == "file":
            body = (DOCS / (name if "/" in name else f"results/{name}")).read_text(encoding="utf-8")
        elif kind == "steps":
            body = learners_table()
        elif kind == "settings":
            body = settings_table()
        else:
            body = render(summary(name), "markdown", reference=True)
        return head + "\n" + body.strip("\n") + "\n" + tail

    return PART.sub(part, text)


if __name__ == "__main__":
    for page in [Path(word) for word in sys.argv[1:]] or PAGES:
        page.write_text(fill_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
