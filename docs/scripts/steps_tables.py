"""The tables of scores at fixed steps, from `docs/results/steps.csv` and `docs/results/omnirl.csv`."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from row_tables import RESULTS, format_table, read_rows

from anymdp_bench.results.published import find_published
from anymdp_bench.results.tables import TUNED

SOME_ROWS = (
    ("AnyMDP-16s5a-v0", 1_000),
    ("AnyMDP-16s5a-v0", 2_000),
    ("AnyMDP-32s5a-v0", 6_500),
    ("AnyMDP-64s5a-v0", 7_700),
    ("AnyMDP-64s5a-v0", 20_000),
    ("AnyMDP-128s5a-v0", 36_300),
    ("Garnet-64s5a2b-v0", 8_000),
)
SOME_LEARNERS = ("psrl", "ucbvi", "tql-ucb-fast")
ALL_LEARNERS = ("psrl", "psrl-episodic", "ucbvi", "tql-ucb-fast")
TUNED_LEARNERS = frozenset({"ucbvi", "tql-ucb-fast"})


class Score(NamedTuple):
    """A mean score and its standard error."""

    mean: float
    error: float


def steps_table(which: str) -> str:
    """Scores after a number of steps: online of `omnirl`, `online / exact` of the learners.

    Args:
        which: `learners` for some rows without standard errors, `all` for all rows with them.
    """
    is_short = which == "learners"
    learners = SOME_LEARNERS if is_short else ALL_LEARNERS
    scores, tasks = _read_steps()
    omnirl = {
        (row["env_id"], int(row["steps"])): float(row["score"])
        for row in read_rows("omnirl").to_dict("records")
        if row["context"] == "empty"
    }
    titles = [f"`{name}`" + (f" {TUNED}" if name in TUNED_LEARNERS else "") for name in learners]
    heads = ["environment", "steps", *([] if is_short else ["tasks"])]
    heads += ["`omnirl`", *titles, "paper's OmniRL"]
    lines = []
    for env_id, steps in SOME_ROWS if is_short else tasks:
        online = {name: scores[env_id, steps, name, "online"] for name in learners}
        known = omnirl.get((env_id, steps))
        most = max([score.mean for score in online.values()] + ([] if known is None else [known]))
        cells = [env_id, f"{steps:,}", *([] if is_short else [str(tasks[env_id, steps])])]
        cells.append("—" if known is None else _bold(f"{known:.3f}", known == most))
        for name, score in online.items():
            exact = scores[env_id, steps, name, "exact"]
            shown = _bold(_show(score, is_short), score.mean == most)
            cells.append(shown + (" / " if is_short else "<br>/ ") + _show(exact, is_short))
        paper = find_published(env_id, "omnirl")
        cells.append(f"{paper.percent / 100:.3f}" if paper and paper.steps == steps else "—")
        lines.append(cells)
    return format_table(heads, lines)


def _read_steps() -> tuple[dict[tuple[str, int, str, str], Score], dict[tuple[str, int], int]]:
    """The scores by (environment, steps, agent, measure), and the number of tasks of each row."""
    frame = pd.read_csv(RESULTS / "steps.csv")
    frame = frame[frame["tasks"] == "counting"]
    scores, tasks = {}, {}
    for row in frame.itertuples():
        scores[row.env_id, row.steps, row.agent, row.measure] = Score(row.mean, row.se)
        tasks[row.env_id, row.steps] = row.n_tasks
    sizes = sorted(
        tasks,
        key=lambda key: (key[0].split("-")[0], int(key[0].split("-")[1].split("s")[0]), key[1]),
    )
    return scores, {key: tasks[key] for key in sizes}


def _show(score: Score, is_short: bool) -> str:
    return f"{score.mean:.3f}" if is_short else f"{score.mean:.3f} ± {score.error:.3f}"


def _bold(text: str, is_best: bool) -> str:
    return f"**{text}**" if is_best else text
