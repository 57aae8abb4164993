"""The grid search of TQL-UCB, per task family: a grid that grows until its best point is inside.

    python -m anymdp_baselines.tuning.tql_ucb [FAMILY ...] [--workers N]

plays every point of the grid on tasks that no suite uses (seeds from 2**32 up; of a fixed task, on runs
that no suite uses). A point's score is the mean over the tests at multiples of 100 episodes: the area under
its learning curve, so speed counts as well as the end. Where the best point lies at an end of an axis,
and that end is no bound by nature, the axis gets its next value and the new points are played. Each point
is kept in `tql_ucb.json` beside this file as it is done, so a search that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_bench.evaluation import Budget, Run, play_compiled
from anymdp_bench.tasks.family import PUBLIC_SEEDS, task_source
from anymdp_bench.tasks.selection import select_tasks

FAMILIES = {
    "bandit": ("AnyMDP-1s5a-v0",),
    "AnyMDP": ("AnyMDP-16s5a-v0", "AnyMDP-64s5a-v0"),
    "Garnet": ("Garnet-16s5a2b-v0", "Garnet-64s5a2b-v0"),
    "Darkroom": ("Darkroom-6x6-v0", "Darkroom-10x10-v0"),
    "CliffWalkingTerminal": ("CliffWalkingTerminal-v0",),
    "FrozenLake4x4": ("FrozenLake4x4-v0",),
    "FrozenLake4x4Slippery": ("FrozenLake4x4Slippery-v0",),
    "DiscretePendulum": (
        "DiscretePendulum-g1-v0",
        "DiscretePendulum-g5-v0",
        "DiscretePendulum-g9.8-v0",
    ),
    "Switch2": ("Switch2-v0",),
}
EPISODES, TASKS, RUNS = 3000, 8, 3  # tasks per sampled environment, runs of a fixed one
ONCE = {"DiscretePendulum"}  # families whose fixed environments are played once each

AXIS_VALUES: dict[str, tuple[float, ...]] = {
    "c": (0.0, 0.0003, 0.003, 0.03, 0.3, 3.0, 30.0, 300.0),
    "alpha": (0.001, 0.01, 0.03, 0.1, 0.5, 1.0),
    "m": (0.0, 0.04, 0.4, 4.0, 40.0, 400.0, 4000.0, 40000.0),
    "power": (0.5, 1.0),
}
"""The values that an axis may take, in order. Some ends are bounds by nature: no bonus at all (c = 0, and
m = 0, whose logarithm is in it), steps that forget everything (alpha = 1); and there are but two powers, the
authors' 1/2 and the averages' 1."""
BOUNDS = {("c", 0.0), ("m", 0.0), ("alpha", 1.0), ("power", 0.5), ("power", 1.0)}
START = {"c": (0.003, 3.0), "alpha": (0.1, 1.0), "m": (40.0, 4000.0), "power": (0.5, 1.0)}

Axes = dict[str, tuple[float, float]]
"""The ends of each axis; its values are those of the ladder from one to the other."""


def make_grid(variant: float, axes: Axes) -> Iterator[TQLSettings]:
    """Every point of a variant's grid; variant (b) has no c, and m = 0 leaves no bonus to scale."""
    values = {k: [x for x in AXIS_VALUES[k] if lo <= x <= hi] for k, (lo, hi) in axes.items()}
    bonuses = values["c"] if variant == BONUS else [0.0]
    for alpha, m, power, c in itertools.product(
        values["alpha"], values["m"], values["power"], bonuses
    ):
        if variant == BOLTZMANN or m > 0.0 or c == 0.0:
            yield TQLSettings(variant=variant, c=c, alpha=alpha, m=m, power=power)


def widen_axes(best: TQLSettings, axes: Axes) -> Axes | None:
    """The axes with one more value where `best` lies at an end that is no bound by nature, else None."""
    for axis, (low, high) in axes.items():
        value, ladder = getattr(best, axis), AXIS_VALUES[axis]
        if (axis == "c" and best.variant == BOLTZMANN) or (axis, value) in BOUNDS:
            continue
        place = ladder.index(value)
        if value == low and place > 0:
            return axes | {axis: (ladder[place - 1], high)}
        if value == high and place < len(ladder) - 1:
            return axes | {axis: (low, ladder[place + 1])}
    return None


def scores_around(
    best: TQLSettings, scores: dict[tuple[float, ...], float]
) -> dict[str, list[list[float]]]:
    """What was played on the lines through `best`: [value, score] by axis, in order of the values.

    An axis where the best value is neither first nor last, where it is a bound by nature, or where all scores
    are the same, has not been cut too short.
    """
    axes = [axis for axis in AXIS_VALUES if axis != "c" or best.variant == BONUS]
    lines = {
        axis: [(x, astuple(replace(best, **{axis: x}))) for x in AXIS_VALUES[axis]] for axis in axes
    }
    return {
        axis: [[x, scores[key]] for x, key in line if key in scores] for axis, line in lines.items()
    }


def make_runs(family: str) -> list[Run]:
    """What every point of a family is played on."""
    return [
        Run(env_id, task, PUBLIC_SEEDS + k)
        for env_id in FAMILIES[family]
        for task in select_tasks(task_source(env_id), TASKS, PUBLIC_SEEDS)[0]
        for k in range(1 if task_source(env_id).sampled or family in ONCE else RUNS)
    ]


def score(runs: list[Run], settings: TQLSettings) -> float:
    """Mean area under the learning curve over the runs."""
    curves = [play_compiled(TQLUCB(settings), run, Budget(EPISODES)) for run in runs]
    return float(np.mean([curve.score[curve.episode % 100 == 0].mean() for curve in curves]))


def search(family: str, path: Path, workers: int) -> None:
    """Plays what is missing of a family's grid, grows it, and writes the choice."""
    file = _read(path)
    kept = file["scores"].setdefault(family, {"environments": FAMILIES[family], "points": []})
    scores = {tuple(point[:-1]): point[-1] for point in kept["points"]}
    grids: dict[float, Axes] = {BONUS: START, BOLTZMANN: START}
    runs = make_runs(family)
    while True:
        wanted = [p for variant, axes in grids.items() for p in make_grid(variant, axes)]
        missing = [p for p in wanted if astuple(p) not in scores]
        with ThreadPoolExecutor(workers) as pool:
            for point, result in zip(missing, pool.map(partial(score, runs), missing), strict=True):
                scores[astuple(point)] = round(result, 4)
                kept["points"] = [[*key, scores[key]] for key in sorted(scores)]
                _write(path, file)
        best = max(  # of equals one that is inside
            wanted, key=lambda p: (scores[astuple(p)], widen_axes(p, grids[p.variant]) is None)
        )
        larger = widen_axes(best, grids[best.variant])
        if larger is None:
            break
        grids[best.variant] = larger
    file["chosen"][family] = asdict(best)
    kept["around the choice"] = scores_around(best, scores)
    kept["points within 0.001 of the best"] = sum(
        value >= scores[astuple(best)] - 0.001 for value in scores.values()
    )
    _write(path, file)
    print(f"{family:22} {scores[astuple(best)]:.4f}  {best}", flush=True)


def _read(path: Path) -> dict[str, Any]:
    if path.exists():
        file: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return file
    return {
        "command": "python -m anymdp_baselines.tuning.tql_ucb",
        "criterion": "mean score over the tests at multiples of 100 episodes, of"
        f" {EPISODES}; {TASKS} tasks an environment, seeds from 2**32 up",
        "columns of points": [*(field.name for field in fields(TQLSettings)), "score"],
        "chosen": {},
        "scores": {},
    }


def _write(path: Path, file: dict[str, Any]) -> None:
    """The search's file, whole or not at all; a list of numbers is one line."""
    text = json.dumps(file, indent=1)
    text = re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), text)
    fresh = path.with_suffix(".new")
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(path)


def main() -> None:
    """Runs the search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], metavar="FAMILY")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    for family in given.families or FAMILIES:
        search(family, Path(__file__).with_suffix(".json"), given.workers)


if __name__ == "__main__":
    main()
