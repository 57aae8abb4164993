"""Learning curves and performance profiles; they use the same rows and smoothing as the tables.

Between two scored points a run keeps the score of the earlier point. After its last row it keeps its last
score, so a run that ended early is not dropped. A run has no score before its first smoothed score, so it is
left out of the mean there.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from anymdp_bench.results import statistics
from anymdp_bench.results.metrics import compute_final_scores
from anymdp_bench.results.runs import split_runs
from anymdp_bench.results.statistics import Array
from anymdp_bench.results.windows import smooth_scores

Unit = Literal["episode", "steps"]
POINTS = 60
"""The number of points on a curve."""


class Band(NamedTuple):
    """A mean curve with its 95% bootstrap interval, four arrays [k].

    Attributes:
        at: the positions on the horizontal axis.
        mean: the mean over the runs.
        low: the lower end of the interval; NaN where fewer than two runs have a score.
        high: the upper end; NaN likewise.
    """

    at: Array
    mean: Array
    low: Array
    high: Array


def learning_curve(
    frame: pd.DataFrame, unit: Unit = "episode", *, log: bool = True, points: int = POINTS
) -> Band:
    """Computes the mean smoothed score of one agent's runs on one environment.

    The curve begins where half of the runs have a first smoothed score, and ends with the longest run.

    Args:
        frame: the rows of one agent on one environment.
        unit: the horizontal axis, episodes or environment steps.
        log: whether the positions are evenly spaced on a log scale.
        points: the number of positions.

    Returns:
        The curve; its arrays are empty where no run has a smoothed score.
    """
    counted = frame[unit].to_numpy(dtype=float)
    where, scores = [], []
    for run in split_runs(frame):
        smooth = smooth_scores(run.score, run.measure, run.env_id)
        has_score = ~np.isnan(smooth)
        if has_score.any():
            where.append(counted[run.rows][has_score])
            scores.append(smooth[has_score])
    if not where:
        return Band(*np.zeros((4, 0)))
    first, last = float(np.median([x[0] for x in where])), max(float(x[-1]) for x in where)
    first = max(first, 1.0)
    grid = np.geomspace(first, last, points) if log else np.linspace(first, last, points)
    at = np.unique(np.round(grid))
    table = np.array([_evaluate_steps(x, y, at) for x, y in zip(where, scores, strict=True)])
    return _mean_band(at, table)


def performance_profile(frame: pd.DataFrame, at: Array) -> Band:
    """Computes the share of runs with a final score above each threshold of `at` [k].

    Every environment has the same weight. The intervals resample the runs within each environment (Agarwal et
    al. 2021, section 4.2).
    """
    finals = compute_final_scores(frame)
    environments = finals.groupby(["suite", "suite_hash", "env_id"], observed=True)
    strata = [part["score"].to_numpy() for _, part in environments]
    estimates = []
    for threshold in at:
        above = [(scores > threshold).astype(float) for scores in strata]
        estimates.append(statistics.estimate(above, statistics.mean))
    return Band(at, *np.array(estimates).T)


def _evaluate_steps(x: Array, y: Array, at: Array) -> Array:
    """Evaluates at `at` [k] the step function that takes the value y[i] from x[i] on.

    It is NaN before x[0].
    """
    index = np.searchsorted(x, at, side="right") - 1
    return np.where(index >= 0, y[np.maximum(index, 0)], np.nan)


def _mean_band(at: Array, table: Array) -> Band:
    """Computes the mean and its interval at each position, over the runs [n, k] that have a score there."""
    rows = []
    for column in table.T:
        scores = column[~np.isnan(column)]
        rows.append(statistics.estimate([scores], statistics.mean, resamples=1000))
    return Band(at, *np.array(rows).T)
