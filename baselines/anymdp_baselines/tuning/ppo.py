"""The search of PPO's settings per task family: successive halving of a grid (Jamieson and Talwalkar 2016).

    python -m anymdp_baselines.tuning.ppo [FAMILY ...]

The search plays all points of the grid for a few steps, the best of them for more steps, and so on
(`RUNGS`). It uses tasks that no suite uses, with seeds from 2**32 up; on a fixed task it uses a run that no
suite uses. The score of a point is the mean over its tests at multiples of 100 episodes, or the last test
where there is none. So the speed of learning counts as well as the end. The file `ppo.json` beside this one
holds every score and the choices. It is written after every point, and the same command continues from it.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.ppo.agent import PPO, PPOSettings
from anymdp_baselines.tuning.search import (
    FAMILIES,
    family_parser,
    make_runs,
    read_search,
    write_search,
)
from anymdp_bench.evaluation import Budget, IndependentLearners, Run, play_training

GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (1e-3, 3e-3, 1e-2, 3e-2),
    "n_steps": (32, 128),
    "ent_coef": (0.0, 0.01),
    "norm_reward": (False, True),
}
RUNGS = ((32, 20_000), (6, 60_000))
"""(number of points, steps of a run) of each round."""
TASKS = 4  # of an environment with sampled tasks
PATH = Path(__file__).with_suffix(".json")
_ONE_LINE = r"\{[^{}]*\}"  # a point, and a round


def make_grid() -> list[PPOSettings]:
    """Returns all points of the grid."""
    names = list(GRID)
    return [
        PPOSettings(**dict(zip(names, p, strict=True))) for p in itertools.product(*GRID.values())
    ]


def score(settings: PPOSettings, runs: list[Run], steps: int) -> float:
    """Plays all runs for `steps` steps each, and returns the mean score.

    The score of a run is the mean over its tests at multiples of 100 episodes, or its last test.
    """
    found = []
    for run in runs:
        copies = [PPO(settings) for _ in range(run.task.players)]
        agent = copies[0] if len(copies) == 1 else IndependentLearners(copies)
        curve = play_training(agent, run, Budget(steps=steps))
        at = curve.episode % 100 == 0
        found.append(float(curve.score[at].mean() if at.any() else curve.score[-1]))
    return round(float(np.mean(found)), 4)


def select_points(rounds: list[dict[str, float]], k: int) -> list[str]:
    """Returns the numbers, as text, of the points of round `k`: the best of the round before, best first."""
    if k == 0:
        return [str(i) for i in range(len(make_grid()))]
    ranked = sorted(rounds[k - 1], key=lambda i: (-rounds[k - 1][i], int(i)))
    return ranked[: RUNGS[k][0]]


def search(family: str, file: dict[str, Any]) -> Iterator[int]:
    """Plays the missing points of a family's rounds and writes its choice; yields the steps of each point."""
    new = {"environments": FAMILIES[family], "rounds": [{} for _ in RUNGS]}
    rounds = file["scores"].setdefault(family, new)["rounds"]
    runs = make_runs(FAMILIES[family], TASKS, 1)
    for k, (_, steps) in enumerate(RUNGS):
        for i in select_points(rounds, k):
            if i not in rounds[k]:
                rounds[k][i] = score(make_grid()[int(i)], runs, steps)
                write_search(PATH, file, _ONE_LINE)
                yield steps * len(runs)
    best = select_points(rounds, len(RUNGS) - 1)[: RUNGS[-1][0]]
    chosen = max(best, key=lambda i: (rounds[-1][i], -int(i)))
    file["chosen"][family] = asdict(make_grid()[int(chosen)])
    write_search(PATH, file, _ONE_LINE)
    print(f"{family:22} {rounds[-1][chosen]:.4f}  {make_grid()[int(chosen)]}", flush=True)


def _read() -> dict[str, Any]:
    """Reads the file of the search; starts a new one where there is none or where the settings differ."""
    head: dict[str, Any] = {
        "command": "python -m anymdp_baselines.tuning.ppo",
        "criterion": "mean score over the test points at multiples of 100 episodes (else the last);"
        f" {TASKS} tasks of a sampled environment, seeds from 2**32 up",
        "rounds (points, steps a run)": [list(rung) for rung in RUNGS],
        "grid": [asdict(point) for point in make_grid()],
    }
    file = read_search(PATH)
    settings = {name: value for name, value in head.items() if name != "command"}
    if file is not None and {name: file.get(name) for name in settings} == settings:
        return file
    return head | {"chosen": {}, "scores": {}}


def main() -> None:
    """Plays the missing points and prints the choices."""
    families = family_parser(__doc__).parse_args().families or list(FAMILIES)
    file = _read()
    share = sum(n * steps for n, steps in RUNGS)
    left = sum(
        share * len(make_runs(FAMILIES[f], TASKS, 1)) for f in families if f not in file["chosen"]
    )
    begin, played = time.perf_counter(), 0
    for family in families:
        for steps in search(family, file):
            played += steps
            minutes = (time.perf_counter() - begin) / played * (left - played) / 60
            print(f"{family}: about {minutes:.0f} min left", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
