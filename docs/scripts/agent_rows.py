"""Plays an in-context agent on the rows of the paper's table and writes a table of the results.

    python docs/scripts/agent_rows.py omnirl [--only a16,a64] [--folder results/agent-rows] [--held-out]

The table goes to `docs/results/AGENT.md`, with its numbers in `AGENT.csv`, and from there to the pages by
`python docs/scripts/results_tables.py`. Each row is `anymdp-bench run --agent AGENT --env ID --steps N` with
the `--tasks`, `--runs` and `--context` of `ROWS`; its results stay in the folder, and it goes on from there.
With `--held-out` the rows of AnyMDP are played on tasks from seed HELD_OUT on, which nothing was chosen by.
Their table goes to `docs/results/AGENT-held-out.md`.

At a number of steps the table gives, of the episodes that end in the last tenth before:

score            the mean with a 95% bootstrap interval over tasks (over runs where there is one task);
median, cut      the median over tasks, and the mean where no task counts for more than 1;
paper's measure  the mean with the paper's own oracle and its clip to 0..1, luck included.

A run without an episode in that tenth is left out of all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

import anymdp_bench
from anymdp_baselines.training.evaluate import online_scores
from anymdp_bench.agents import AgentSpec
from anymdp_bench.results.metrics import with_scores
from anymdp_bench.results.published import find_published, paper_environment
from anymdp_bench.results.statistics import estimate, mean

RESULTS = Path(__file__).parents[1] / "results"
HELD_OUT = 2**43 + 10**6  # the tasks from 2**43 on were played by version 11
HEAD = (
    "| task | steps | tasks x runs | score [95% CI] | median | cut at 1 | paper's measure | paper |",
    "| :-- | --: | --: | --: | --: | --: | --: | --: |",
)


class Row(NamedTuple):
    """Runs of one environment.

    Attributes:
        env_id: the environment.
        marks: numbers of steps at which the scores are given.
        tasks: number of tasks.
        runs: number of runs on each.
        context: what the runs start from.
    """

    env_id: str
    marks: tuple[int, ...]
    tasks: int = 64
    runs: int = 1
    context: str = "empty"


ROWS = {
    "a1": Row("AnyMDP-1s5a-v0", (100,)),
    "a16": Row("AnyMDP-16s5a-v0", (1_000, 2_000)),
    "a32": Row("AnyMDP-32s5a-v0", (6_500,)),
    "a64": Row("AnyMDP-64s5a-v0", (7_700, 20_000)),
    "a128": Row("AnyMDP-128s5a-v0", (36_300,)),
    "g16": Row("Garnet-16s5a2b-v0", (8_000,)),
    "g64": Row("Garnet-64s5a2b-v0", (8_000,)),
    "cliff": Row("CliffWalkingTerminal-v0", (3_000,), 1, 16),
    "lake": Row("FrozenLake4x4-v0", (300,), 1, 16),
    "slip": Row("FrozenLake4x4Slippery-v0", (7_700,), 1, 16),
    "p1": Row("DiscretePendulum-g1-v0", (8_000,), 1, 16),
    "p5": Row("DiscretePendulum-g5-v0", (34_000,), 1, 16),
    "p98": Row("DiscretePendulum-g9.8-v0", (33_000,), 1, 16),
    "switch": Row("Switch2-v0", (2_800,), 1, 16),
    "d6": Row("Darkroom-6x6-v0", (845,), 1, 16),
    "d8": Row("Darkroom-8x8-v0", (1_500,), 1, 16),
    "d10": Row("Darkroom-10x10-v0", (2_800,), 1, 16),
    "offline": Row("AnyMDP-16s5a-v0", (500,), context="offline"),
    "imitation": Row("AnyMDP-16s5a-v0", (500,), context="imitation"),
    "long": Row("AnyMDP-16s5a-v0", (10_000, 100_000), tasks=16),
}


@dataclass(frozen=True)
class Scores:
    """Scores of an agent at one number of steps, a number for each task (or run, if there is one task)."""

    corrected: np.ndarray
    paper: np.ndarray | None = None

    def numbers(self) -> dict[str, float]:
        """The score with its interval, the median, the mean cut at 1, and the paper's measure (or NaN)."""
        known = self.corrected[~np.isnan(self.corrected)]
        found = estimate([known], mean, 10_000)
        return {
            "score": found.value,
            "low": found.low,
            "high": found.high,
            "median": float(np.median(known)),
            "cut": float(np.minimum(known, 1.0).mean()),
            "paper": np.nan if self.paper is None else float(np.nanmean(self.paper)),
        }

    def cells(self) -> Iterator[str]:
        """The cells of the table."""
        found = self.numbers()
        yield "{score:.3f} [{low:.3f}, {high:.3f}]".format(**found)
        for name in ("median", "cut", "paper"):
            yield "-" if np.isnan(found[name]) else f"{found[name]:.3f}"


def read_scores(frame: pd.DataFrame, mark: int) -> Scores:
    """The scores of the episodes that end in the last tenth before `mark`."""
    inside = (frame["steps"] > 0.9 * mark) & (frame["steps"] <= mark)
    out = []
    for mode in ("corrected", "paper"):
        rows = with_scores(frame, mode)[inside]
        by_run = rows["score"].groupby([rows["task_seed"], rows["run_seed"]]).mean()
        by_task = by_run.groupby("task_seed").mean()
        out.append((by_task if len(by_task) > 1 else by_run).to_numpy())
    return Scores(*out)


def play(agent: str, name: str, row: Row, folder: Path) -> list[Scores]:
    """The scores at the marks of `row`; what is missing in the folder is played."""
    frame = anymdp_bench.evaluate(
        agent, row.env_id, tasks=row.tasks if row.tasks > 1 else None, runs=row.runs,
        steps=max(row.marks), context=row.context, out=folder / f"{name}-{agent}",
    )  # fmt: skip
    return [read_scores(frame, mark) for mark in row.marks]


def play_held_out(agent: str, row: Row) -> list[Scores]:
    """The scores at the marks of an AnyMDP row, on tasks from HELD_OUT on."""
    n_states, n_actions = (int(x) for x in row.env_id[7:-4].split("s"))
    made = AgentSpec(agent).make()
    scores = online_scores(made, n_states, n_actions, row.marks, row.tasks, HELD_OUT)
    return [Scores(column) for column in scores.T]


def lines(row: Row, scores: list[Scores], agent: str) -> Iterator[str]:
    """The lines of the table that `row` fills, with the paper's OmniRL of the same training tasks."""
    title = paper_environment(row.env_id) or row.env_id
    title += "" if row.context == "empty" else f", {row.context}"
    theirs_name = agent if agent == "omnirl-garnet" else "omnirl"
    paper = find_published(row.env_id, theirs_name) if row.context == "empty" else None
    theirs = f"{paper.percent / 100:.3f} at {paper.steps:,}" if paper and paper.steps else "-"
    for mark, found in zip(row.marks, scores, strict=True):
        runs = f"{row.tasks} x {row.runs}"
        yield f"| {title} | {mark:,} | {runs} | {' | '.join(found.cells())} | {theirs} |"


def main(arguments: list[str]) -> None:
    """Plays what is missing and writes the table."""
    parser = argparse.ArgumentParser(description="The paper's rows of an in-context agent.")
    parser.add_argument("agent")
    parser.add_argument("--only", help="rows, by the names of ROWS; the table is then only printed")
    parser.add_argument("--folder", type=Path, default=Path("results/agent-rows"))
    parser.add_argument("--held-out", action="store_true", help="AnyMDP rows, held-out tasks")
    given = parser.parse_args(arguments)
    names = given.only.split(",") if given.only else list(ROWS)
    table, numbers = list(HEAD), []
    print(*table, sep="\n")
    for name in names:
        row = ROWS[name]
        if given.held_out and (not row.env_id.startswith("AnyMDP-") or row.context != "empty"):
            continue
        scores = (
            play_held_out(given.agent, row)
            if given.held_out
            else play(given.agent, name, row, given.folder)
        )
        table += lines(row, scores, given.agent)
        numbers += [
            {"env_id": row.env_id, "context": row.context, "steps": mark} | found.numbers()
            for mark, found in zip(row.marks, scores, strict=True)
        ]
        print(*table[-len(row.marks) :], sep="\n", flush=True)
    if not given.only:
        text = "\n".join(table) + "\n"
        name = given.agent + ("-held-out" if given.held_out else "")
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    if not given.only and not given.held_out:
        frame = pd.DataFrame(numbers)
        frame.to_csv(RESULTS / f"{given.agent}.csv", index=False, float_format="%.4f")


if __name__ == "__main__":
    main(sys.argv[1:])
