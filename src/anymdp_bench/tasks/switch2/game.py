"""The rules of Switch2, as tables over joint states and joint actions.

The grid has 3 rows and 7 columns. Two blocks of two columns each are joined by a corridor, the middle row.
There are 15 free cells, numbered row by row. Agent 1 goes from (0,1) to (0,6), and agent 2 from (0,5) to
(0,0). Agent 1 moves first. A wall, the border or the other agent stops a move. A step pays -0.1, and the
step of arrival pays 5. An agent that has arrived stays, is in the way, and gets 0. The episode ends when
both have arrived, or after 50 steps. These are the rules of Switch2 in ma-gym (koulanurag/ma-gym), but the
observation leaves out the clock.
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
"""The kind of each cell in a frame: floor, or the goal a or b of an agent."""


def joint_states() -> list[tuple[int, ...]]:
    """Lists the cells of both agents in each joint state."""
    return list(permutations(range(len(CELLS)), 2))


def _mark_agents(cells: tuple[int, ...]) -> dict[tuple[int, int], str]:
    return {CELLS[cell]: str(i + 1) for i, cell in enumerate(cells)}


def draw(cells: tuple[int, ...]) -> Frame:
    """Draws the grid with the agents in the cells of the given indices."""
    return draw_grid(ROWS, COLUMNS, KINDS, _mark_agents(cells))


def draw_joint_state(index: int) -> Frame:
    """Draws the grid in the joint state with the given index."""
    return draw(joint_states()[index])


def write(cells: tuple[int, ...]) -> str:
    """Writes the grid in characters, with agents 1 and 2 and their goals a and b."""
    return write_grid(ROWS, COLUMNS, KINDS | _mark_agents(cells))


@cache
def make_switch2() -> JointGame:
    """Makes the one game. A joint action is 5 * action of agent 1 + action of agent 2."""
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
    return JointGame(mdp, seen, following, reward, shaped, *sizes, draw_joint_state)


def make_task(seed: int) -> JointTask:
    """Makes the one game as a task.

    Args:
        seed: it has no effect.
    """
    return make_joint_task(make_switch2())


def _move(
    state: tuple[int, ...], actions: tuple[int, ...]
) -> tuple[tuple[int, ...], list[float], list[float]]:
    """Returns (the next joint state, the reward of each agent, the shaped reward of each agent)."""
    now = list(state)
    rewards, shaped = [0.0, 0.0], [0.0, 0.0]
    for i, action in enumerate(actions):
        if now[i] == GOAL[i]:
            continue
        (row, column), (down, right) = CELLS[now[i]], MOVES[action]
        target = (row + down, column + right)
        if target in CELLS and CELLS.index(target) != now[1 - i]:
            now[i] = CELLS.index(target)
        nearer = _measure_distance(GOAL[i])[state[i]] - _measure_distance(GOAL[i])[now[i]]
        if now[i] == GOAL[i]:
            rewards[i], shaped[i] = GOAL_REWARD, SHAPED_GOAL
        else:
            rewards[i] = STEP_REWARD
            shaped[i] = (SHAPED_STILL, SHAPED_CLOSER, SHAPED_FARTHER)[nearer]
    return tuple(now), rewards, shaped


@cache
def _measure_distance(goal: int) -> tuple[int, ...]:
    """Returns the number of moves from each cell to `goal`, without the other agent."""
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
