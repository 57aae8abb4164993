"""Plays the rows of omnirl.md and writes their table: `python docs/scripts/omnirl_rows.py [FOLDER]`.

Every row is `anymdp-bench run --agent omnirl --env ID --steps N`, with the `--tasks`, `--runs` and
`--context` of `ROWS`. Its files are in a folder of FOLDER (default results/omnirl-rows), and the same
command continues there.

The score at step m is the mean over the episodes that end in the last tenth before m: first over the runs
of a task, then over the tasks. It has a 95% bootstrap interval over the tasks, or over the runs where there
is one task. The column "cut at 1" is the same mean with each task's score limited to 1. The table is the
file `docs/results/omnirl.md`; `python docs/scripts/results_tables.py` copies it into the pages.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anymdp_bench.cli.app import run
from anymdp_bench.results.published import PAPER_ORACLES, find_published, paper_environment
from anymdp_bench.results.records import read_csv
from anymdp_bench.results.statistics import estimate, mean

TABLE = Path(__file__).parents[1] / "results" / "omnirl.md"
HEAD = "| task | steps | tasks x runs | omnirl [95% CI] | cut at 1 | paper's OmniRL | target |"


@dataclass(frozen=True)
class Row:
    """Runs of one environment.

    Attributes:
        env_id: the environment.
        targets: the target score by number of steps; NaN where there is none.
        tasks: the number of tasks.
        runs: the number of runs on each task.
        context: the starting context.
    """

    env_id: str
    targets: dict[int, float]
    tasks: int = 64
    runs: int = 1
    context: str = "empty"


NONE = float("nan")
ROWS = {
    "a1": Row("AnyMDP-1s5a-v0", {100: 0.95}),
    "a16": Row("AnyMDP-16s5a-v0", {1000: 0.90, 2000: 0.97, 3000: NONE, 4000: NONE}, runs=4),
    "a16long": Row("AnyMDP-16s5a-v0", {2000: NONE, 10_000: NONE, 50_000: NONE, 100_000: NONE}),
    "a32": Row("AnyMDP-32s5a-v0", {6500: 0.96}),
    "a64": Row("AnyMDP-64s5a-v0", {4000: NONE, 7700: 0.93, 20_000: 0.97}, runs=4),
    "a128": Row("AnyMDP-128s5a-v0", {20_000: 0.85, 36_300: 0.93}),
    "g16": Row("Garnet-16s5a2b-v0", {8000: 0.95}),
    "g64": Row("Garnet-64s5a2b-v0", {8000: 0.92}),
    "cliff": Row("CliffWalkingTerminal-v0", {3000: 1.0}, 1, 32),
    "lake": Row("FrozenLake4x4-v0", {300: 0.998}, 1, 32),
    "slip": Row("FrozenLake4x4Slippery-v0", {7700: 0.92}, 1, 32),
    "p1": Row("DiscretePendulum-g1-v0", {8000: 0.905}, 1, 16),
    "p5": Row("DiscretePendulum-g5-v0", {34_000: 0.918}, 1, 16),
    "p98": Row("DiscretePendulum-g9.8-v0", {33_000: 0.734, 100_000: 0.92}, 1, 16),
    "sw": Row("Switch2-v0", {2800: 0.804, 8000: 0.95}, 1, 32),
    "d6": Row("Darkroom-6x6-v0", {845: 0.952}, 1, 32),
    "d8": Row("Darkroom-8x8-v0", {1500: 0.938}, 1, 32),
    "d10": Row("Darkroom-10x10-v0", {2800: 0.917}, 1, 32),
    "off": Row("AnyMDP-16s5a-v0", {500: 0.95}, context="offline"),
    "imi": Row("AnyMDP-16s5a-v0", {500: 0.99}, context="imitation"),
}


def play(name: str, row: Row, folder: Path) -> pd.DataFrame:
    """Plays the missing runs of a row, and returns the rows of its result file."""
    command = ["run", "--agent", "omnirl", "--env", row.env_id, "--quiet"]
    command += ["--steps", str(max(row.targets)), "--context", row.context]
    command += ["--tasks", str(row.tasks), "--runs", str(row.runs), "--out", str(folder / name)]
    with contextlib.redirect_stdout(io.StringIO()):
        code = run(command)
    if code != 0:
        raise SystemExit(code)
    (path,) = (folder / name).glob("*.csv")
    return read_csv(path)


def paper_score(frame: pd.DataFrame, env_id: str) -> pd.Series[float]:
    """Returns the variance-free score of a pendulum with the paper's own oracle."""
    random = frame["return_corrected"] - frame["score"] * frame["gap"]
    out: pd.Series[float] = (frame["return_corrected"] - random) / (PAPER_ORACLES[env_id] - random)
    return out


def cells(frame: pd.DataFrame, score: pd.Series[float], steps: int) -> tuple[str, str]:
    """Formats the mean score in the last tenth before `steps`, with its interval, and the mean cut at 1."""
    inside = (frame["steps"] > 0.9 * steps) & (frame["steps"] <= steps)
    by_run = score[inside].groupby([frame["task_seed"], frame["run_seed"]]).mean()
    by_task = by_run.groupby("task_seed").mean()
    each = (by_task if len(by_task) > 1 else by_run).to_numpy()
    found = estimate([each], mean, 10_000)
    return (
        f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]",
        f"{each.clip(max=1).mean():.3f}",
    )


def lines(name: str, row: Row, frame: pd.DataFrame) -> list[str]:
    """Renders the lines of one row of `ROWS`: one for each number of steps."""
    title = paper_environment(row.env_id) or row.env_id
    title += "" if row.context == "empty" else f", {row.context}"
    paper = find_published(row.env_id, "omnirl") if row.context == "empty" else None
    out = []
    for steps, target in row.targets.items():
        published = "-"
        if paper is not None and name != "a16long" and paper.steps:
            published = f"{paper.percent / 100:.3f} at {paper.steps:,}"
        score, capped = cells(frame, frame["score"], steps)
        if row.env_id.startswith("DiscretePendulum"):
            score += f"; {cells(frame, paper_score(frame, row.env_id), steps)[0]}"
        goal = "-" if target != target else f"{target:g}"
        runs = f"{row.tasks} x {row.runs}"
        out.append(f"| {title} | {steps:,} | {runs} | {score} | {capped} | {published} | {goal} |")
    return out


def main(folder: Path) -> None:
    """Plays the missing runs and writes the table."""
    table = [HEAD, "| :-- | --: | --: | --: | --: | --: | --: |"]
    for name, row in ROWS.items():
        table += lines(name, row, play(name, row, folder))
        print(table[-1], file=sys.stderr)
    TABLE.write_text("\n".join(table) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/omnirl-rows"))
