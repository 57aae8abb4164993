"""The search of the settings of `tql-ucb-fast` per task family, by speed alone.

    python -m anymdp_baselines.tuning.tql_ucb_fast [FAMILY ...] [--workers N]

A grid grows until its best point is inside. It was the search of `tql-ucb` up to version 3.

The search plays every point of the grid on tasks that no suite uses, with seeds from 2**32 up; on a fixed
task it uses runs that no suite uses. The score of a point is the mean over the tests at multiples of 100
episodes. This is the area under its learning curve, so the speed of learning counts as well as the end.
Where the best point is at an end of an axis, and this end is no natural bound, the axis gets its next value
and the search plays the new points. The file `tql_ucb_fast.json` beside this one is written after every
point, and the same command continues from it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_baselines.tuning.search import (
    FAMILIES,
    family_parser,
    make_runs,
    read_search,
    write_search,
)
from anymdp_bench.evaluation import Budget, Run, play_compiled

EPISODES, TASKS, RUNS = 3000, 8, 3  # tasks of a sampled environment, runs of a fixed one
ONE_RUN = {"DiscretePendulum"}  # families with one run of each fixed environment

AXIS_VALUES: dict[str, tuple[float, ...]] = {
    "c": (0.0, 0.0003, 0.003, 0.03, 0.3, 3.0, 30.0, 300.0),
    "alpha": (0.001, 0.01, 0.03, 0.1, 0.5, 1.0),
    "m": (0.0, 0.04, 0.4, 4.0, 40.0, 400.0, 4000.0, 40000.0),
    "power": (0.5, 1.0),
}
"""The values of each axis, in order.

Some ends are natural bounds: c = 0 is no bonus, and m = 0 is none either, since ln(m + 1) is a factor of it.
With alpha = 1 a step forgets everything before. There are only two powers: the authors' 1/2, and 1 for means.
"""
BOUNDS = {("c", 0.0), ("m", 0.0), ("alpha", 1.0), ("power", 0.5), ("power", 1.0)}
START = {"c": (0.003, 3.0), "alpha": (0.1, 1.0), "m": (40.0, 4000.0), "power": (0.5, 1.0)}
_ONE_LINE = r"\[[^][{}]*\]"  # a list of numbers

Axes = dict[str, tuple[float, float]]
"""The ends of each axis; a grid has all values of `AXIS_VALUES` from one end to the other."""


def make_grid(variant: float, axes: Axes) -> Iterator[TQLSettings]:
    """Yields all points of a variant's grid.

    Variant (b) has no c. With m = 0 there is no bonus, so c is 0 there.
    """
    values = {k: [x for x in AXIS_VALUES[k] if lo <= x <= hi] for k, (lo, hi) in axes.items()}
    bonuses = values["c"] if variant == BONUS else [0.0]
    for alpha, m, power, c in itertools.product(
        values["alpha"], values["m"], values["power"], bonuses
    ):
        if variant == BOLTZMANN or m > 0.0 or c == 0.0:
            yield TQLSettings(variant=variant, c=c, alpha=alpha, m=m, power=power)


def widen_axes(best: TQLSettings, axes: Axes) -> Axes | None:
    """Returns the axes with one more value, where `best` is at an end that is no natural bound, or None."""
    for axis, (low, high) in axes.items():
        value, values = getattr(best, axis), AXIS_VALUES[axis]
        if (axis == "c" and best.variant == BOLTZMANN) or (axis, value) in BOUNDS:
            continue
        place = values.index(value)
        if value == low and place > 0:
            return axes | {axis: (values[place - 1], high)}
        if value == high and place < len(values) - 1:
            return axes | {axis: (low, values[place + 1])}
    return None


def scores_around(
    best: TQLSettings, scores: dict[tuple[float, ...], float]
) -> dict[str, list[list[float]]]:
    """Returns the scores on the lines through `best`: [value, score] by axis, in the order of the values.

    An axis is long enough where the best value is neither the first nor the last, where it is a natural
    bound, or where all scores are equal.
    """
    axes = [axis for axis in AXIS_VALUES if axis != "c" or best.variant == BONUS]
    lines = {
        axis: [(x, astuple(replace(best, **{axis: x}))) for x in AXIS_VALUES[axis]] for axis in axes
    }
    return {
        axis: [[x, scores[key]] for x, key in line if key in scores] for axis, line in lines.items()
    }


def score(runs: list[Run], settings: TQLSettings) -> float:
    """Plays all runs, and returns the mean area under their learning curves."""
    curves = [play_compiled(TQLUCB(settings), run, Budget(EPISODES)) for run in runs]
    return float(np.mean([curve.score[curve.episode % 100 == 0].mean() for curve in curves]))


def search(family: str, path: Path, workers: int) -> None:
    """Plays the missing points of a family's grid, widens the grid, and writes the choice.

    Args:
        family: a name of `FAMILIES`.
        path: the file of the search.
        workers: the number of threads.
    """
    file = read_search(path) or _new_file()
    own = file["scores"].setdefault(family, {"environments": FAMILIES[family], "points": []})
    scores = {tuple(point[:-1]): point[-1] for point in own["points"]}
    grids: dict[float, Axes] = {BONUS: START, BOLTZMANN: START}
    runs = make_runs(FAMILIES[family], TASKS, 1 if family in ONE_RUN else RUNS)
    while True:
        wanted = [p for variant, axes in grids.items() for p in make_grid(variant, axes)]
        missing = [p for p in wanted if astuple(p) not in scores]
        with ThreadPoolExecutor(workers) as pool:
            for point, result in zip(missing, pool.map(partial(score, runs), missing), strict=True):
                scores[astuple(point)] = round(result, 4)
                own["points"] = [[*key, scores[key]] for key in sorted(scores)]
                write_search(path, file, _ONE_LINE)
        best = max(  # among equal scores, one inside the grid
            wanted, key=lambda p: (scores[astuple(p)], widen_axes(p, grids[p.variant]) is None)
        )
        wider = widen_axes(best, grids[best.variant])
        if wider is None:
            break
        grids[best.variant] = wider
    file["chosen"][family] = asdict(best)
    own["around the choice"] = scores_around(best, scores)
    own["points within 0.001 of the best"] = sum(
        value >= scores[astuple(best)] - 0.001 for value in scores.values()
    )
    write_search(path, file, _ONE_LINE)
    print(f"{family:22} {scores[astuple(best)]:.4f}  {best}", flush=True)


def _new_file() -> dict[str, Any]:
    """Returns the content of a search's file before its first point."""
    return {
        "command": "python -m anymdp_baselines.tuning.tql_ucb_fast",
        "criterion": "mean score over the tests at multiples of 100 episodes, of"
        f" {EPISODES}; {TASKS} tasks an environment, seeds from 2**32 up",
        "columns of points": [*(field.name for field in fields(TQLSettings)), "score"],
        "chosen": {},
        "scores": {},
    }


def main() -> None:
    """Plays the missing points and prints the choices."""
    parser = family_parser(__doc__)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    for family in given.families or FAMILIES:
        search(family, Path(__file__).with_suffix(".json"), given.workers)


if __name__ == "__main__":
    main()
