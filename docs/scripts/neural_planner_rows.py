"""Plays the rows of docs/neural-planner.md and writes their table.

    python docs/scripts/neural_planner_rows.py [FOLDER]

Every row is `anymdp-bench run --agent AGENT --env ID --steps N` (with `--tasks`, `--runs` and `--context` as
in `ROWS`) for each of `AGENTS`. It is kept in a folder of FOLDER (default results/neural-planner-rows), where
the same command goes on. Two figures are given at step m:

score    the mean over the episodes that end in the last tenth before m;
area     the mean over all episodes that end before m: the area under the learning curve.

Both are taken over the runs of every task and then over the tasks, with a 95% bootstrap interval over tasks
(over runs where there is one task). The table goes to `docs/results/neural-planner.md`, and from there to the
pages by `python docs/scripts/results_tables.py`.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anymdp_bench.cli.app import run
from anymdp_bench.results.published import environment_name, published
from anymdp_bench.results.records import read_csv
from anymdp_bench.results.statistics import estimate, mean

TABLE = Path(__file__).parents[1] / "results" / "neural-planner.md"
AGENTS = ("neural-planner", "neural-planner-anymdp")
HEAD = (
    "| task | steps | tasks x runs | neural-planner [95% CI] | area | neural-planner-anymdp [95% CI]"
    " | area | paper's OmniRL |"
)


@dataclass(frozen=True)
class Row:
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
    "a16": Row("AnyMDP-16s5a-v0", (1000, 2000, 4000), runs=4),
    "a32": Row("AnyMDP-32s5a-v0", (6500,)),
    "a64": Row("AnyMDP-64s5a-v0", (4000, 7700)),
    "g16": Row("Garnet-16s5a2b-v0", (8000,)),
    "g64": Row("Garnet-64s5a2b-v0", (8000,)),
    "cliff": Row("CliffWalkingTerminal-v0", (3000,), 1, 32),
    "lake": Row("FrozenLake4x4-v0", (300,), 1, 32),
    "slip": Row("FrozenLake4x4Slippery-v0", (7700,), 1, 32),
    "d6": Row("Darkroom-6x6-v0", (845,), 1, 32),
    "d8": Row("Darkroom-8x8-v0", (1500,), 1, 32),
    "d10": Row("Darkroom-10x10-v0", (2800,), 1, 32),
}


def play(agent: str, name: str, row: Row, folder: Path) -> pd.DataFrame:
    """The rows of the CSV of what `row` says, played where they are not there yet."""
    out = folder / f"{name}-{agent}"
    command = ["run", "--agent", agent, "--env", row.env_id, "--quiet", "--workers", "1"]
    command += ["--steps", str(max(row.marks)), "--context", row.context]
    command += ["--tasks", str(row.tasks), "--runs", str(row.runs), "--out", str(out)]
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(command)
    if code != 0:
        raise SystemExit(code)
    (path,) = out.glob("*.csv")
    return read_csv(path)


def scores_by_task(frame: pd.DataFrame, begin: float, end: int) -> pd.Series[float]:
    """Mean score of each task (of each run if there is one task) over episodes that end in (begin, end]."""
    inside = (frame["steps"] > begin) & (frame["steps"] <= end)
    by_run = frame["score"][inside].groupby([frame["task_seed"], frame["run_seed"]]).mean()
    by_task: pd.Series[float] = by_run.groupby("task_seed").mean()
    return by_task if len(by_task) > 1 else by_run


def cell(scores: pd.Series[float]) -> str:
    """A mean with its 95% bootstrap interval."""
    found = estimate([scores.to_numpy()], mean, 10_000)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def lines(name: str, row: Row, folder: Path) -> list[str]:
    """The lines of the table that `row` fills."""
    title = environment_name(row.env_id) or row.env_id
    title += "" if row.context == "empty" else f", {row.context}"
    paper = published(row.env_id, "omnirl") if row.context == "empty" else None
    theirs = f"{paper.percent / 100:.3f} at {paper.steps:,}" if paper and paper.steps else "-"
    frames = [play(agent, name, row, folder) for agent in AGENTS]
    out = []
    for mark in row.marks:
        cells = []
        for frame in frames:
            cells.append(cell(scores_by_task(frame, 0.9 * mark, mark)))
            cells.append(cell(scores_by_task(frame, 0, mark)))
        runs = f"{row.tasks} x {row.runs}"
        out.append(f"| {title} | {mark:,} | {runs} | {' | '.join(cells)} | {theirs} |")
    return out


def main(folder: Path) -> None:
    """Plays what is missing and writes the table."""
    table = [HEAD, "| :-- | --: | --: | --: | --: | --: | --: | --: |"]
    for name, row in ROWS.items():
        table += lines(name, row, folder)
        print(*table[-len(row.marks) :], sep="\n", file=sys.stderr)
    TABLE.write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/neural-planner-rows"))
