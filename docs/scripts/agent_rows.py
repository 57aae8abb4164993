"""Plays an in-context agent on the rows of the paper's table and writes its scores.

    python docs/scripts/agent_rows.py omnirl [--only a16,a64] [--folder results/agent-rows] [--held-out]

The figures go to `docs/results/AGENT.csv`, and from there to the pages by
`python docs/scripts/results_tables.py`. Each row is `anymdp-bench run --agent AGENT --env ID --steps N` with
the `--tasks`, `--runs` and `--context` of `ROWS`; its results stay in the folder, and it goes on from there.
With `--held-out` the rows of AnyMDP are played on tasks from seed HELD_OUT on, which nothing was chosen by.
Their figures go to `docs/results/AGENT-held-out.csv`.

At a number of steps the file gives, of the episodes that end in the last tenth before:

score            the mean with a 95% bootstrap interval over tasks (over runs where there is one task);
median, cut      the median over tasks, and the mean where no task counts for more than 1;
paper's measure  the mean with the paper's own oracle and its clip to 0..1, luck included.

A run without an episode in that tenth is left out of all of them; `scored` is the number of the others.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from row_tables import RESULTS

import anymdp_bench
from anymdp_baselines.training.evaluate import online_scores
from anymdp_bench.agents import AgentSpec
from anymdp_bench.results.metrics import with_scores
from anymdp_bench.results.published import find_published
from anymdp_bench.results.statistics import estimate, mean

HELD_OUT = 2**43 + 2 * 10**6  # versions 11 and 12 played tasks from 2**43 and 2**43 + 10**6


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
    """Scores of an agent at one number of steps, a number for each task (or run, if there is one task).

    `scored` is the number of runs that they are means over.
    """

    corrected: np.ndarray
    paper: np.ndarray | None = None
    scored: int = 0

    def numbers(self) -> dict[str, str]:
        """The score with its interval, median, mean cut at 1 and the paper's measure, if known."""
        known = self.corrected[~np.isnan(self.corrected)]
        found = estimate([known], mean, 10_000)
        numbers = {
            "score": found.value,
            "low": found.low,
            "high": found.high,
            "median": float(np.median(known)),
            "cut": float(np.minimum(known, 1.0).mean()),
            "paper": np.nan if self.paper is None else float(np.nanmean(self.paper)),
        }
        return {name: "" if np.isnan(x) else f"{x:.3f}" for name, x in numbers.items()}


def read_scores(frame: pd.DataFrame, mark: int) -> Scores:
    """The scores of the episodes that end in the last tenth before `mark`."""
    inside = (frame["steps"] > 0.9 * mark) & (frame["steps"] <= mark)
    out, scored = [], 0
    for mode in ("corrected", "paper"):
        rows = with_scores(frame, mode)[inside]
        by_run = rows["score"].groupby([rows["task_seed"], rows["run_seed"]]).mean()
        scored = len(by_run)
        by_task = by_run.groupby("task_seed").mean()
        out.append((by_task if len(by_task) > 1 else by_run).to_numpy())
    return Scores(*out, scored=scored)


def play(agent: str, name: str, row: Row, folder: Path) -> list[Scores]:
    """The scores at the marks of `row`; what is missing in the folder is played."""
    frame = anymdp_bench.evaluate(
        agent, row.env_id, tasks=row.tasks if row.tasks > 1 else None, runs=row.runs,
        steps=max(row.marks), context=row.context, out=folder / f"{name}-{agent}",
    )  # fmt: skip
    return [read_scores(frame, mark) for mark in row.marks]


def play_by_paper(agent: str, name: str, row: Row, folder: Path) -> dict[str, object]:
    """The row by the paper's protocol, at the steps of its OmniRL: the best of the mean curve."""
    published = find_published(row.env_id, agent) or find_published(row.env_id, "omnirl")
    assert published is not None, row.env_id
    found = anymdp_bench.evaluate(
        agent, row.env_id, tasks=row.tasks if row.tasks > 1 else None, runs=row.runs,
        steps=published.steps or row.marks[0], protocol="paper", out=folder / f"{name}-{agent}-paper",
    )  # fmt: skip
    summary = found.summary().iloc[0]
    line = {name: summary[name] for name in ("env_id", "protocol", "suite_hash", "agent_version")}
    line |= {"steps": published.steps or row.marks[0], "tasks": row.tasks, "runs": row.runs}
    line |= {"skipped": sum(len(seeds) for seeds in found.skipped.values())}
    numbers = {"best": "score", "low": "low", "high": "high"}
    line |= {name: f"{summary[f'paper_{of}']:.3f}" for name, of in numbers.items()}
    to_best = {name: f"paper_{name}" for name in ("steps", "episodes")}
    return line | {f"best_{name}": f"{summary[of]:.0f}" for name, of in to_best.items()}


def play_held_out(agent: str, row: Row) -> list[Scores]:
    """The scores at the marks of an AnyMDP row, on tasks from HELD_OUT on."""
    n_states, n_actions = (int(x) for x in row.env_id[7:-4].split("s"))
    made = AgentSpec(agent).make()
    scores = online_scores(made, n_states, n_actions, row.marks, row.tasks, HELD_OUT)
    return [Scores(column, scored=int((~np.isnan(column)).sum())) for column in scores.T]


def _write_by_paper(agent: str, folder: Path) -> None:
    """Plays the rows of the paper's table by its protocol, and writes the file."""
    lines = []
    for name, row in ROWS.items():
        if row.context == "empty" and name != "long":
            lines.append(play_by_paper(agent, name, row, folder))
            print(*lines[-1].values(), sep=",", flush=True)
    path = RESULTS / f"{agent}-paper-protocol.csv"
    pd.DataFrame(lines).to_csv(path, index=False, lineterminator="\n")


def main(arguments: list[str]) -> None:
    """Plays what is missing and writes the file."""
    parser = argparse.ArgumentParser(description="The paper's rows of an in-context agent.")
    parser.add_argument("agent")
    parser.add_argument("--only", help="rows, by the names of ROWS, which are then only printed")
    parser.add_argument("--folder", type=Path, default=Path("results/agent-rows"))
    parser.add_argument("--held-out", action="store_true", help="AnyMDP rows, held-out tasks")
    parser.add_argument("--by-paper", action="store_true", help="by the paper's protocol")
    given = parser.parse_args(arguments)
    if given.by_paper:
        _write_by_paper(given.agent, given.folder)
        return
    names = given.only.split(",") if given.only else list(ROWS)
    numbers = []
    for name in names:
        row = ROWS[name]
        if given.held_out and (not row.env_id.startswith("AnyMDP-") or row.context != "empty"):
            continue
        scores = (
            play_held_out(given.agent, row)
            if given.held_out
            else play(given.agent, name, row, given.folder)
        )
        for mark, found in zip(row.marks, scores, strict=True):
            line = {"env_id": row.env_id, "context": row.context, "steps": mark}
            played = {"tasks": row.tasks, "runs": row.runs, "scored": found.scored}
            numbers.append(line | played | found.numbers())
            print(*numbers[-1].values(), sep=",", flush=True)
    if not given.only:
        name = given.agent + ("-held-out" if given.held_out else "")
        pd.DataFrame(numbers).to_csv(RESULTS / f"{name}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
