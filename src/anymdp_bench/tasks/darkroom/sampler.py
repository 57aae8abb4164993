"""The Darkroom task: walk in the dark until the goal is found."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.rng import integer, stream
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.tasks.family import require
from anymdp_bench.tasks.grid import moves

MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))  # row+1, row-1, column+1, column-1
GOAL_REWARD, STEP_REWARD, HORIZON = 1.0, -0.01, 200


def sample(seed: int, *, size: int, goal: str = "corner") -> TabularMDP:
    """The Darkroom of `size` x `size` cells; state = row * size + column.

    Reward 1 on entering the goal, which is terminal, else -0.01; uniform start elsewhere; 200 steps.

    Args:
        seed: chooses the goal where it is random.
        size: cells along a side, at least 2.
        goal: "corner" (size-1, size-1), or "random": any cell, by seed.

    Raises:
        TaskError: a keyword is out of range.
    """
    require("size", size, 2, 1000)
    if goal not in ("corner", "random"):
        raise TaskError(f"goal is {goal!r}; give 'corner' or 'random'")
    n = size * size
    cell = n - 1 if goal == "corner" else int(integer(stream("Darkroom", size, seed), 0, n))
    terminal = np.arange(n) == cell
    reward = np.where(terminal, GOAL_REWARD, STEP_REWARD)
    return TabularMDP(
        moves(size, size, MOVES),
        reward[None, None, :],
        start=~terminal / (n - 1),
        terminal=terminal,
        max_steps=HORIZON,
    )
