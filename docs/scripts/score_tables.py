"""Tables of suites for the pages: a row for each environment, a column for each agent.

The file `docs/results/SUITE.AGENT.csv` is the output of `anymdp-bench table results/SUITE-AGENT.csv --format
csv` on a whole run. Where its agent is tuned, the column `tuned` says so, and in older files a comment line
`# tuned: yes ...`. Submissions to the leaderboard are summarised here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from row_tables import format_table

from anymdp_bench.results.metrics import summarise
from anymdp_bench.results.published import find_published
from anymdp_bench.results.records import is_marked_tuned, read_header, read_many
from anymdp_bench.results.tables import TUNED, best_rows, human, percent, tuned_mark
from anymdp_bench.suites import load_suite

DOCS = Path(__file__).parents[1]
SUBMISSIONS = DOCS.parent / "leaderboard" / "submissions"
NONE = "—"
Row = dict[Any, Any]


def read(path: Path) -> pd.DataFrame:
    """The rows of one agent, with a column `tuned`."""
    types = {"agent_version": str}
    frame = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""], comment="#")
    if "budget_episodes" not in frame:  # an older file, with another measure of the paper
        limits = load_suite(path.name.partition(".")[0]).training
        frame = frame.assign(budget_episodes=limits.episodes, budget_steps=limits.steps)
        unknown = dict.fromkeys(("paper_score", "paper_steps", "paper_episodes"), np.nan)
        frame = frame.assign(measure="test", **unknown)
    is_tuned = is_marked_tuned(read_header(path)) or ("tuned" in frame and frame["tuned"].any())
    return frame.assign(tuned=bool(is_tuned))


def summary(suite: str) -> pd.DataFrame:
    """All rows of a suite, in the suite's order of environments; agents in that of names."""
    parts = [read(path) for path in sorted((DOCS / "results").glob(f"{suite}.*.csv"))]
    frame = pd.concat(parts, ignore_index=True)
    order = [row.env_id for row in load_suite(suite).rows]
    frame["place"] = frame["env_id"].map(order.index)
    frame = frame.sort_values(["place", "agent"], ignore_index=True)
    return frame.assign(best=best_rows(frame))


def submitted(suite: str) -> pd.DataFrame:
    """The submissions of a suite, by their own episodes."""
    frame = summarise(
        read_many(sorted(SUBMISSIONS.glob(f"{suite}-[!0-9]*.csv.gz"))), measure="online"
    )
    frame = frame[frame["suite"] == suite].sort_values(["agent"], kind="stable")
    return frame.assign(best=best_rows(frame))


def scores_table(suite: str) -> str:
    """The final scores, in percent, with their intervals; the best are bold."""
    return _pivot(summary(suite), _score)


def online_table(suite: str) -> str:
    """The final scores of submissions, by the agents' own episodes."""
    return _pivot(submitted(suite), _score)


def steps_to_target_table(suite: str) -> str:
    """The median number of steps to a score of 0.9, and how many runs got there."""
    return _pivot(summary(suite), _to_target)


def paper_table(arguments: str) -> str:
    """The paper's measure of ours beside the published figures: `SUITE AGENT ...`."""
    suite, *agents = arguments.split()
    frame = summary(suite)
    heads, lines = ["environment"], []
    versions = _titles(frame)
    beside = _beside_published(agents)
    for name in agents:
        heads += [versions[name], *([f"paper's {name}"] if name in beside else [])]
    rows = {(row["env_id"], row["agent"]): row for row in frame.to_dict("records")}
    for env_id in frame["env_id"].unique():
        cells = [env_id]
        for name in agents:
            row = rows.get((env_id, name))
            known = row is not None and not math.isnan(row["paper_score"])
            cost = (
                (row["paper_score"] * 100, row["paper_steps"], row["paper_episodes"])
                if known
                else None
            )
            cells.append(_cost(cost))
            if name in beside:
                cells.append(_cost(find_published(env_id, name)))
        lines.append(cells)
    return format_table(heads, lines)


def _pivot(frame: pd.DataFrame, cell: Callable[[Row], str]) -> str:
    """A table with a column for each agent, and a line below that says how it was measured."""
    titles = _titles(frame)
    cells = {(row["env_id"], row["agent"]): cell(row) for row in frame.to_dict("records")}
    lines = [
        [env_id, *(cells.get((env_id, agent), NONE) for agent in titles)]
        for env_id in frame["env_id"].unique()
    ]
    return format_table(["environment", *titles.values()], lines) + "\n\n" + _caption(frame)


def _titles(frame: pd.DataFrame) -> dict[str, str]:
    """The heading of each agent: its name, the version that was played, and the mark of a tuned one."""
    first = frame.drop_duplicates("agent").sort_values("agent").to_dict("records")
    return {
        row["agent"]: f"`{row['agent']}` {row['agent_version']}{tuned_mark(row)}" for row in first
    }


def _caption(frame: pd.DataFrame) -> str:
    """How the rows were measured, in words: the measure, the budget, the numbers of tasks and runs."""
    limits = load_suite(frame["suite"].iloc[0]).training
    budget = [f"{limits.episodes:,} episodes"] if limits.episodes else []
    budget += [f"{limits.steps:,} steps"] if limits.steps else []
    runs = sorted({(row.n_tasks, row.n_runs // row.n_tasks) for row in frame.itertuples()})
    words = [
        f"*Measure: {' and '.join(frame['measure'].unique())}.",
        f"Budget: {' or '.join(budget)}{', whichever is first' * (len(budget) > 1)}.",
        f"Tasks x runs: {' or '.join(f'{n} x {m}' for n, m in runs)}.",
    ]
    words += [f"{TUNED} Tuned per environment."] if frame.get("tuned", pd.Series()).any() else []
    return " ".join(words) + "*"


def _score(row: Row) -> str:
    shown = f"**{percent(row['score'])}**" if row["best"] else percent(row["score"])
    if math.isnan(row["score_low"]):
        return shown
    return f"{shown}<br>[{percent(row['score_low'])}, {percent(row['score_high'])}]"


def _to_target(row: Row) -> str:
    median, limit = row["steps_median"], row["steps_limit"]
    steps = human(median) if math.isfinite(median) else f"> {human(limit)}"
    return f"{steps}<br>({row['reached']}/{row['n_runs']})"


def _beside_published(agents: list[str]) -> set[str]:
    """The agents with a published column: the first of those that one column of the paper belongs to."""
    first: dict[Any, str] = {}
    for name in agents:
        first.setdefault(find_published("AnyMDP-16s5a-v0", name), name)
    return {name for published, name in first.items() if published}


def _cost(found: Any) -> str:
    if not found or found[0] is None:
        return NONE
    return f"{found[0]:.1f}<br>{human(found[1])} / {human(found[2])}"
