"""The rules of Switch2, laid out as tables over joint states and joint actions.

A 3x7 grid, two blocks two columns wide joined by a corridor, the middle row: 15 free cells, numbered row
by row. Agent 1 goes from (0,1) to (0,6), agent 2 from (0,5) to (0,0). They move in that order; a wall,
the border or the other agent stops a move. -0.1 a step, +5 for the step of arrival; an arrived
agent stays, is in the way and gets 0. The episode ends when both have arrived, or after 50 steps. The rules
are those of Switch2 in ma-gym (koulanurag/ma-gym), with its clock left out of the observation.
"""

from __future__ import annotations

from functools import cache
from itertools import permutations

import numpy as np

from anymdp_bench.engine.arrays import Frame
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.grid import draw_grid, write_grid
from anymdp_bench.tasks.joint import JointGame, JointTask, make_joint_task

ROWS, COLUMNS, HORIZON = 3, 7, 50
CELLS = tuple((r, c) for r in range(ROWS) for c in range(COLUMNS) if r == 1 or c < 2 or c > 4)
MOVES = ((1, 0), (0, -1), (-1, 0), (0, 1), (0, 0))  # down, left, up, right, no-op
START = (CELLS.index((0, 1)), CELLS.index((0, 5)))
GOAL = (CELLS.index((0, 6)), CELLS.index((0, 0)))
STEP_REWARD, GOAL_REWARD = -0.1, 5.0
SHAPED_GOAL, SHAPED_CLOSER, SHAPED_FARTHER, SHAPED_STILL = 1.0, 0.08, -0.12, -0.04


KINDS = dict.fromkeys(CELLS, ".") | {CELLS[goal]: "ab"[i] for i, goal in enumerate(GOAL)}
"""What the grid's picture shows in each cell: floor, and the agents' goals a and b."""


def joint_states() -> list[tuple[int, ...]]:
    """The cells of both agents in each joint state."""
    return list(permutations(range(len(CELLS)), 2))


def _marks(cells: tuple[int, ...]) -> dict[tuple[int, int], str]:
    return {CELLS[cell]: str(i + 1) for i, cell in enumerate(cells)}


def draw(cells: tuple[int, ...]) -> Frame:
    """The grid as uint8 [height, width, 3]; `cells` are the agents' cell indices."""
    return draw_grid(ROWS, COLUMNS, KINDS, _marks(cells))


def write(cells: tuple[int, ...]) -> str:
    """The grid in characters: agents 1 and 2, their goals a and b."""
    return write_grid(ROWS, COLUMNS, KINDS | _marks(cells))


@cache
def make_switch2() -> JointGame:
    """The one Switch2; joint action = 5 * action of agent 1 + action of agent 2."""
    states = joint_states()
    index: dict[tuple[int, ...], int] = {state: k for k, state in enumerate(states)}
    n, joint = len(states), len(MOVES) ** 2
    following = np.zeros((n, joint), np.int64)
    reward, shaped = np.zeros((n, joint, 2)), np.zeros((n, joint))
    for k, state in enumerate(states):
        for action in range(joint):
            arrived, own, hints = _move(state, divmod(action, len(MOVES)))
            following[k, action] = index[arrived]
            reward[k, action] = own
            shaped[k, action] = sum(hints)
    terminal = np.arange(n) == index[GOAL]
    prob, total = np.zeros((n, joint, n)), np.zeros((n, joint, n))
    place = np.arange(n)[:, None], np.arange(joint)[None, :], following
    prob[place] = 1.0
    total[place] = reward.sum(axis=2)
    prob[terminal] = total[terminal] = 0.0
    mdp = TabularMDP(
        prob, total, start=np.eye(n)[index[START]], terminal=terminal, max_steps=HORIZON
    )
    cells = np.array(states, np.int64)
    column = np.array([c for _, c in CELLS])
    seen = len(CELLS) * column[cells[:, ::-1]] + cells
    for array in (seen, following, reward, shaped):
        array.setflags(write=False)
    sizes = (COLUMNS * len(CELLS), len(MOVES))
    return JointGame(mdp, seen, following, reward, shaped, *sizes, lambda k: draw(states[k]))


def make_task(seed: int) -> JointTask:
    """The one Switch2 as a task; every `seed` gives it."""
    return make_joint_task(make_switch2())


def _move(
    state: tuple[int, ...], actions: tuple[int, ...]
) -> tuple[tuple[int, ...], list[float], list[float]]:
    """(the next joint state, each agent's reward, each one's shaped reward)."""
    now = list(state)
    rewards, shaped = [0.0, 0.0], [0.0, 0.0]
    for i, action in enumerate(actions):
        if now[i] == GOAL[i]:
            continue
        (row, column), (down, right) = CELLS[now[i]], MOVES[action]
        target = (row + down, column + right)
        if target in CELLS and CELLS.index(target) != now[1 - i]:
            now[i] = CELLS.index(target)
        nearer = _distance(GOAL[i])[state[i]] - _distance(GOAL[i])[now[i]]
        if now[i] == GOAL[i]:
            rewards[i], shaped[i] = GOAL_REWARD, SHAPED_GOAL
        else:
            rewards[i] = STEP_REWARD
            shaped[i] = (SHAPED_STILL, SHAPED_CLOSER, SHAPED_FARTHER)[nearer]
    return tuple(now), rewards, shaped


@cache
def _distance(goal: int) -> tuple[int, ...]:
    """Moves from each cell to `goal`, the other agent apart."""
    found = {goal: 0}
    edge = [goal]
    for cell in edge:
        row, column = CELLS[cell]
        for down, right in MOVES[:4]:
            target = (row + down, column + right)
            if target in CELLS and (k := CELLS.index(target)) not in found:
                found[k] = found[cell] + 1
                edge.append(k)
    return tuple(found[k] for k in range(len(CELLS)))
