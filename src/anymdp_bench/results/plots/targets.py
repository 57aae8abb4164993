"""Plots of the steps to target: a bar for the Kaplan-Meier median, and a point for each run.

A filled point is a run that reached the target; a hollow point is a run that ended before. Where fewer than
half of the runs reached it, the median is unknown: the bar is hatched and ends with the longest run.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anymdp_bench.results import statistics
from anymdp_bench.results.metrics import find_times_to_target
from anymdp_bench.results.plots import style
from anymdp_bench.results.plots.lettering import SIZE, label_agents, width_of, wrap

_BEGIN = 0.8  # where bars start: the axis is logarithmic
_NAME = 1.6  # inches for the names of agents
_LINE = 0.14  # inches from one line of a name to the next


def draw(frame: pd.DataFrame, target: float = 0.9) -> Figure:
    """Draws the figure; its axis is logarithmic, since the steps differ by orders of magnitude.

    All panels have the same rows, which are named at the left. Beside each bar stands how many of the runs
    reached the target.
    """
    labels = label_agents(frame)
    frame = frame.assign(label=labels.rows)
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    figure, axes = style.make_panels(list(parts))
    names = {name: wrap(figure, name, _NAME, size=7) for name in styles}
    widest = max(width_of(figure, name, size=7) for name in names.values())
    figure.set_figwidth(figure.get_figwidth() + widest)
    needed = _LINE * sum(name.count("\n") + 1 for name in names.values()) + 0.3
    rows = axes[0].get_gridspec().nrows  # type: ignore[union-attr]
    figure.set_figheight(figure.get_figheight() + rows * max(needed - style.PANEL[1] + 0.4, 0.0))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            longest = float(part["steps"].max())
            for place, name in enumerate(names):
                runs = part[part["label"] == name]
                if len(runs):
                    _draw_bar(axis, place, runs, target, styles[name])
                else:
                    axis.text(1.2, place, "not run", va="center", fontsize=7, color="0.4")
            is_first = axis.get_subplotspec().is_first_col()  # type: ignore[union-attr]
            axis.set_yticks(range(len(names)), list(names.values()) if is_first else [])
            axis.set_ylim(len(names) - 0.4, -0.6)
            axis.set_xlim(_BEGIN, max(longest, 10.0) * 1.3)
            style.set_log_axis(axis)
            axis.grid(visible=False, axis="y")
        words = [f"environment steps to {100 * target:g}% (log scale): Kaplan-Meier median"]
        words += ["points are runs, hollow: not reached", "hatched: not even half reached it"]
        words += [labels.common] if labels.common else []
        room = figure.get_figwidth() - 0.2
        figure.supxlabel(wrap(figure, "; ".join(words), room), fontsize=SIZE)
    return figure


def _draw_bar(
    axis: Axes, place: int, runs: pd.DataFrame, target: float, line: style.LineStyle
) -> None:
    times = find_times_to_target(runs, target)
    steps, reached = times["steps"].to_numpy(dtype=float), times["reached"].to_numpy()
    median = statistics.median_time(steps, reached)
    is_known = bool(np.isfinite(median))
    end = median if is_known else float(steps.max())
    axis.barh(
        place, end - _BEGIN, left=_BEGIN, height=0.7,
        color=line.color if is_known else "none", alpha=0.55 if is_known else 1.0,
        edgecolor=line.color, hatch=None if is_known else "////", linewidth=0.8,
    )  # fmt: skip
    spread = place + np.linspace(-0.22, 0.22, len(steps))
    for mask, face in ((reached, line.color), (~reached, "white")):
        axis.plot(
            steps[mask], spread[mask], linestyle="none", marker="o", markersize=2.6,
            markerfacecolor=face, markeredgecolor="0.15", markeredgewidth=0.5,
        )  # fmt: skip
    axis.text(
        1.02, place, f"{int(reached.sum())}/{len(reached)}", transform=axis.get_yaxis_transform(),
        va="center", fontsize=7,
    )  # fmt: skip
