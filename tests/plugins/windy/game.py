"""The rules: a 3 x 4 grid, two walkers who may share a cell, and a wind that lifts them in one column.

Each walker earns -0.1 a step and 1 where it arrives; who has arrived stays. Both start in the bottom left
corner and want to be in the bottom right one.
"""

from functools import cache

import numpy as np

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.joint import JointGame, make_joint_task

ROWS, COLUMNS, WINDY = 3, 4, 2
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
CELLS = ROWS * COLUMNS
START, GOAL = (ROWS - 1) * COLUMNS, ROWS * COLUMNS - 1


def walk(cell, action):
    """(next cell, reward) of one walker."""
    if cell == GOAL:
        return cell, 0.0
    row, column = divmod(cell, COLUMNS)
    down, right = MOVES[action]
    row = min(max(row + down - (column == WINDY), 0), ROWS - 1)
    column = min(max(column + right, 0), COLUMNS - 1)
    after = row * COLUMNS + column
    return after, 1.0 if after == GOAL else -0.1


def draw(state):
    """A red and a blue square on white."""
    picture = np.full((ROWS, COLUMNS, 3), 255, np.uint8)
    for cell, colour in zip(divmod(state, CELLS), (0, 2), strict=True):
        picture[divmod(cell, COLUMNS)] = 0
        picture[divmod(cell, COLUMNS)][colour] = 255
    return picture.repeat(16, 0).repeat(16, 1)


@cache
def game():
    """The game as tables."""
    n, a = CELLS**2, len(MOVES)
    following, reward = np.zeros((n, a * a), np.int64), np.zeros((n, a * a, 2))
    for state in range(n):
        for joint in range(a * a):
            pairs = zip(divmod(state, CELLS), divmod(joint, a), strict=True)
            (one, r1), (two, r2) = (walk(*pair) for pair in pairs)
            following[state, joint] = one * CELLS + two
            reward[state, joint] = r1, r2
    terminal = np.arange(n) == GOAL * CELLS + GOAL
    prob, total = np.zeros((n, a * a, n)), np.zeros((n, a * a, n))
    place = np.arange(n)[:, None], np.arange(a * a)[None, :], following
    prob[place], total[place] = 1.0, reward.sum(axis=2)
    prob[terminal] = total[terminal] = 0.0
    start = np.eye(n)[START * CELLS + START]
    mdp = TabularMDP(prob, total, start=start, terminal=terminal, max_steps=40)
    seen = np.stack(np.divmod(np.arange(n), CELLS), axis=1)
    return JointGame(mdp, seen, following, reward, reward.sum(axis=2), CELLS, a, draw)


def make_task(seed):
    """The one task."""
    return make_joint_task(game())


def sample(seed):
    """The joint task as a table."""
    return game().mdp
