"""The search of UCBVI's bonus constant, per task family.

    python -m anymdp_baselines.searches.ucbvi [FAMILY ...] [--episodes N] [--tasks N]

plays every constant of the grid on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on
runs that no suite uses) and rewrites the families searched in `ucbvi.json` beside this file: each
constant's mean score over the test points (which are dense early, so speed counts more than the
end), and the best constant.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from anymdp_baselines.searches.tql_ucb import FAMILIES
from anymdp_baselines.ucbvi import UCBVI
from anymdp_bench.protocol import Budget, Run, play_fused
from anymdp_bench.scoring import tasks_that_count
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

GRID = (0.0003, 0.001, 0.003, 0.01, 0.03)


def search(env_ids: tuple[str, ...], episodes: int, tasks: int) -> list[float]:
    """Mean score over all test points and the tasks of `env_ids`, one a constant of the grid."""
    runs = [
        Run(env_id, task, PUBLIC_SEEDS + k)
        for env_id in env_ids
        for task in tasks_that_count(task_source(env_id), tasks, PUBLIC_SEEDS)[0]
        for k in range(1 if task_source(env_id).sampled else 3)
    ]
    return [
        float(np.mean([play_fused(UCBVI(c), run, Budget(episodes)).score.mean() for run in runs]))
        for c in GRID
    ]


def main() -> None:
    """Runs the search and writes its file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=8, help="tasks per environment")
    given = parser.parse_args()
    path = Path(__file__).with_suffix(".json")
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = result.get("scores", {})
    for family in given.families or FAMILIES:
        scores = search(FAMILIES[family], given.episodes, given.tasks)
        best = int(np.argmax(scores))
        found[family] = {
            "environments": FAMILIES[family],
            "episodes": given.episodes,
            "tasks": given.tasks,
            "by constant": [round(score, 4) for score in scores],
        }
        result.setdefault("chosen", {})[family] = GRID[best]
        print(f"{family:8} {scores[best]:.3f}  c = {GRID[best]}", flush=True)
        result |= {
            "command": "python -m anymdp_baselines.searches.ucbvi",
            "criterion": "mean score over all test points; task seeds from 2**32 up",
            "grid": GRID,
            "scores": found,
        }
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        fresh.replace(path)


if __name__ == "__main__":
    main()
