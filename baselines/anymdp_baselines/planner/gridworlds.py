"""Grid worlds to train on: random mazes with walls, pits, slippery floors and a goal.

They resemble grid benchmarks in kind and in nothing else: size, walls, pits, start, goal, rewards
and slips are all random, and cells have random ids. A world without any wall, pit or slip (an open
grid, as Darkroom is) is never drawn. No environment of the benchmark is among them.
"""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.family import TaskFamily
from anymdp_bench.tasks.grid import make_moves

_MOVES = ((1, 0), (0, 1), (-1, 0), (0, -1), (0, 0))
_STEP_REWARDS = (0.0, 0.0, -0.01, -0.03, -0.1)
_SMALLEST = 3  # cells along a side


def sample(seed: int, *, n_observations: int, n_actions: int) -> TabularMDP:
    """Returns the world of `seed`, drawn again until the goal makes a difference.

    Args:
        seed: the seed of the task.
        n_observations: number of ids; the world has at most so many cells, at least 9.
        n_actions: 4 make_moves, or 5 with standing still.
    """
    rng = np.random.default_rng(int(stream("omnirl world", n_observations, n_actions, seed)[0]))
    while True:
        mdp = _draw(rng, n_observations, n_actions)
        if mdp is not None and compute_references(mdp).is_scorable:
            return mdp


def _draw(rng: np.random.Generator, n_observations: int, n_actions: int) -> TabularMDP | None:
    """Draws a world; returns None where no cell is left to start from or nothing stands in the way."""
    rows = int(rng.integers(_SMALLEST, n_observations // _SMALLEST + 1))
    columns = int(rng.integers(_SMALLEST, n_observations // rows + 1))
    n = rows * columns
    wall = rng.random(n) < max(rng.uniform(-0.2, 0.3), 0.0)
    pit = (rng.random(n) < max(rng.uniform(-0.2, 0.35), 0.0)) & ~wall
    goal = rng.integers(n)
    wall[goal] = pit[goal] = False
    slip = max(rng.uniform(-0.7, 0.7), 0.0)
    if not (wall.any() or pit.any() or slip > 0.0):
        return None
    prob = _add_slips(_add_walls(make_moves(rows, columns, _MOVES[:n_actions]), wall), rng, slip)
    step = rng.choice(_STEP_REWARDS)
    reward = np.full(n, step)
    reward[pit] = rng.choice((0.0, -1.0, -0.2)) + step
    reward[goal] = 1.0
    free = ~wall & ~pit
    free[goal] = False
    if not free.any():
        return None
    start = free / free.sum()
    if rng.random() < 0.6:
        start = np.eye(n)[rng.choice(np.flatnonzero(free))]
    terminal = pit.copy()
    terminal[goal] = rng.random() < 0.9
    return TabularMDP(
        prob,
        reward[None, None, :],
        start=start,
        terminal=terminal,
        max_steps=int(rng.uniform(2 * (rows + columns), max(4 * n, 100))),
        observation=rng.permutation(n_observations)[:n],
        n_observations=n_observations,
    )


def _add_walls(prob: Float64s, wall: Bools) -> Float64s:
    """Returns transitions in which a move into a wall stays where it is."""
    out = prob.copy()
    n = len(wall)
    blocked = out[:, :, wall].sum(-1)
    out[:, :, wall] = 0.0
    out[np.arange(n), :, np.arange(n)] += blocked
    return out


def _add_slips(prob: Float64s, rng: np.random.Generator, slip: float) -> Float64s:
    """Returns transitions in which another move happens with probability `slip`: at right angles, or any."""
    if slip == 0.0:
        return prob
    if rng.random() < 0.5:
        other = prob[:, :4].mean(1, keepdims=True)
        out: Float64s = (1.0 - slip) * prob + slip * other
        return out
    out = prob.copy()
    for a in range(4):  # standing still never slips
        aside = 0.5 * (prob[:, (a + 1) % 4] + prob[:, (a + 3) % 4])
        out[:, a] = (1.0 - slip) * prob[:, a] + slip * aside
    return out


GRIDWORLDS = TaskFamily("gridworlds", f"{__name__}:sample")
