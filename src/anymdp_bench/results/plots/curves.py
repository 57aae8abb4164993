"""Plots of learning curves: the mean smoothed score with its 95% interval, one panel per environment."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from anymdp_bench.results.curves import Unit, learning_curve
from anymdp_bench.results.plots import style
from anymdp_bench.results.plots.lettering import add_legend, label_agents


def draw(frame: pd.DataFrame, unit: Unit = "steps", log: bool = True) -> Figure:
    """Draws the figure; the horizontal axis is `unit`, on a log scale if `log`."""
    labels = label_agents(frame)
    frame = frame.assign(label=labels.rows)
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        lowest = [0.0] * len(axes)
        for k, (axis, part) in enumerate(zip(axes, parts.values(), strict=True)):
            for name, runs in part.groupby("label", sort=False):
                band = learning_curve(runs, unit, log=log)
                if len(band.at):
                    style.draw_band(axis, band, styles[str(name)], str(name))
                    lowest[k] = min(lowest[k], float(np.min(band.mean)))
            if log:
                style.set_log_axis(axis)
            else:
                axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        word = "episodes" if unit == "episode" else "environment steps"
        figure.supxlabel(word + (" (log scale)" if log else ""), fontsize=8)
        style.set_score_axes(figure, axes, lowest)
    add_legend(figure, axes, labels.common)
    return figure
