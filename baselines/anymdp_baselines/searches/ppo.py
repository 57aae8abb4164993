"""The search of PPO's settings, per task family.

    python -m anymdp_baselines.searches.ppo [FAMILY ...] [--steps N] [--tasks N]

plays every point of the grid on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on runs
that no suite uses) and writes `ppo.json` beside this file: each point's mean score over the test points at
multiples of 100 episodes, and the best point. The file is written after every point, and the same command
goes on from there; what was searched with other numbers of steps or tasks is searched anew.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.ppo import PPO, PPOSettings
from anymdp_baselines.searches.tql_ucb import FAMILIES
from anymdp_bench.protocol import Budget, Run, play_training
from anymdp_bench.scoring import tasks_that_count
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source

GRID: dict[str, tuple[float, ...]] = {
    "learning_rate": (1e-3, 3e-3),
    "n_steps": (32, 128),
    "ent_coef": (0.0, 0.01),
}
PATH = Path(__file__).with_suffix(".json")


def points() -> list[PPOSettings]:
    """Every point of the grid."""
    values = itertools.product(GRID["learning_rate"], GRID["n_steps"], GRID["ent_coef"])
    return [PPOSettings(learning_rate=lr, n_steps=int(n), ent_coef=ent) for lr, n, ent in values]


def runs_of(env_ids: tuple[str, ...], tasks: int) -> list[Run]:
    """The runs that every point plays."""
    return [
        Run(env_id, task, PUBLIC_SEEDS)
        for env_id in env_ids
        for task in tasks_that_count(task_source(env_id), tasks, PUBLIC_SEEDS)[0]
    ]


def score(settings: PPOSettings, runs: list[Run], steps: int) -> float:
    """Mean score over the runs and their test points at multiples of 100 episodes (else the last one)."""
    found = []
    for run in runs:
        curve = play_training(PPO(settings), run, Budget(steps=steps))
        at = curve.episode % 100 == 0
        found.append(float(curve.score[at].mean() if at.any() else curve.score[-1]))
    return float(np.mean(found))


def save(result: dict[str, Any]) -> None:
    """Writes the result file, whole or not at all."""
    fresh = PATH.with_suffix(".new")
    fresh.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    fresh.replace(PATH)


def main() -> None:
    """Runs what is missing of the search, and writes its file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--tasks", type=int, default=2, help="tasks per environment")
    given = parser.parse_args()
    result = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    result |= {"command": "python -m anymdp_baselines.searches.ppo"}
    result |= {"grid": [asdict(point) for point in points()]}
    families = given.families or list(FAMILIES)
    budget = {"steps": given.steps, "tasks": given.tasks}
    scores = result.setdefault("scores", {})
    for family in families:
        if {k: scores.get(family, {}).get(k) for k in budget} != budget:
            scores[family] = {"environments": FAMILIES[family], **budget, "by grid point": []}
    left = sum(len(points()) - len(scores[f]["by grid point"]) for f in families)
    begin, done = time.perf_counter(), 0
    for family in families:
        found = scores[family]["by grid point"]
        runs = runs_of(FAMILIES[family], given.tasks)
        for settings in points()[len(found) :]:
            found.append(round(score(settings, runs, given.steps), 4))
            done += 1
            minutes = (time.perf_counter() - begin) / done * (left - done) / 60
            print(f"{family} {found[-1]:.3f} {settings}; about {minutes:.0f} min left", flush=True)
            best = points()[int(np.argmax(found))]
            result.setdefault("chosen", {})[family] = asdict(best)
            save(result)


if __name__ == "__main__":
    main()
