"""Learning curves and performance profiles, from the same rows and smoothing as the tables.

Between two scored points a run keeps the score of the earlier one, and after its last row that one: a run
that ended early is not dropped. Before its first smoothed score it has none, and is left out there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from anymdp_bench.results import statistics
from anymdp_bench.results.metrics import final_score, runs_of, smoothed
from anymdp_bench.results.statistics import Array

Unit = Literal["episode", "steps"]
POINTS = 60


class Band(NamedTuple):
    """A curve [k]: where, the mean over runs, and the ends of its 95% bootstrap interval.

    The ends are NaN where fewer than two runs have a score.
    """

    at: Array
    mean: Array
    low: Array
    high: Array


def learning_curve(
    frame: pd.DataFrame, unit: Unit = "episode", *, log: bool = True, points: int = POINTS
) -> Band:
    """The mean smoothed score of one agent's runs on one environment, against episodes or steps.

    `points` positions, evenly spaced or on a log scale, from where half of the runs have a first smoothed
    score to the longest run's end. Empty where no run has a smoothed score.
    """
    counted = frame[unit].to_numpy(dtype=float)
    where, scores = [], []
    for run in runs_of(frame):
        smooth = smoothed(run.score, run.measure, run.env_id)
        kept = ~np.isnan(smooth)
        if kept.any():
            where.append(counted[run.rows][kept])
            scores.append(smooth[kept])
    if not where:
        return Band(*np.zeros((4, 0)))
    first, last = float(np.median([x[0] for x in where])), max(float(x[-1]) for x in where)
    first = max(first, 1.0)
    grid = np.geomspace(first, last, points) if log else np.linspace(first, last, points)
    at = np.unique(np.round(grid))
    table = np.array([_held(x, y, at) for x, y in zip(where, scores, strict=True)])
    return _band(at, table)


def profile(frame: pd.DataFrame, at: Array) -> Band:
    """The share of runs whose final score exceeds each of `at` [k], every environment counting the same.

    Its intervals resample the runs of each environment (Agarwal et al. 2021, section 4.2).
    """
    finals = final_score(frame)
    strata = [part["score"].to_numpy() for _, part in finals.groupby("env_id", observed=True)]
    estimates = []
    for threshold in at:
        above = [(scores > threshold).astype(float) for scores in strata]
        estimates.append(statistics.estimate(above, statistics.mean))
    return Band(at, *np.array(estimates).T)


def _held(x: Array, y: Array, at: Array) -> Array:
    """The step function with values `y` from `x` on, at `at`; NaN before."""
    index = np.searchsorted(x, at, side="right") - 1
    return np.where(index >= 0, y[np.maximum(index, 0)], np.nan)


def _band(at: Array, table: Array) -> Band:
    """Mean and interval over the runs [n, k] that have a score."""
    rows = []
    for column in table.T:
        there = column[~np.isnan(column)]
        rows.append(statistics.estimate([there], statistics.mean, resamples=1000))
    return Band(at, *np.array(rows).T)
