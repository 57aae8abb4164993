"""Plots of learning curves: the mean smoothed score with its 95% interval, one panel per environment."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from anymdp_bench.results.curves import Unit, learning_curve
from anymdp_bench.results.plots import style


def draw(frame: pd.DataFrame, unit: Unit = "steps", log: bool = True) -> Figure:
    """Draws the figure; the horizontal axis is `unit`, on a log scale if `log`."""
    frame = frame.assign(label=style.agent_labels(frame))
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            lowest = 0.0
            for name, runs in part.groupby("label", sort=False):
                band = learning_curve(runs, unit, log=log)
                if len(band.at):
                    style.draw_band(axis, band, styles[str(name)], str(name))
                    lowest = min(lowest, float(np.min(band.mean)))
            style.set_score_axis(axis, lowest)
            if log:
                style.set_log_axis(axis)
            else:
                axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        word = "episodes" if unit == "episode" else "environment steps"
        figure.supxlabel(word + (" (log scale)" if log else ""), fontsize=8)
        figure.supylabel(style.score_label(frame), fontsize=8)
    style.add_legend(figure, axes)
    return figure
