"""Performance profiles: the share of runs whose final score exceeds tau, for every tau.

A curve that lies above another is better at every level of ambition (Agarwal et al. 2021). All environments
count the same; the first panel is all of them together, for agents that were run on all.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from anymdp_bench.results.curves import profile
from anymdp_bench.results.plots import style

AT = np.linspace(0.0, 1.05, 106)


def draw(frame: pd.DataFrame) -> Figure:
    """The figure."""
    frame = frame.assign(player=style.players(frame))
    looks = style.looks(frame["player"])
    parts = dict(style.by_panel(frame))
    if len(parts) > 1:
        parts = {f"all {len(parts)} environments": frame} | parts
    everywhere = frame.groupby("player", sort=False)["env_id"].nunique()
    figure, axes = style.panels(list(parts))
    with matplotlib.rc_context(style.RC):  # type: ignore[arg-type]
        for axis, part in zip(axes, parts.values(), strict=True):
            for name, runs in part.groupby("player", sort=False):
                if part is frame and everywhere[name] < everywhere.max():
                    continue
                style.draw_band(axis, profile(runs, AT), looks[str(name)], str(name))
            axis.set_ylim(-3, 103)
            axis.set_xlim(0, 1.05)
            axis.set_xticks([0, 0.5, 1.0], ["0", "50", "100"])
        figure.supxlabel("final score % above which a run counts", fontsize=8)
        figure.supylabel("share of runs %", fontsize=8)
    style.legend(figure, axes)
    return figure
