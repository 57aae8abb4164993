"""Score against the steps that an in-context agent has seen of its task, one line a starting context."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.results.curves import learning_curve
from anymdp_bench.results.plots import style
from anymdp_bench.results.schema import RecordError


def draw(frame: pd.DataFrame, log: bool = True) -> Figure:
    """The figure: colour is the agent, dash and marker the starting context.

    Raises:
        RecordError: no run is of an in-context agent.
    """
    frame = frame[(frame["context"] != "none").to_numpy()]
    if frame.empty:
        raise RecordError("no in-context results among these; `--kind curves` shows all")
    frame = frame.assign(player=style.players(frame, contexts=False))
    agents, contexts = style.looks(frame["player"]), style.looks(["empty", "offline", "imitation"])
    parts = dict(style.by_panel(frame))
    figure, axes = style.panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            lowest = 0.0
            for (name, context), runs in part.groupby(
                ["player", "context"], sort=False, observed=True
            ):
                band = learning_curve(runs, "steps", log=log, points=12)
                if not len(band.at):
                    continue
                look = contexts[str(context)]._replace(color=agents[str(name)].color)
                style.draw_band(axis, band, look, f"{name}, {context}")
                axis.plot(
                    band.at, 100 * band.mean, color=look.color, marker=look.marker, markersize=3.5,
                    linestyle="none", markerfacecolor="white",
                )  # fmt: skip
                lowest = min(lowest, float(band.mean.min()))
            style.score_axis(axis, lowest)
            if log:
                style.log_axis(axis)
        figure.supxlabel("own steps in context" + (" (log scale)" if log else ""), fontsize=8)
        figure.supylabel("score % (100: oracle)", fontsize=8)
    style.legend(figure, axes)
    return figure
