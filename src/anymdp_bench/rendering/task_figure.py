"""The figure of a whole task, like the task figures of the paper (arXiv 2502.02869).

The left panel shows the transitions. Its states are in the order of their stationary probability under the
uniform policy, and the most visited state comes first. An entry is as dark as the largest probability by
any action. The right panel shows how often the uniform policy and the oracle visit each state, and the
value V* of the state. The colours tell starts, pitfalls and the goal apart. A task on a grid has a third
panel with the grid.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve, stationary_distribution
from anymdp_bench.paths import AnyPath, make_parent
from anymdp_bench.rendering.cells import Grid, classify_cells, draw_cells
from anymdp_bench.rendering.state_strip import classify_states
from anymdp_bench.scoring import ORACLE_GAMMA, References, compute_references

_COLOURS = {"S": "#2563eb", "x": "#d55e00", "G": "#009e73", ".": "#9aa0a8"}
_NAMES = {"S": "start", "x": "pitfall", "G": "goal", ".": "other"}
_VALUE = "#8e44ad"
_MANY = 48  # with more states than this, names are left out


def draw_task(mdp: TabularMDP, out: AnyPath, name: str, grid: Grid | None = None) -> None:
    """Draws the figure of a task and writes it to a file.

    Args:
        mdp: the task.
        out: the file. Its suffix names the format. A missing folder is made.
        name: the name of the task in the title.
        grid: (rows, columns) if the states are the cells of a grid, row by row; else None.
    """
    from matplotlib.figure import Figure

    ends = compute_references(mdp)
    figure = Figure(figsize=(11 if grid is None else 15, 5.6), layout="constrained")
    axes: Any = figure.subplots(
        1, 2 if grid is None else 3, width_ratios=[1, 1, 1][: 2 + bool(grid)]
    )
    order, uniform, best = _measure_visits(mdp, ends)
    kinds = list(classify_cells(mdp, grid).values()) if grid else classify_states(mdp)
    _draw_transitions(axes[0], mdp, order, kinds)
    entries = _draw_states(axes[1], mdp, order, uniform, best, kinds)
    figure.legend(handles=entries, loc="outside lower center", ncols=len(entries), frameon=False)
    if grid is not None:
        axes[2].imshow(draw_cells(mdp, grid, None))
        axes[2].set_axis_off()
        axes[2].set_title("the grid: floor coloured by V*")
    steps = "1 step" if mdp.max_steps == 1 else f"at most {mdp.max_steps} steps"
    figure.suptitle(
        f"{name}: {mdp.n_states} states, {mdp.n_actions} actions, {steps};"
        f" oracle {_figure(ends.oracle)}, random {_figure(ends.random)}"
    )
    figure.savefig(make_parent(out), dpi=120)


def _figure(value: float) -> str:
    """A number with three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _measure_visits(mdp: TabularMDP, ends: References) -> tuple[Int64s, Float64s, Float64s]:
    """Returns (the states by falling visits, the visits of the uniform policy, those of the oracle)."""
    table = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    uniform = stationary_distribution(mdp, table)
    best = stationary_distribution(mdp, ends.policy)
    order: Int64s = np.argsort(-uniform, kind="stable")
    return order, uniform, best


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
) -> list[Any]:
    """Draws visits and values; returns the entries of a legend."""
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    places = np.arange(len(order))
    floor = 1e-6
    colours = [_COLOURS[kinds[s]] for s in order]
    axis.bar(places, np.maximum(uniform[order], floor), color=colours, width=1.0)
    (dots,) = axis.plot(
        places, np.maximum(best[order], floor), ".", color="black", label="the oracle's visits"
    )
    axis.set_yscale("log")
    axis.set_ylim(floor, 1)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlim(-0.5, len(order) - 0.5)
    axis.set_xlabel("place of the state, most visited first")
    axis.set_ylabel("stationary probability (bars: uniform policy)")
    value = solve(mdp, ORACLE_GAMMA).v
    live = ~mdp.terminal[order]
    twin = axis.twinx()
    marker = "D" if live.sum() == 1 else ""  # a line of one point would not be seen
    (line,) = twin.plot(
        places[live], value[order][live], color=_VALUE, lw=1, marker=marker, label="V*"
    )
    twin.set_ylabel("V* at discount 0.994", color=_VALUE)
    axis.set_title("visits and values")
    shown = [Patch(color=_COLOURS[kind], label=_NAMES[kind]) for kind in "SxG." if kind in kinds]
    return [*shown, dots, line]
