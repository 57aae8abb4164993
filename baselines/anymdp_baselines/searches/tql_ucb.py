"""The grid search of TQL-UCB, per task family.

    python -m anymdp_baselines.searches.tql_ucb [FAMILY ...] [--episodes N] [--tasks N] [--workers N]

plays every point of the grid on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on runs
that no suite uses) and rewrites the families searched in `tql_ucb.json` beside this file: the mean score
of each point over the tests at multiples of 100 episodes (the area under its learning curve, so speed
counts as well as the end), and the best point.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from anymdp_baselines.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_bench.protocol import Budget, Run, play_fused
from anymdp_bench.scoring import tasks_that_count
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

FAMILIES = {
    "bandit": ("AnyMDP-1s5a-v0",),
    "AnyMDP": ("AnyMDP-16s5a-v0", "AnyMDP-64s5a-v0"),
    "Garnet": ("Garnet-16s5a2b-v0", "Garnet-64s5a2b-v0"),
    "Darkroom": ("Darkroom-6x6-v0", "Darkroom-10x10-v0"),
    "CliffWalkingTerminal": ("CliffWalkingTerminal-v0",),
    "FrozenLake4x4": ("FrozenLake4x4-v0",),
    "FrozenLake4x4Slippery": ("FrozenLake4x4Slippery-v0",),
}
GRID: dict[str, tuple[float, ...]] = {
    "c": (0.003, 0.03, 0.3, 3.0),
    "alpha": (0.1, 0.5, 1.0),
    "m": (40.0, 400.0, 4000.0),
    "power": (0.5, 1.0),
}


def points() -> Iterator[TQLSettings]:
    """Every point of the grid; variant (b) has no c."""
    for alpha, m, power in itertools.product(GRID["alpha"], GRID["m"], GRID["power"]):
        yield TQLSettings(variant=BOLTZMANN, c=0.0, alpha=alpha, m=m, power=power)
        for c in GRID["c"]:
            yield TQLSettings(variant=BONUS, c=c, alpha=alpha, m=m, power=power)


def search(env_ids: tuple[str, ...], episodes: int, tasks: int, workers: int) -> list[float]:
    """Mean area under the learning curve of every grid point over the tasks of `env_ids`."""
    runs = [
        Run(env_id, task, PUBLIC_SEEDS + k)
        for env_id in env_ids
        for task in tasks_that_count(task_source(env_id), tasks, PUBLIC_SEEDS)[0]
        for k in range(1 if task_source(env_id).sampled else 3)
    ]

    def score(settings: TQLSettings) -> float:
        curves = [play_fused(TQLUCB(settings), run, Budget(episodes)) for run in runs]
        return float(np.mean([curve.score[curve.episode % 100 == 0].mean() for curve in curves]))

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(score, points()))


def main() -> None:
    """Runs the search and writes its file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--episodes", type=int, default=3000)
    parser.add_argument("--tasks", type=int, default=8, help="tasks per environment")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    path = Path(__file__).with_suffix(".json")
    result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found = result.get("scores", {})
    grid = list(points())
    for family in given.families or FAMILIES:
        scores = search(FAMILIES[family], given.episodes, given.tasks, given.workers)
        best = int(np.argmax(scores))
        found[family] = {
            "environments": FAMILIES[family],
            "episodes": given.episodes,
            "tasks": given.tasks,
            "best": scores[best],
            "by grid point": [round(score, 4) for score in scores],
        }
        result.setdefault("chosen", {})[family] = asdict(grid[best])
        print(f"{family:8} {scores[best]:.3f}  {grid[best]}", flush=True)
    result |= {
        "command": "python -m anymdp_baselines.searches.tql_ucb",
        "criterion": "mean score over the tests at multiples of 100 episodes; task seeds from 2**32 up",
        "grid": [asdict(point) for point in grid],
        "scores": found,
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
    print(path)


if __name__ == "__main__":
    main()
