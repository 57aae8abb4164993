"""The search of UCBVI's constant per task family: a line search that ends when its best value is inside.

    python -m anymdp_baselines.tuning.ucbvi [FAMILY ...] [--episodes N] [--tasks N]

The search plays constants on tasks that no suite uses, with seeds from 2**32 up; on a fixed task it uses
runs that no suite uses. The score of a constant is the mean over all tests. Tests are dense early in a run,
so the speed of learning counts more than the end. Where the best constant is the first or the last, the
search plays the next one beyond it. The file `ucbvi.json` beside this one is written after every constant,
and the same command continues from it; with another number of episodes or tasks a family starts again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anymdp_baselines.tabular.ucbvi import UCBVI
from anymdp_baselines.tuning.search import (
    FAMILIES,
    family_parser,
    make_runs,
    read_search,
    write_search,
)
from anymdp_bench.evaluation import Budget, Run, play_compiled

CONSTANTS = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
START = (0.001, 0.003, 0.01)
FIXED_RUNS = 3  # of an environment with one fixed task
PATH = Path(__file__).with_suffix(".json")


def score(c: float, runs: list[Run], episodes: int) -> float:
    """Plays all runs, and returns the mean score over all tests."""
    scores = [play_compiled(UCBVI(c), run, Budget(episodes)).score.mean() for run in runs]
    return round(float(np.mean(scores)), 4)


def find_missing(scores: dict[float, float]) -> list[float]:
    """Returns the constants to play next: those of `START`, then those beside the best one."""
    missing = [c for c in START if c not in scores]
    if missing:
        return missing
    place = CONSTANTS.index(find_best(scores))
    beside = [CONSTANTS[k] for k in (place - 1, place + 1) if 0 <= k < len(CONSTANTS)]
    return [c for c in beside if c not in scores]


def find_best(scores: dict[float, float]) -> float:
    """Returns the constant with the highest score; among equal scores, the smallest constant."""
    return min(scores, key=lambda c: (-scores[c], c))


def main() -> None:
    """Plays the missing constants and prints the choices."""
    parser = family_parser(__doc__)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=8, help="tasks per sampled environment")
    given = parser.parse_args()
    file: dict[str, Any] = read_search(PATH) or {}
    file |= {
        "command": "python -m anymdp_baselines.tuning.ucbvi",
        "criterion": "mean score over all test points; task seeds from 2**32 up",
    }
    numbers = {"episodes": given.episodes, "tasks": given.tasks}
    for family in given.families or FAMILIES:
        own = file.setdefault("scores", {}).get(family, {})
        if {k: own.get(k) for k in numbers} != numbers:
            own = {"environments": FAMILIES[family], **numbers, "by constant": {}}
        scores = {float(c): value for c, value in own["by constant"].items()}
        runs = make_runs(FAMILIES[family], given.tasks, FIXED_RUNS)
        while wanted := find_missing(scores):
            for c in wanted:
                scores[c] = score(c, runs, given.episodes)
                own["by constant"] = {str(c): scores[c] for c in sorted(scores)}
                file["scores"][family] = own
                write_search(PATH, file)
        chosen = find_best(scores)
        file.setdefault("chosen", {})[family] = chosen
        write_search(PATH, file)
        print(f"{family:22} {scores[chosen]:.4f}  c = {chosen}", flush=True)


if __name__ == "__main__":
    main()
