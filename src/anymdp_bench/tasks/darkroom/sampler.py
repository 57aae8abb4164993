"""The Darkroom task: an agent walks on an empty grid until it finds the goal."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.engine.rng import integer, stream
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.tasks.grid import make_moves
from anymdp_bench.tasks.keywords import require_integer

MOVES = ((1, 0), (-1, 0), (0, 1), (0, -1))  # row+1, row-1, column+1, column-1
GOAL_REWARD, STEP_REWARD, HORIZON = 1.0, -0.01, 200
GOALS = ("corner", "random", "training", "heldout")
HELD_OUT = 0.2  # the share of the cells that are held out


def sample(seed: int, *, size: int, goal: str = "corner") -> TabularMDP:
    """Makes a Darkroom of `size` x `size` cells. The state is row * size + column.

    Entering the goal pays 1 and ends the episode. Every other step pays -0.01. The start is uniform over
    the other cells. An episode has at most 200 steps.

    Args:
        seed: the task seed. It chooses the goal if the goal is random.
        size: the number of cells along a side, at least 2.
        goal: "corner" is the cell (size-1, size-1). "random" is any cell, by seed. "training" and "heldout"
            are a cell of that part of `split_cells`, by seed.

    Raises:
        TaskError: a keyword is out of range.
    """
    require_integer("size", size, 2, 1000)
    if goal not in GOALS:
        raise TaskError(f"goal is {goal!r}; give {', '.join(GOALS[:-1])} or {GOALS[-1]}")
    n = size * size
    if goal == "corner":
        cell = n - 1
    else:
        training, held_out = split_cells(size)
        cells = {"random": np.arange(n), "training": training, "heldout": held_out}[goal]
        cell = int(cells[integer(stream("Darkroom", size, seed), 0, len(cells))])
    terminal = np.arange(n) == cell
    reward = np.where(terminal, GOAL_REWARD, STEP_REWARD)
    return TabularMDP(
        make_moves(size, size, MOVES),
        reward[None, None, :],
        start=~terminal / (n - 1),
        terminal=terminal,
        max_steps=HORIZON,
    )


def split_cells(size: int) -> tuple[Int64s, Int64s]:
    """Splits the cells into (training cells, held-out cells), each ascending.

    A fixed random fifth of the cells is held out. An agent that was trained on training cells alone can be
    tested on the held-out cells.

    Args:
        size: the number of cells along a side.
    """
    n = size * size
    order, rng = np.arange(n), stream("Darkroom", "split", size)
    for k in range(n - 1, 0, -1):  # the method of Fisher and Yates
        j = int(integer(rng, 0, k + 1))
        order[[k, j]] = order[[j, k]]
    out = max(1, round(HELD_OUT * n))
    return np.sort(order[out:]), np.sort(order[:out])
