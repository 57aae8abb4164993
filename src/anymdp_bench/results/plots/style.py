"""The style that all plots share: sizes, colours, the grid of panels, and the labels of agents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from anymdp_bench.results.curves import Band
from anymdp_bench.results.measures import name_measure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
DASHES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)), (0, (8, 2)),
)  # fmt: skip
MARKERS = "osD^vPX*"
ORACLE = {"color": "0.55", "linewidth": 0.8, "linestyle": (0, (1, 2))}
PANEL = (2.35, 1.75)  # inches
_LONG_NAME = 12  # characters in a legend of four columns above two panels

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


def agent_labels(frame: pd.DataFrame, contexts: bool = True) -> pd.Series[str]:
    """Returns the label of each row's agent, [rows].

    It has the version where the frame holds several versions of the agent, and the measure where the frame
    holds both. It has the starting context if `contexts`, unless the context is empty or the agent trains.
    """
    versions = frame[["agent", "agent_version"]].drop_duplicates()["agent"].value_counts()
    name = frame["agent"].astype(str)
    several = name.map(versions) > 1
    name = name.where(~several, name + " " + frame["agent_version"].astype(str))
    context = frame["context"].astype(str)
    if contexts:
        has_context = ~context.isin(["none", "empty"])
        name = name.where(~has_context, name + " (" + context + ")")
    measure = frame["measure"].astype(str).map(name_measure)
    return name + ", " + measure if measure.nunique() > 1 else name


def score_label(frame: pd.DataFrame) -> str:
    """Returns the label of an axis of scores; it has the measure where the frame holds one alone."""
    measures = sorted({name_measure(str(each)) for each in frame["measure"].unique()})
    return "score % (100: oracle)" + (f", {measures[0]}" if len(measures) == 1 else "")


def make_panels(names: list[str]) -> tuple[Figure, list[Axes]]:
    """Makes a figure with one small panel per name, in up to four columns; unused panels are hidden."""
    columns = 2 if len(names) == 4 else min(len(names), 4 if len(names) > 6 else 3)
    rows = math.ceil(len(names) / columns)
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        figure = Figure(
            figsize=(PANEL[0] * columns + 0.4, PANEL[1] * rows + 0.55), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False)
        axes: list[Axes] = list(grid.flat)
        for axis, name in zip(axes, names, strict=False):
            axis.set_title(name)
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


def add_legend(figure: Figure, axes: list[Axes], columns: int = 4) -> None:
    """Adds one legend above all panels; each name is there once, in lines of about equal length.

    Long names get fewer columns, so that none is cut off at the edge.
    """
    found: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    if max(map(len, found), default=0) > _LONG_NAME:
        columns = max(columns - 1, 1)
    lines = -(-len(found) // columns) or 1
    with matplotlib.rc_context(RC):  # type: ignore[arg-type]
        cast("Any", figure).legend(
            list(found.values()), list(found), loc="outside upper center",
            ncols=max(-(-len(found) // lines), 1), frameon=False, handlelength=2.6,
        )  # fmt: skip


def set_log_axis(axis: Axes) -> None:
    """Sets a log scale on the horizontal axis, with labels 100, 1k, 10k; few decades have more labels."""
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    decades = np.log10(high / max(low, 1e-9))
    subs = (1.0,) if decades > 1.6 else (1.0, 3.0) if decades > 0.9 else (1.0, 2.0, 5.0)
    axis.xaxis.set_major_locator(LogLocator(subs=subs))
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_formatter(NullFormatter())


def set_score_axis(axis: Axes, low: float) -> None:
    """Sets a vertical axis of scores in percent with the oracle's line; scores below -50% are cut off."""
    axis.axhline(100, **ORACLE)  # type: ignore[arg-type]
    floor = max(min(100 * low, 0.0), -50.0)
    axis.set_ylim(floor - 5, 106)
