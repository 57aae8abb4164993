"""Plots of the score against the steps in an in-context agent's context, one line per starting context."""

from __future__ import annotations

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.results.curves import learning_curve
from anymdp_bench.results.plots import style
from anymdp_bench.results.plots.lettering import add_legend, label_agents
from anymdp_bench.results.schema import RecordError


def draw(frame: pd.DataFrame, log: bool = True) -> Figure:
    """Draws the figure: the colour shows the agent, and the dash and marker show the starting context.

    Raises:
        RecordError: no run in `frame` is of an in-context agent.
    """
    frame = frame[(frame["context"] != "none").to_numpy()]
    if frame.empty:
        raise RecordError("no in-context results among these; `--kind curves` shows all")
    labels = label_agents(frame, contexts=False)
    frame = frame.assign(label=labels.rows)
    agents, contexts = (
        style.line_styles(frame["label"]),
        style.line_styles(["empty", "offline", "imitation"]),
    )
    parts = dict(style.split_by_environment(frame))
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        lowest = [0.0] * len(axes)
        for k, (axis, part) in enumerate(zip(axes, parts.values(), strict=True)):
            for (name, context), runs in part.groupby(
                ["label", "context"], sort=False, observed=True
            ):
                band = learning_curve(runs, "steps", log=log, points=12)
                if not len(band.at):
                    continue
                line = contexts[str(context)]._replace(color=agents[str(name)].color)
                style.draw_band(axis, band, line, f"{name}, {context}")
                axis.plot(
                    band.at, 100 * band.mean, color=line.color, marker=line.marker, markersize=3.5,
                    linestyle="none", markerfacecolor="white",
                )  # fmt: skip
                lowest[k] = min(lowest[k], float(band.mean.min()))
            if log:
                style.set_log_axis(axis)
        figure.supxlabel("own steps in context" + (" (log scale)" if log else ""), fontsize=8)
        style.set_score_axes(figure, axes, lowest)
    add_legend(figure, axes, labels.common)
    return figure
