"""The text of plots: what agents are called, the legend, and text folded where it would be cut off."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from anymdp_bench.results.measures import name_measure
from anymdp_bench.results.schema import DEFAULT_PROTOCOL, PROTOCOL
from anymdp_bench.results.tables import human

SIZE = 8.0
"""The size of legends and titles, in points."""

_LINE = 0.16  # inches from one line of text to the next
_HANDLE = (
    (2.6 + 0.8 + 2.0) * SIZE / 72
)  # of a legend's entry: line, gap and the space to the next column
_SAME_STEPS = 0.9  # runs cut at the same step end with episodes that are so much shorter at most


class Labels(NamedTuple):
    """How the agents of a plot are told apart.

    Attributes:
        rows: the label of each row's agent, [rows].
        common: what is true of all of them and so stands in no label: measure and budget.
    """

    rows: pd.Series[str]
    common: str


def label_agents(frame: pd.DataFrame, contexts: bool = True) -> Labels:
    """Labels the agents of result rows.

    A label has the version where the frame holds several versions of the agent, and the measure and the
    budget where the frame holds several. It has the starting context if `contexts`, unless the context is
    empty or the agent trains. It has the protocol if that is not the default one.
    """
    versions = frame[["agent", "agent_version"]].drop_duplicates()["agent"].value_counts()
    name = frame["agent"].astype(str)
    several = name.map(versions) > 1
    name = name.where(~several, name + " " + frame["agent_version"].astype(str))
    context = frame["context"].astype(str)
    if contexts:
        has_context = ~context.isin(["none", "empty"])
        name = name.where(~has_context, name + " (" + context + ")")
    name = name.str.replace("$", r"\$", regex=False)  # matplotlib reads formulas between dollars
    common = []
    measure = frame["measure"].astype(str).map(name_measure)
    parts = [("measure", measure)]
    if PROTOCOL in frame:
        name = name.where(
            frame[PROTOCOL] == DEFAULT_PROTOCOL, name + ", protocol " + frame[PROTOCOL]
        )
    parts.append(("budget", name.map(_budgets(frame.assign(label=name)))))
    for what, values in parts:
        if values.nunique() == 1:
            common.append(f"{what}: {values.iloc[0]}")
        else:
            name = name + ", " + values
    return Labels(name, "; ".join(common))


def _budgets(frame: pd.DataFrame) -> dict[str, str]:
    """Returns the budget of a run of each label, in words: steps, or episodes where those are equal."""
    longest: dict[str, list[tuple[float, float]]] = {}
    for (label, *_), runs in frame.groupby(["label", "suite", "env_id"], sort=False, observed=True):
        end = float(runs["steps"].max()), float(runs["episode"].max())
        longest.setdefault(str(label), []).append(end)
    steps = {label: [each[0] for each in found] for label, found in longest.items()}
    most = max(map(max, steps.values()))
    if all(min(each) >= _SAME_STEPS * most for each in steps.values()):
        return dict.fromkeys(steps, f"{human(most)} steps")
    words = {}
    for label, found in longest.items():
        last = max(steps[label])
        if min(steps[label]) >= _SAME_STEPS * last:
            words[label] = f"{human(last)} steps"
        elif len({episodes for _, episodes in found}) == 1:
            words[label] = f"{human(found[0][1])} episodes"
        else:
            words[label] = f"up to {human(last)} steps"
    return words


def add_legend(figure: Figure, axes: list[Axes], title: str = "", columns: int = 4) -> None:
    """Adds one legend above all panels; each name is there once, in lines of about equal length.

    There are as many of `columns` as fit, and a name that is wider than the figure is folded. The figure
    grows by the height of the legend, so that the panels keep theirs.
    """
    found: dict[str, Any] = {}
    for axis in axes:
        handles, labels = axis.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    room = figure.get_figwidth() - 0.2
    names = [wrap(figure, name, room - _HANDLE) for name in found]
    widths = [width_of(figure, name) + _HANDLE for name in names]
    columns = min(columns, len(names))
    while columns > 1 and sum(max(part) for part in np.array_split(widths, columns)) > room:
        columns -= 1
    lines = -(-len(names) // max(columns, 1)) or 1
    title = wrap(figure, title, room)
    height = _LINE * (lines * max((name.count("\n") + 1 for name in names), default=1))
    height += _LINE * (title.count("\n") + 1) if title else 0.0
    figure.set_figheight(figure.get_figheight() + height)
    cast("Any", figure).legend(
        list(found.values()), names, loc="outside upper center", title=title or None,
        ncols=max(-(-len(found) // lines), 1), frameon=False, handlelength=2.6,
        fontsize=SIZE, title_fontsize=SIZE,
    )  # fmt: skip


def width_of(figure: Figure, text: str, size: float = SIZE) -> float:
    """Returns the width of a text in inches, that of its longest line."""
    renderer = cast("Any", FigureCanvasAgg(figure)).get_renderer()
    font = FontProperties(size=size)
    widths = (
        renderer.get_text_width_height_descent(line, font, ismath=False)[0]
        for line in text.split("\n")
    )
    return float(max(widths)) / figure.dpi


def wrap(figure: Figure, text: str, inches: float, size: float = SIZE) -> str:
    """Folds the text into lines of at most so many inches, at blanks and hyphens, long words anywhere."""
    lines = []
    for line in text.split("\n"):
        length = len(line)
        parts = [line]
        while length > 1 and max(width_of(figure, part, size) for part in parts) > inches:
            length -= 1
            parts = textwrap.wrap(line, length)
        lines += parts
    return "\n".join(lines)
