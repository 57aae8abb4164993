"""The search of UCBVI's constant per task family: a line search that ends when its best value is inside.

    python -m anymdp_baselines.tuning.ucbvi [FAMILY ...] [--episodes N] [--tasks N]

The search plays constants for the whole budget of suite `table1`, on tasks that no suite uses, with seeds
from 2**32 up; on a fixed task it uses runs that no suite uses. Constants are ranked as points are in the
search of TQL-UCB (`anymdp_baselines.tuning.tql_ucb`): by the end of their runs, then by speed. A constant for
short runs must not choose: a small bonus is the faster one, and stands still below the optimum for ever.
Where the best constant is the first or the last, the search plays the next one beyond it. The file
`ucbvi.json` beside this one is written after every constant, and the same command continues from it; with
another number of episodes or tasks a family starts again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anymdp_baselines.tabular.ucbvi import UCBVI
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

CONSTANTS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
START = (0.001, 0.01, 0.1, 1.0)
FIXED_RUNS = 3  # of an environment with one fixed task
PATH = Path(__file__).with_suffix(".json")
_ONE_LINE = r"\[[^][{}]*\]"  # a list of numbers

Scores = dict[float, tuple[float, float]]
"""(end, speed) by constant."""


def score(c: float, runs: list[Run], episodes: int) -> tuple[float, float]:
    """Plays all runs, and returns their mean (end, speed)."""
    return score_curves([play_compiled(UCBVI(c), run, Budget(episodes)) for run in runs])


def find_missing(scores: Scores) -> list[float]:
    """Returns the constants to play next: those of `START`, then those beside the best one."""
    missing = [c for c in START if c not in scores]
    if missing:
        return missing
    place = CONSTANTS.index(find_best(scores))
    beside = [CONSTANTS[k] for k in (place - 1, place + 1) if 0 <= k < len(CONSTANTS)]
    return [c for c in beside if c not in scores]


def find_best(scores: Scores) -> float:
    """Returns the best constant; among equal ones, the smallest."""
    return rank(scores)[0]


def main() -> None:
    """Plays the missing constants and prints the choices."""
    parser = family_parser(__doc__)
    parser.add_argument("--episodes", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=16, help="tasks per sampled environment")
    given = parser.parse_args()
    file: dict[str, Any] = read_search(PATH) or {}
    file |= {
        "command": "python -m anymdp_baselines.tuning.ucbvi",
        "criterion": CRITERION,
    }
    numbers = {"episodes": given.episodes, "tasks": given.tasks}
    for family in given.families or FAMILIES:
        own = file.setdefault("scores", {}).get(family, {})
        if {k: own.get(k) for k in numbers} != numbers:
            own = {"environments": FAMILIES[family], **numbers, "by constant": {}}
        scores = {float(c): (end, speed) for c, (end, speed) in own["by constant"].items()}
        runs = make_runs(FAMILIES[family], given.tasks, FIXED_RUNS)
        while wanted := find_missing(scores):
            for c in wanted:
                scores[c] = score(c, runs, given.episodes)
                own["by constant"] = {str(c): list(scores[c]) for c in sorted(scores)}
                file["scores"][family] = own
                write_search(PATH, file, _ONE_LINE)
        chosen = find_best(scores)
        file.setdefault("chosen", {})[family] = chosen
        write_search(PATH, file, _ONE_LINE)
        print(f"{family:22} {scores[chosen]}  c = {chosen}", flush=True)


if __name__ == "__main__":
    main()
