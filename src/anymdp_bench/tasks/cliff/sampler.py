"""The CliffWalking task. States and actions have the numbers of Gymnasium's CliffWalking-v1."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.grid import make_moves

ROWS, COLUMNS, HORIZON = 4, 12, 200
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left
START, GOAL = 36, 47
CLIFF = range(37, 47)


def sample(seed: int) -> TabularMDP:
    """Makes the one CliffWalking task. A fall ends in a terminal cell of the cliff and pays -100.

    Args:
        seed: it has no effect.
    """
    n = ROWS * COLUMNS
    cliff = np.isin(np.arange(n), CLIFF)
    return TabularMDP(
        make_moves(ROWS, COLUMNS, MOVES),
        np.where(cliff, -100.0, -1.0)[None, None, :],
        start=np.eye(n)[START],
        terminal=cliff | (np.arange(n) == GOAL),
        max_steps=HORIZON,
    )


def shape(reward: Float64s, terminated: Bools) -> Float64s:
    """Shapes rewards [n] for in-context agents: 1 at the goal, -1 for a fall, else -0.03."""
    end = np.where(reward > -100.0, 1.0, -1.0)
    out: Float64s = np.where(terminated, end, -0.03)
    return out
