"""Pictures of tabular tasks whose states are the cells of a grid: Darkroom, CliffWalking, FrozenLake."""

from __future__ import annotations

from functools import lru_cache

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.rendering.grid import Picture, draw_grid, rescale, write_grid

Grid = tuple[int, int]


@lru_cache(maxsize=8)
def classify_cells(mdp: TabularMDP, grid: Grid) -> dict[tuple[int, int], str]:
    """G goal, x pitfall, S start, . floor, by (row, column); every cell is a start: none is marked.

    A goal is a terminal cell whose arrival pays most.
    """
    arriving = mdp.reward.max(axis=(0, 1))
    best = arriving[mdp.terminal].max() if mdp.terminal.any() else 0.0
    few_starts = (mdp.start > 0).sum() < (~mdp.terminal).sum()
    out = {}
    for s in range(mdp.n_states):
        kind = "S" if few_starts and mdp.start[s] > 0 else "."
        if mdp.terminal[s]:
            kind = "G" if arriving[s] == best else "x"
        out[divmod(s, grid[1])] = kind
    return out


@lru_cache(maxsize=8)
def shade_cells(mdp: TabularMDP, grid: Grid) -> dict[tuple[int, int], float]:
    """V* of every cell on the scale of the live ones, 0..1, by (row, column)."""
    value = solve(mdp).v
    live = value[~mdp.terminal]
    value = value.clip(live.min(), live.max())
    return {divmod(s, grid[1]): float(x) for s, x in enumerate(rescale(value))}


def draw_cells(mdp: TabularMDP, grid: Grid, state: int | None) -> Picture:
    """uint8 [rows * side, columns * side, 3]: cells by kind, floor coloured by V*, the walker a disc."""
    marks = {} if state is None else {divmod(state, grid[1]): "@"}
    side = max(16, 384 // max(grid))
    return draw_grid(*grid, classify_cells(mdp, grid), marks, shade_cells(mdp, grid), side)


def write_cells(
    mdp: TabularMDP, grid: Grid, state: int, elapsed: int, last: tuple[int, float] | None
) -> str:
    """The grid in characters, @ where the walker is, and a line of facts."""
    map_ = write_grid(*grid, classify_cells(mdp, grid) | {divmod(state, grid[1]): "@"})
    move = "" if last is None else f"  action {last[0]}  reward {last[1]:+.3f}"
    return f"{map_}step {elapsed}/{mdp.max_steps}  observation {mdp.observation[state]}{move}\n"
