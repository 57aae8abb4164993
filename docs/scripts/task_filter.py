"""Which tasks count, how the others differ, and the highest score of any policy.

    python docs/scripts/task_filter.py [--tasks 512]

It samples the first tasks of each sampled environment of suite `table1`, solves them exactly, and writes
`docs/results/task-filter.csv` and `docs/results/task-filter.md`. A fixed environment has one task.

count            the share of tasks that count (`References.is_scorable`); the rest is dropped
paper            the share of those that count by the protocol `paper` too
terminal         mean number of terminal states, of the tasks that count and of those dropped
gap              median gap (oracle minus random) in units of the largest mean reward of a step, likewise
highest          mean of the highest score of any policy, which may use the steps left (`results.optimum`), of
                 the tasks that count; `largest` is the maximum
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.results.optimum import highest_score
from anymdp_bench.suites import load_suite
from anymdp_bench.suites.protocols import PROTOCOLS
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.task import Task

RESULTS = Path(__file__).parents[1] / "results"
HEAD = (
    "| environment | tasks | count, % | of these by the paper's protocol, % |"
    " terminal states: count / dropped | gap: count / dropped |"
    " highest score: mean (largest) |",
    "| :-- | --: | --: | --: | --: | --: | --: |",
)


def _largest_reward(mdp: TabularMDP) -> float:
    mean = (mdp.transition * mdp.reward).sum(-1)
    return float(np.abs(mean[~mdp.terminal]).max())


def measure(env_id: str, n: int) -> dict[str, float | int | str]:
    """Measures the first `n` tasks of an environment."""
    source = task_source(env_id)
    tasks: list[Task] = [source.task(seed) for seed in range(n if source.is_sampled else 1)]
    counts = np.array([task.references.is_scorable for task in tasks])
    tables = [task.table for task in tasks]
    row: dict[str, float | int | str] = {"env_id": env_id, "tasks": len(tasks)}
    row["count"] = float(counts.mean())
    least_gap = PROTOCOLS["paper"].least_gap
    by_paper = (
        [task.references.stands_out(least_gap) for task in tasks] if source.is_sampled else [True]
    )
    row["paper"] = float(np.array(by_paper)[counts].mean())
    mdps = [mdp for mdp in tables if mdp is not None]
    if len(mdps) == len(tasks):
        terminal = np.array([int(mdp.terminal.sum()) for mdp in mdps])
        gap = np.array([task.references.gap for task in tasks])
        gap /= np.array([_largest_reward(mdp) for mdp in mdps])
        for name, chosen in (("count", counts), ("dropped", ~counts)):
            row[f"terminal_{name}"] = float(terminal[chosen].mean()) if chosen.any() else np.nan
            row[f"gap_{name}"] = float(np.median(gap[chosen])) if chosen.any() else np.nan
        highest = [
            highest_score(env_id, t.seed) for t, is_in in zip(tasks, counts, strict=True) if is_in
        ]
        row |= {"highest": float(np.mean(highest)), "largest": float(np.max(highest))}
    return row


def render(frame: pd.DataFrame) -> str:
    """Returns the Markdown table of the measurements, ending in a newline."""
    lines = list(HEAD)
    for row in frame.to_dict("records"):
        pair = {
            name: f"{row[f'{name}_count']:.{digits}f}"
            + (f" / {row[f'{name}_dropped']:.{digits}f}" if row["count"] < 1 else " / —")
            for name, digits in (("terminal", 1), ("gap", 2))
            if not np.isnan(row[f"{name}_count"])
        }
        highest = (
            "—" if np.isnan(row["highest"]) else f"{row['highest']:.3f} ({row['largest']:.2f})"
        )
        cells = [f"`{row['env_id']}`", f"{row['tasks']:,}", f"{100 * row['count']:.1f}"]
        cells += [f"{100 * row['paper']:.1f}"]
        cells += [pair.get("terminal", "—"), pair.get("gap", "—"), highest]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures all environments and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=512)
    n = parser.parse_args().tasks
    frame = pd.DataFrame([measure(row.env_id, n) for row in load_suite("table1").rows])
    frame.to_csv(RESULTS / "task-filter.csv", index=False, lineterminator="\n")
    (RESULTS / "task-filter.md").write_text(render(frame), encoding="utf-8")
    print(render(frame), end="")


if __name__ == "__main__":
    main()
