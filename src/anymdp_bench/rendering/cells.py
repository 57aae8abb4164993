"""Frames of tabular tasks whose states are the cells of a grid: Darkroom, CliffWalking and FrozenLake."""

from __future__ import annotations

from functools import lru_cache

from anymdp_bench.engine.arrays import Frame
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.grid import draw_grid, write_grid
from anymdp_bench.rendering.state_strip import describe_step, scale_values

Grid = tuple[int, int]
"""(rows, columns) of a grid. Its cells are numbered row by row."""


@lru_cache(maxsize=8)
def classify_cells(mdp: TabularMDP, grid: Grid) -> dict[tuple[int, int], str]:
    """Returns the kind of each cell by (row, column): G goal, x pitfall, S start, or . floor.

    A goal is a terminal cell that pays most on arrival. Where every live cell is a start, none is marked.
    """
    arriving = mdp.reward.max(axis=(0, 1))
    best = arriving[mdp.terminal].max() if mdp.terminal.any() else 0.0
    has_few_starts = (mdp.start > 0).sum() < (~mdp.terminal).sum()
    out = {}
    for s in range(mdp.n_states):
        kind = "S" if has_few_starts and mdp.start[s] > 0 else "."
        if mdp.terminal[s]:
            kind = "G" if arriving[s] == best else "x"
        out[divmod(s, grid[1])] = kind
    return out


@lru_cache(maxsize=8)
def shade_cells(mdp: TabularMDP, grid: Grid) -> dict[tuple[int, int], float]:
    """Returns V* of each cell by (row, column), scaled to 0..1 over the live cells."""
    return {divmod(s, grid[1]): float(x) for s, x in enumerate(scale_values(mdp))}


def draw_cells(mdp: TabularMDP, grid: Grid, state: int | None) -> Frame:
    """Draws the grid, with the floor coloured by V* and the agent as a disc.

    Args:
        mdp: the task.
        grid: (rows, columns).
        state: where the agent is; None draws no agent.

    Returns:
        A frame, uint8 [rows * side, columns * side, 3].
    """
    marks = {} if state is None else {divmod(state, grid[1]): "@"}
    side = max(16, 384 // max(grid))
    return draw_grid(*grid, classify_cells(mdp, grid), marks, shade_cells(mdp, grid), side)


def write_cells(
    mdp: TabularMDP, grid: Grid, state: int, elapsed: int, last: tuple[int, float] | None
) -> str:
    """Writes the grid in characters, with @ where the agent is, and a line of facts.

    Args:
        mdp: the task.
        grid: (rows, columns).
        state: where the agent is.
        elapsed: the number of steps since the episode began.
        last: (action, reward) of the latest step, or None.
    """
    characters = write_grid(*grid, classify_cells(mdp, grid) | {divmod(state, grid[1]): "@"})
    return characters + describe_step(mdp, state, elapsed, last)
