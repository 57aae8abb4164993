"""The search of UCBVI's bonus constant, per task family: a ladder climbed until its best step is inside.

    python -m anymdp_baselines.tuning.ucbvi [FAMILY ...] [--episodes N] [--tasks N]

plays constants on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on runs that no suite
uses). A constant's score is the mean over all test points, which are dense early: speed counts more than the
end. Where the best is the first or last played, the next of the ladder is played too. What is done is kept
in `ucbvi.json` beside this file, so a search that was stopped goes on; with other numbers it begins anew.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.tabular.ucbvi import UCBVI
from anymdp_baselines.tuning.tql_ucb import FAMILIES
from anymdp_bench.evaluation import Budget, Run, play_compiled
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

CONSTANTS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
START = (0.001, 0.003, 0.01)
PATH = Path(__file__).with_suffix(".json")


def make_runs(env_ids: tuple[str, ...], tasks: int) -> list[Run]:
    """What every constant is played on: `tasks` of a sampled environment, 3 runs of a fixed one."""
    return [
        Run(env_id, task, PUBLIC_SEEDS + k)
        for env_id in env_ids
        for task in select_tasks(task_source(env_id), tasks, PUBLIC_SEEDS)[0]
        for k in range(1 if task_source(env_id).sampled else 3)
    ]


def score(c: float, runs: list[Run], episodes: int) -> float:
    """Mean score over all test points of all runs."""
    played = [play_compiled(UCBVI(c), run, Budget(episodes)).score.mean() for run in runs]
    return round(float(np.mean(played)), 4)


def find_missing(scores: dict[float, float]) -> list[float]:
    """The constants to play next: those of the start, then one beyond the best where it is at an end."""
    fresh = [c for c in START if c not in scores]
    if fresh:
        return fresh
    place = CONSTANTS.index(find_best(scores))
    beside = [CONSTANTS[k] for k in (place - 1, place + 1) if 0 <= k < len(CONSTANTS)]
    return [c for c in beside if c not in scores]


def find_best(scores: dict[float, float]) -> float:
    """The constant of the highest score; of equals the smallest."""
    return min(scores, key=lambda c: (-scores[c], c))


def main() -> None:
    """Runs the search and writes its file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=8, help="tasks per environment")
    given = parser.parse_args()
    file: dict[str, Any] = json.loads(PATH.read_text("utf-8")) if PATH.exists() else {}
    file |= {
        "command": "python -m anymdp_baselines.tuning.ucbvi",
        "criterion": "mean score over all test points; task seeds from 2**32 up",
    }
    numbers = {"episodes": given.episodes, "tasks": given.tasks}
    for family in given.families or FAMILIES:
        kept = file.setdefault("scores", {}).get(family, {})
        if {k: kept.get(k) for k in numbers} != numbers:
            kept = {"environments": FAMILIES[family], **numbers, "by constant": {}}
        scores = {float(c): value for c, value in kept["by constant"].items()}
        runs = make_runs(FAMILIES[family], given.tasks)
        while wanted := find_missing(scores):
            for c in wanted:
                scores[c] = score(c, runs, given.episodes)
                kept["by constant"] = {str(c): scores[c] for c in sorted(scores)}
                file["scores"][family] = kept
                _write(file)
        chosen = find_best(scores)
        file.setdefault("chosen", {})[family] = chosen
        _write(file)
        print(f"{family:22} {scores[chosen]:.4f}  c = {chosen}", flush=True)


def _write(file: dict[str, Any]) -> None:
    """The file, whole or not at all."""
    fresh = PATH.with_suffix(".new")
    fresh.write_text(json.dumps(file, indent=1) + "\n", encoding="utf-8")
    fresh.replace(PATH)


if __name__ == "__main__":
    main()
