"""The search of PPO's settings, per task family: successive halving (Jamieson and Talwalkar 2016) of a grid.

    python -m anymdp_baselines.tuning.ppo [FAMILY ...]

plays points of the grid on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on a run that no
suite uses): all of them for a few steps, the best of these for more, and so on by `RUNGS`. A point's
score is the mean over its test points at multiples of 100 episodes (else the last): speed counts as well as
the end. `ppo.json` beside this file keeps every score and the choices; it is written after every point, and
the same command goes on from there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.ppo.agent import PPO, PPOSettings
from anymdp_baselines.tuning.tql_ucb import FAMILIES
from anymdp_bench.evaluation import Budget, IndependentLearners, Run, play_training
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 3e-3, 1e-2, 3e-2),
    "n_steps": (32, 128),
    "ent_coef": (0.0, 0.01),
    "norm_reward": (False, True),
}
RUNGS = ((32, 20_000), (6, 60_000))
"""(points, steps a run) of each round."""
TASKS = 4  # per sampled environment
PATH = Path(__file__).with_suffix(".json")


def make_grid() -> list[PPOSettings]:
    """Every point of the grid."""
    names = list(GRID)
    return [
        PPOSettings(**dict(zip(names, p, strict=True))) for p in itertools.product(*GRID.values())
    ]


def make_runs(env_ids: tuple[str, ...]) -> list[Run]:
    """The runs that every point plays."""
    return [
        Run(env_id, task, PUBLIC_SEEDS)
        for env_id in env_ids
        for task in select_tasks(task_source(env_id), TASKS, PUBLIC_SEEDS)[0]
    ]


def score(settings: PPOSettings, runs: list[Run], steps: int) -> float:
    """Mean score over the runs and their test points at multiples of 100 episodes (else the last one)."""
    found = []
    for run in runs:
        copies = [PPO(settings) for _ in range(run.task.players)]
        agent = copies[0] if len(copies) == 1 else IndependentLearners(copies)
        curve = play_training(agent, run, Budget(steps=steps))
        at = curve.episode % 100 == 0
        found.append(float(curve.score[at].mean() if at.any() else curve.score[-1]))
    return round(float(np.mean(found)), 4)


def select_points(rounds: list[dict[str, float]], k: int) -> list[str]:
    """The numbers (as text) of the points that play round `k`: the best of the round before, best first."""
    if k == 0:
        return [str(i) for i in range(len(make_grid()))]
    ranked = sorted(rounds[k - 1], key=lambda i: (-rounds[k - 1][i], int(i)))
    return ranked[: RUNGS[k][0]]


def search(family: str, file: dict[str, Any]) -> Iterator[int]:
    """Plays what is missing of a family's rounds and writes its choice; yields steps as they are played."""
    fresh = {"environments": FAMILIES[family], "rounds": [{} for _ in RUNGS]}
    rounds = file["scores"].setdefault(family, fresh)["rounds"]
    runs = make_runs(FAMILIES[family])
    for k, (_, steps) in enumerate(RUNGS):
        for i in select_points(rounds, k):
            if i not in rounds[k]:
                rounds[k][i] = score(make_grid()[int(i)], runs, steps)
                _write(file)
                yield steps * len(runs)
    best = select_points(rounds, len(RUNGS) - 1)[: RUNGS[-1][0]]
    chosen = max(best, key=lambda i: (rounds[-1][i], -int(i)))
    file["chosen"][family] = asdict(make_grid()[int(chosen)])
    _write(file)
    print(f"{family:22} {rounds[-1][chosen]:.4f}  {make_grid()[int(chosen)]}", flush=True)


def _read() -> dict[str, Any]:
    """The search's file as it is; a new one where there is none, or its grid or rounds were others."""
    head: dict[str, Any] = {
        "command": "python -m anymdp_baselines.tuning.ppo",
        "criterion": "mean score over the test points at multiples of 100 episodes (else the last);"
        f" {TASKS} tasks of a sampled environment, seeds from 2**32 up",
        "rounds (points, steps a run)": [list(rung) for rung in RUNGS],
        "grid": [asdict(point) for point in make_grid()],
    }
    if PATH.exists():
        file: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
        if {k: file.get(k) for k in head} == head:
            return file
    return head | {"chosen": {}, "scores": {}}


def _write(file: dict[str, Any]) -> None:
    """The file, whole or not at all, with a line for each point and each round."""
    text = re.sub(
        r"\{[^{}]*\}", lambda found: " ".join(found[0].split()), json.dumps(file, indent=1)
    )
    fresh = PATH.with_suffix(".new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(PATH)


def main() -> None:
    """Runs what is missing of the search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    families = parser.parse_args().families or list(FAMILIES)
    file = _read()
    share = sum(n * steps for n, steps in RUNGS)
    left = sum(share * len(make_runs(FAMILIES[f])) for f in families if f not in file["chosen"])
    begin, played = time.perf_counter(), 0
    for family in families:
        for steps in search(family, file):
            played += steps
            minutes = (time.perf_counter() - begin) / played * (left - played) / 60
            print(f"{family}: about {minutes:.0f} min left", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
