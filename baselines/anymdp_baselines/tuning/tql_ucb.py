"""The search of TQL-UCB's settings per task family: successive halving that ends with the whole budget.

    python -m anymdp_baselines.tuning.tql_ucb [FAMILY ...]

The first round plays all points of the grid for some episodes at the benchmark's discount. The best of them
play the second round at four discounts, and the best of those play longer and on more tasks, until the last
round has the 10,000 episodes of suite `table1` (`ROUNDS`). The tasks are those that no suite uses, with seeds
from 2**32 up; on a fixed task it uses runs that no suite uses.

A round ranks points by the end of their runs, and points with equal ends by their speed
(`anymdp_baselines.tuning.search.rank`). The file `tql_ucb.json` beside this one holds both for every point
and round, and the choices. It is written after every point, and the same command continues from it.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, astuple, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_baselines.tuning.search import (
    CRITERION,
    FAMILIES,
    family_parser,
    make_runs,
    rank,
    read_search,
    score_curves,
    write_search,
)
from anymdp_bench.evaluation import Budget, Run, play_compiled

Key = tuple[float, ...]
"""The fields of `TQLSettings`, in order."""

FIRST_GAMMA = 0.994

EXPLORATION = ((BONUS, 0.0), (BONUS, 0.03), (BONUS, 0.3), (BONUS, 3.0), (BOLTZMANN, 0.0))
"""(variant, c) of each kind of exploration; the variant (b) has no c."""
ALPHAS, MS, POWERS = (0.2, 0.5, 1.0), (4.0, 40.0, 400.0, 4000.0), (0.5, 1.0)


class Round(NamedTuple):
    """A round of a search.

    Attributes:
        kept: the number of points that are kept from the round before; 0 in the first.
        episodes: the episodes of a run.
        tasks: the tasks of an environment with sampled tasks, or the runs of one with a fixed task.
        gammas: the discounts at which each kept point is played; if empty, at its own.
    """

    kept: int
    episodes: int
    tasks: int
    gammas: tuple[float, ...] = ()


ROUNDS = (
    Round(0, 2000, 2),
    Round(12, 2500, 4, gammas=(0.98, 0.99, 0.994, 0.998)),
    Round(8, 5000, 8),
    Round(3, 10_000, 16),
)
FEWER_RUNS = (
    Round(0, 1000, 1),
    Round(12, 2000, 1, gammas=(0.98, 0.99, 0.994, 0.998)),
    Round(6, 5000, 2),
    Round(3, 10_000, 4),
)
"""The rounds of families whose tasks are one task, or much alike."""
SAMPLED = frozenset({"AnyMDP", "bandit"})
"""The families whose tasks differ much from each other; they play `ROUNDS`, the others `FEWER_RUNS`."""

PATH = Path(__file__).with_suffix(".json")
_ONE_LINE = r"\[[^][{}]*\]"  # a list of numbers


def make_grid() -> list[TQLSettings]:
    """Returns the points of the first round."""
    return [
        TQLSettings(variant=variant, gamma=FIRST_GAMMA, c=c, alpha=alpha, m=m, power=power)
        for (variant, c), alpha, m, power in itertools.product(EXPLORATION, ALPHAS, MS, POWERS)
    ]


def select_points(before: dict[Key, tuple[float, float]] | None, one: Round) -> list[TQLSettings]:
    """Returns the points of a round.

    Args:
        before: the scores (end, speed) of the round before; None for the first round.
        one: the round.
    """
    if before is None:
        return make_grid()
    best = [TQLSettings(*key) for key in rank(before)[: one.kept]]
    return [replace(point, gamma=gamma) for point in best for gamma in one.gammas or (point.gamma,)]


def score(runs: list[Run], settings: TQLSettings, episodes: int) -> tuple[float, float]:
    """Plays all runs, and returns their mean (end, speed)."""
    return score_curves([play_compiled(TQLUCB(settings), run, Budget(episodes)) for run in runs])


def search(family: str, file: dict[str, Any], path: Path) -> None:
    """Plays the missing points of a family's rounds, and writes its choice."""
    schedule = ROUNDS if family in SAMPLED else FEWER_RUNS
    new = {"environments": FAMILIES[family], "rounds": [[] for _ in schedule]}
    rounds = file["scores"].setdefault(family, new)["rounds"]
    before = None
    for played, one in zip(rounds, schedule, strict=True):
        scores = {tuple(row[:-2]): (row[-2], row[-1]) for row in played}
        runs = make_runs(FAMILIES[family], one.tasks, one.tasks)
        for point in select_points(before, one):
            if astuple(point) not in scores:
                scores[astuple(point)] = score(runs, point, one.episodes)
                played[:] = [[*key, *scores[key]] for key in rank(scores)]
                write_search(path, file, _ONE_LINE)
        before = scores
    best = rank(scores)[0]
    file["chosen"][family] = asdict(TQLSettings(*best))
    write_search(path, file, _ONE_LINE)
    print(f"{family:22} {scores[best]}  {TQLSettings(*best)}", flush=True)


def new_file() -> dict[str, Any]:
    """Returns the content of a search's file before its first point."""
    return {
        "command": "python -m anymdp_baselines.tuning.tql_ucb",
        "criterion": CRITERION,
        "rounds (points kept, episodes, tasks, discounts)": [list(one) for one in ROUNDS],
        "rounds of all but AnyMDP and bandit": [list(one) for one in FEWER_RUNS],
        "columns of points": [*(field.name for field in fields(TQLSettings)), "end", "speed"],
        "chosen": {},
        "scores": {},
    }


def read_file() -> dict[str, Any]:
    """Reads the file of the search; starts a new one where there is none or where the search has changed."""
    new, found = new_file(), read_search(PATH)
    is_same = found is not None and {**found, "chosen": {}, "scores": {}} == json.loads(
        json.dumps(new)
    )
    return found if found is not None and is_same else new


def main() -> None:
    """Plays the missing points and prints the choices."""
    file = read_file()
    for family in family_parser(__doc__).parse_args().families or FAMILIES:
        search(family, file, PATH)


if __name__ == "__main__":
    main()
