"""Plots of performance profiles: the share of runs with a final score above tau, for every tau.

An agent with the higher curve is better at every tau (Agarwal et al. 2021). All environments have the same
weight. The first panel shows all environments together, for the agents that were run on all of them.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.results.curves import performance_profile
from anymdp_bench.results.plots import style

AT = np.linspace(0.0, 1.05, 106)


def draw(frame: pd.DataFrame) -> Figure:
    """Draws the figure."""
    frame = frame.assign(label=style.agent_labels(frame))
    styles = style.line_styles(frame["label"])
    parts = dict(style.split_by_environment(frame))
    if len(parts) > 1:
        parts = {f"all {len(parts)} environments": frame} | parts
    n_environments = frame.groupby("label", sort=False)["env_id"].nunique()
    figure, axes = style.make_panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            for name, runs in part.groupby("label", sort=False):
                if part is frame and n_environments[name] < n_environments.max():
                    continue
                style.draw_band(axis, performance_profile(runs, AT), styles[str(name)], str(name))
            axis.set_ylim(-3, 103)
            axis.set_xlim(0, 1.05)
            axis.set_xticks([0, 0.5, 1.0], ["0", "50", "100"])
        figure.supxlabel("final score % above which a run counts", fontsize=8)
        figure.supylabel("share of runs %", fontsize=8)
    style.add_legend(figure, axes)
    return figure
