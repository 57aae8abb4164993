"""The two tables of `anymdp-bench table --overall`: scores over all environments, and pairs of agents."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from anymdp_bench.results import table_formats
from anymdp_bench.results.measures import Measure
from anymdp_bench.results.metrics import ScoreMode, compare_agents, summarise_overall
from anymdp_bench.results.schema import DEFAULT_PROTOCOL, PROTOCOL
from anymdp_bench.results.table_formats import Sheet
from anymdp_bench.results.tables import (
    TUNED_CAPTION,
    Format,
    check_format,
    human,
    percent,
    tuned_mark,
)

_CAPTION = (
    "Final scores in percent (0 = random policy, 100 = oracle) with 95% stratified bootstrap intervals over"
    " tasks x runs, every environment counting the same. Budget: steps / episodes of the longest run. Median:"
    " of the environments' means. IQM: mean of the middle half of all runs. Gap: how far below 100, what"
    " exceeds it cut."
)
_CAPTION_PAIRS = (
    "How likely a run of X scores more than a run of Y on the same environment, each by its measure above, a"
    " tie counting half, with its 95% stratified bootstrap interval. Marked: the interval lies above 50%."
)


def render_overall(
    frame: pd.DataFrame,
    format: Format = "text",
    *,
    score_mode: ScoreMode = "corrected",
    measure: Measure = "test",
    width: int | None = None,
    color: bool = False,
) -> str:
    """Renders both tables, one after the other; the format `csv` holds the first table alone.

    Args:
        frame: result rows.
        format: text, markdown, csv, latex or html.
        score_mode: how scores are computed, see `metrics.with_scores`.
        measure: how those of learners were measured, see `measures.with_measure`.
        width: the largest number of columns of the text format; None for no limit.
        color: whether the text format uses colours.

    Raises:
        ValueError: there is no such format.
    """
    check_format(format)
    totals = summarise_overall(frame, score_mode, measure)
    if format == "csv":
        return totals.to_csv(index=False, lineterminator="\n")
    sheets = [_totals_sheet(totals)]
    pairs = compare_agents(frame, score_mode, measure)
    if len(pairs):
        sheets.append(_pairs_sheet(pairs))
    writers: dict[str, Callable[[Sheet], str]] = {
        "text": lambda sheet: table_formats.text(sheet, width, color),
        "markdown": table_formats.markdown,
        "latex": table_formats.latex,
        "html": table_formats.html,
    }
    return "\n".join(writers[format](sheet) for sheet in sheets)


def _totals_sheet(totals: pd.DataFrame) -> Sheet:
    """Makes the table of agents; a row is marked where its interval reaches the highest mean.

    It competes with the rows of its suite that have the same measure and as many environments.
    """
    headings = [
        "suite",
        "agent",
        "mean [95% CI]",
        "measure",
        "budget",
        "median",
        "IQM",
        "gap",
        "envs",
        "runs",
    ]
    rows, best = [], []
    contest = ["suite", "suite_hash", "n_envs", "measure"]
    highest = totals.groupby(contest)["score"].transform("max")
    for row, most in zip(totals.to_dict("records"), highest, strict=True):
        context = "" if row["context"] in ("none", "empty") else f" ({row['context']})"
        cells = [
            str(row["suite"]),
            f"{row['agent']} {row['agent_version']}{context}{tuned_mark(row)}",
        ]
        if row.get(PROTOCOL, DEFAULT_PROTOCOL) != DEFAULT_PROTOCOL:
            cells[0] += f", protocol {row[PROTOCOL]}"
        cells += [_format_estimate(row, "score"), str(row["measure"])]
        cells += [f"{human(row['budget_steps'])} / {human(row['budget_episodes'])}"]
        cells += [_format_estimate(row, name) for name in ("median", "iqm", "optimality_gap")]
        rows.append([*cells, str(row["n_envs"]), str(row["n_runs"])])
        high = row["score_high"]
        best.append(bool((row["score"] if math.isnan(high) else high) >= most))
    is_any_tuned = "tuned" in totals and totals["tuned"].any()
    caption = f"{_CAPTION} {TUNED_CAPTION}" if is_any_tuned else _CAPTION
    return Sheet(caption, headings, rows, best)


def _pairs_sheet(pairs: pd.DataFrame) -> Sheet:
    """Makes the table of pairs; a row is marked where its interval lies above 50%."""
    headings = ["suite", "X", "P(X > Y) % [95% CI]", "Y", "envs"]
    rows, best = [], []
    for row in pairs.to_dict("records"):
        names = [str(row[k]).removesuffix(" none").removesuffix(" empty") for k in ("x", "y")]
        cells = [str(row["suite"]), names[0], _format_estimate(row, "probability"), names[1]]
        rows.append([*cells, str(row["n_envs"])])
        best.append(bool(row["probability_low"] > 0.5))
    return Sheet(_CAPTION_PAIRS, headings, rows, best)


def _format_estimate(row: dict[Any, Any], name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    interval = "" if math.isnan(low) else f" [{percent(low)}, {percent(high)}]"
    return percent(row[name]) + interval
