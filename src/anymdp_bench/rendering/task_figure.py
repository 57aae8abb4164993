"""The picture of a task (the paper's task figures): what it looks like to one who sees everything.

Left: transitions, states in the order of their stationary probability under the uniform policy, most
visited first, an entry as dark as the likeliest action makes it. Right: how often each state is
visited, by the uniform policy and by the oracle, and its value V*. The colours of the names tell starts,
pitfalls and goal apart. Grids are drawn as grids besides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve, stationary_distribution
from anymdp_bench.rendering.cells import Grid, classify_cells, draw_cells
from anymdp_bench.rendering.state_strip import find_goal
from anymdp_bench.scoring import ORACLE_GAMMA, References, compute_references

_COLOURS = {"S": "#2563eb", "x": "#d55e00", "G": "#009e73", ".": "#9aa0a8"}
_NAMES = {"S": "start", "x": "pitfall", "G": "goal", ".": "other"}
_MANY = 48  # states from which on names are left out


def draw_task(mdp: TabularMDP, out: Path, name: str, grid: Grid | None = None) -> None:
    """Draws a task to a file.

    Args:
        mdp: the task.
        out: the file; its suffix names the format. Its folder is made where it is missing.
        name: what the title calls the task.
        grid: (rows, columns) where the states are the cells of a grid, row by row.
    """
    from matplotlib.figure import Figure

    ends = compute_references(mdp)
    figure = Figure(figsize=(11 if grid is None else 15, 5.6), layout="constrained")
    axes: Any = figure.subplots(
        1, 2 if grid is None else 3, width_ratios=[1, 1, 1][: 2 + bool(grid)]
    )
    order, uniform, best = _orders(mdp, ends)
    kinds = _kinds(mdp, grid)
    _draw_transitions(axes[0], mdp, order, kinds)
    _draw_states(axes[1], mdp, order, uniform, best, kinds)
    if grid is not None:
        axes[2].imshow(draw_cells(mdp, grid, None))
        axes[2].set_axis_off()
        axes[2].set_title("the grid: floor coloured by V*")
    figure.suptitle(
        f"{name}: {mdp.n_states} states, {mdp.n_actions} actions, at most {mdp.max_steps} steps;"
        f" oracle {ends.oracle:.3g}, random {ends.random:.3g}"
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)


def _orders(mdp: TabularMDP, ends: References) -> tuple[Int64s, Float64s, Float64s]:
    """(states by stationary probability under the uniform policy, it, that of the oracle)."""
    table = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    uniform = stationary_distribution(mdp, table)
    best = stationary_distribution(mdp, ends.policy)
    order: Int64s = np.argsort(-uniform, kind="stable")
    return order, uniform, best


def _kinds(mdp: TabularMDP, grid: Grid | None) -> list[str]:
    """S start, x pitfall, G goal or . of each state."""
    if grid is not None:
        return list(classify_cells(mdp, grid).values())
    goal = find_goal(mdp)
    return [
        "G" if s == goal else "x" if mdp.terminal[s] else "S" if mdp.start[s] > 0 else "."
        for s in range(mdp.n_states)
    ]


def _draw_transitions(axis: Any, mdp: TabularMDP, order: Int64s, kinds: list[str]) -> None:
    reach = mdp.transition.max(axis=1)[np.ix_(order, order)]
    axis.imshow(np.sqrt(reach), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axis.set_title("transitions: likeliest action's probability")
    axis.set_xlabel("to state")
    axis.set_ylabel("from state, most visited first")
    places = np.arange(len(order)) if len(order) <= _MANY else np.array([], int)
    names = [str(order[k]) for k in places]
    axis.set_xticks(places, names, fontsize=6, rotation=90)
    axis.set_yticks(places, names, fontsize=6)
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        for k, label in enumerate(labels):
            label.set_color(_COLOURS[kinds[order[k]]])


def _draw_states(
    axis: Any, mdp: TabularMDP, order: Int64s, uniform: Float64s, best: Float64s, kinds: list[str]
) -> None:
    places = np.arange(len(order))
    floor = 1e-6
    colours = [_COLOURS[kinds[s]] for s in order]
    axis.bar(places, np.maximum(uniform[order], floor), color=colours, width=1.0, label="_")
    axis.plot(places, np.maximum(best[order], floor), ".", color="black", label="oracle's visits")
    axis.set_yscale("log")
    axis.set_ylim(floor, 1)
    axis.set_xlabel("state, most visited first")
    axis.set_ylabel("stationary probability (bars: uniform policy)")
    for kind in "SxG.":
        if kind in kinds:
            axis.bar([0], [0], color=_COLOURS[kind], label=_NAMES[kind])
    value = solve(mdp, ORACLE_GAMMA).v
    live = ~mdp.terminal[order]
    twin = axis.twinx()
    twin.plot(places[live], value[order][live], color="#8e44ad", lw=1, label="V*")
    twin.set_ylabel("V* at discount 0.994", color="#8e44ad")
    axis.legend(fontsize=7, loc="upper right")
    axis.set_title("visits and values")
