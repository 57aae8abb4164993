"""The search of TQL-UCB's settings per task family: successive halving that ends with the whole budget.

    python -m anymdp_baselines.tuning.tql_ucb [FAMILY ...]

The first round has the benchmark's discount, and the second tries four. The last has the 10,000 episodes of
suite `table1`. See `halving` for the rest; `tql_ucb.json` beside this file holds every score and the choices.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_baselines.tuning.halving import HalvingSearch, Round
from anymdp_bench.evaluation import Budget, Curve, Run, play_compiled

FIRST_GAMMA = 0.994

EXPLORATION = ((BONUS, 0.0), (BONUS, 0.03), (BONUS, 0.3), (BONUS, 3.0), (BOLTZMANN, 0.0))
"""(variant, c) of each kind of exploration; the variant (b) has no c."""
ALPHAS, MS, POWERS = (0.2, 0.5, 1.0), (4.0, 40.0, 400.0, 4000.0), (0.5, 1.0)


def make_grid() -> list[TQLSettings]:
    """Returns the points of the first round."""
    return [
        TQLSettings(variant=variant, gamma=FIRST_GAMMA, c=c, alpha=alpha, m=m, power=power)
        for (variant, c), alpha, m, power in itertools.product(EXPLORATION, ALPHAS, MS, POWERS)
    ]


def play(settings: TQLSettings, run: Run, episodes: int) -> Curve:
    """Plays a run by settings."""
    return play_compiled(TQLUCB(settings), run, Budget(episodes))


DISCOUNTS = {"gamma": (0.98, 0.99, 0.994, 0.998)}
SEARCH = HalvingSearch(
    Path(__file__).with_suffix(".json"),
    TQLSettings,
    make_grid,
    play,
    rounds=(
        Round(0, 2000, 2),
        Round(12, 2500, 4, DISCOUNTS),
        Round(8, 5000, 8),
        Round(3, 10_000, 16),
    ),
    fewer_runs=(
        Round(0, 1000, 1),
        Round(12, 2000, 1, DISCOUNTS),
        Round(6, 5000, 2),
        Round(3, 10_000, 4),
    ),
)

if __name__ == "__main__":
    SEARCH.main(__doc__)
