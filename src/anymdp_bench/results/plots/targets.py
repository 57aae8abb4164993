"""Steps to target: the Kaplan-Meier median as a bar, the runs themselves as points.

A filled point is a run that reached the target, a hollow one a run that ended before it did. Where under half
got there, no median is known: the bar is hatched, and ends with the longest run.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anymdp_bench.results import statistics
from anymdp_bench.results.metrics import to_target
from anymdp_bench.results.plots import style

_BEGIN = 0.8  # where bars start: the axis is logarithmic


def draw(frame: pd.DataFrame, target: float = 0.9) -> Figure:
    """The figure, on a log scale: costs differ by orders of magnitude."""
    frame = frame.assign(player=style.players(frame))
    looks = style.looks(frame["player"])
    parts = dict(style.by_panel(frame))
    figure, axes = style.panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            names = list(dict.fromkeys(part["player"]))
            for place, name in enumerate(names):
                _bar(axis, place, part[part["player"] == name], target, looks[name])
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.4, -0.6)
            style.log_axis(axis)
            axis.grid(visible=False, axis="y")
        figure.supxlabel(
            f"environment steps to {100 * target:g}% (log scale): Kaplan-Meier median; points are runs,"
            " hollow: not reached",
            fontsize=8,
        )
    return figure


def _bar(axis: Axes, place: int, runs: pd.DataFrame, target: float, look: style.Look) -> None:
    times = to_target(runs, target)
    steps, reached = times["steps"].to_numpy(dtype=float), times["reached"].to_numpy()
    median = statistics.median_time(steps, reached)
    known = bool(np.isfinite(median))
    end = median if known else float(steps.max())
    axis.barh(
        place, end - _BEGIN, left=_BEGIN, height=0.7,
        color=look.color if known else "none", alpha=0.55 if known else 1.0,
        edgecolor=look.color, hatch=None if known else "////", linewidth=0.8,
    )  # fmt: skip
    spread = place + np.linspace(-0.22, 0.22, len(steps))
    for mask, face in ((reached, look.color), (~reached, "white")):
        axis.plot(
            steps[mask], spread[mask], linestyle="none", marker="o", markersize=2.6,
            markerfacecolor=face, markeredgecolor="0.15", markeredgewidth=0.5,
        )  # fmt: skip
    label = f" {int(reached.sum())}/{len(reached)}"
    axis.annotate(
        label, (max(end, steps.max()), place), va="center", fontsize=7, annotation_clip=False
    )
