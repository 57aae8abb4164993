"""Learning curves: mean smoothed score with 95% intervals over runs, one panel an environment."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from anymdp_bench.results.curves import Unit, learning_curve
from anymdp_bench.results.plots import style


def draw(frame: pd.DataFrame, unit: Unit = "steps", log: bool = True) -> Figure:
    """The figure; `unit` is the horizontal axis, on a log scale if `log`."""
    frame = frame.assign(player=style.players(frame))
    looks = style.looks(frame["player"])
    parts = dict(style.by_panel(frame))
    figure, axes = style.panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            lowest = 0.0
            for name, runs in part.groupby("player", sort=False):
                band = learning_curve(runs, unit, log=log)
                if len(band.at):
                    style.draw_band(axis, band, looks[str(name)], str(name))
                    lowest = min(lowest, float(np.min(band.mean)))
            style.score_axis(axis, lowest)
            if log:
                style.log_axis(axis)
            else:
                axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        word = "episodes" if unit == "episode" else "environment steps"
        figure.supxlabel(word + (" (log scale)" if log else ""), fontsize=8)
        figure.supylabel("score % (100: oracle)", fontsize=8)
    style.legend(figure, axes)
    return figure
