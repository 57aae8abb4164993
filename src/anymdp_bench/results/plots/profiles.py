"""Plots of performance profiles: the share of runs with a final score above tau, for every tau.

An agent with the higher curve is better at every tau (Agarwal et al. 2021). The first panel shows several
environments together, each with the same weight: those that all agents were run on, so that no agent is left
out and all are averaged over the same environments. Its title says how many these are.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.results.curves import performance_profile
from anymdp_bench.results.plots import style
from anymdp_bench.results.plots.lettering import add_legend, label_agents

AT = np.linspace(0.0, 1.05, 106)


def draw(frame: pd.DataFrame) -> Figure:
    """Draws the figure."""
    labels = label_agents(frame)
    frame = frame.assign(label=labels.rows)
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    n_agents = frame["label"].nunique()
    shared = [part for part in parts.values() if part["label"].nunique() == n_agents]
    if len(shared) > 1:
        both = "" if len(shared) == len(parts) else f" of {len(parts)}, those of all agents"
        parts = {f"{len(shared)} environments{both or ' together'}": pd.concat(shared)} | parts
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            for name, runs in part.groupby("label", sort=False):
                style.draw_band(axis, performance_profile(runs, AT), styles[str(name)], str(name))
            axis.set_ylim(-3, 103)
            axis.set_xlim(0, 1.05)
            axis.set_xticks([0, 0.5, 1.0], ["0", "50", "100"])
        figure.supxlabel("final score % above which a run counts", fontsize=8)
        figure.supylabel("share of runs %", fontsize=8)
    add_legend(figure, axes, labels.common)
    return figure
