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

_BEGIN = 0.8  # where bars start: the axis is logarithmic


def draw(frame: pd.DataFrame, target: float = 0.9) -> Figure:
    """Draws the figure; its axis is logarithmic, since the steps differ by orders of magnitude."""
    frame = frame.assign(label=style.agent_labels(frame))
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            names = list(dict.fromkeys(part["label"]))
            for place, name in enumerate(names):
                _draw_bar(axis, place, part[part["label"] == name], target, styles[name])
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.4, -0.6)
            style.set_log_axis(axis)
            axis.grid(visible=False, axis="y")
        figure.supxlabel(
            f"environment steps to {100 * target:g}% (log scale): Kaplan-Meier median; points are runs,"
            " hollow: not reached",
            fontsize=8,
        )
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
    label = f" {int(reached.sum())}/{len(reached)}"
    axis.annotate(
        label, (max(end, steps.max()), place), va="center", fontsize=7, annotation_clip=False
    )
