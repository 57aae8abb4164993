"""The style that all plots share: sizes, colours, the grid of panels, the axes and the bands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter

from anymdp_bench.results.curves import Band
from anymdp_bench.results.plots.lettering import wrap

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)), (0, (8, 2)),
)  # fmt: skip
MARKERS = "osD^vPX*"
ORACLE = {"color": "0.55", "linewidth": 0.8, "linestyle": (0, (1, 2))}
PANEL = (2.35, 1.75)  # inches

RC = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "pdf.fonttype": 42,  # text stays text
}


class LineStyle(NamedTuple):
    """The line style of one agent in all panels of a figure."""

    color: str
    dash: str | tuple[int, tuple[float, ...]]
    marker: str


def line_styles(names: Iterable[str]) -> dict[str, LineStyle]:
    """Gives each distinct name a line style; up to eight styles differ in colour, dash and marker."""
    distinct = list(dict.fromkeys(names))
    return {
        name: LineStyle(COLOURS[k % 8], DASHES[k % 8], MARKERS[k % 8])
        for k, name in enumerate(distinct)
    }


def make_panels(names: list[str]) -> tuple[Figure, list[Axes]]:
    """Makes a figure with one small panel per name, in up to four columns; unused panels are hidden."""
    columns = 2 if len(names) == 4 else min(len(names), 4 if len(names) > 6 else 3)
    rows = math.ceil(len(names) / columns)
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(
            figsize=(PANEL[0] * columns + 0.4, PANEL[1] * rows + 0.3), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False)
        axes: list[Axes] = list(grid.flat)
        for axis, name in zip(axes, names, strict=False):
            axis.set_title(wrap(figure, name, PANEL[0]))
        for axis in axes[len(names) :]:
            axis.set_visible(False)
    return figure, axes[: len(names)]


def split_by_environment(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields (title, rows) of each environment; the title has the suite where there are several suites.

    The parameters of an id stand on a line of their own.
    """
    several = frame[["suite", "suite_hash"]].drop_duplicates().shape[0] > 1
    keys = ["suite", "suite_hash", "env_id"] if several else ["env_id"]
    for key, part in frame.groupby(keys, sort=False, observed=True):
        title = str(key[-1]).replace("?", "\n?") + (
            f"\n{key[0]} {str(key[1])[:6]}" if several else ""
        )
        yield title, part


def draw_band(axis: Axes, band: Band, line: LineStyle, label: str) -> None:
    """Draws a curve with its interval, in percent."""
    axis.plot(band.at, 100 * band.mean, color=line.color, linestyle=line.dash, label=label)
    axis.fill_between(
        band.at, 100 * band.low, 100 * band.high, color=line.color, alpha=0.18, linewidth=0
    )


def set_log_axis(axis: Axes) -> None:
    """Sets a log scale on the horizontal axis, with at most four labels: 1, 100, 10k."""
    axis.set_xscale("log")
    low, high = (np.log10(max(end, 1e-9)) for end in axis.get_xlim())
    powers = np.arange(np.ceil(low - 1e-9), np.floor(high + 1e-9) + 1)
    if len(powers) >= 3:
        axis.xaxis.set_major_locator(FixedLocator(list(10.0 ** powers[:: -(-len(powers) // 4)])))
        axis.xaxis.set_minor_locator(FixedLocator(list(10.0**powers)))
    else:
        subs = (1.0, 3.0) if high - low > 0.9 else (1.0, 2.0, 5.0)
        axis.xaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(NullFormatter())


def set_score_axes(figure: Figure, axes: list[Axes], lowest: list[float]) -> None:
    """Sets vertical axes of scores in percent with the oracle's line; scores below -50% are cut off.

    Args:
        figure: the figure.
        axes: its panels.
        lowest: the lowest score drawn in each panel, as a fraction.
    """
    for axis, low in zip(axes, lowest, strict=True):
        axis.axhline(100, **ORACLE)  # type: ignore[arg-type]
        axis.set_ylim(max(min(100 * low, 0.0), -50.0) - 5, 106)
    cut = "; cut off below -50" if min(lowest) < -0.5 else ""
    figure.supylabel(f"score % (100: oracle{cut})", fontsize=8)
