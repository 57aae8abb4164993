"""The paper's own performance and cost of an agent on an environment (its Table 1)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from anymdp_bench.results.runs import RunRows, split_runs
from anymdp_bench.results.statistics import LEVEL, Array
from anymdp_bench.results.windows import smooth_scores

TEST_EVERY = 100
"""A learner that trains is tested at multiples of this number of episodes, as in the paper."""

LEARNED = 0.1
"""An agent whose mean corrected score over the last tenth of its curve is lower has learned nothing."""


RESAMPLES = 1000
"""The number of bootstrap samples of an interval."""


class PaperCost(NamedTuple):
    """The best score of a mean curve and the steps and episodes until 99% of it; NaN where undefined."""

    score: float
    steps: float
    episodes: float


def compute_paper_cost(frame: pd.DataFrame, corrected: pd.DataFrame | None = None) -> PaperCost:
    """Computes the paper's performance and cost of one agent on one environment.

    The scores are averaged over all runs at equal episode index. A run that ended earlier keeps its last
    score, so the curve is over all runs everywhere. Of a learner that trains, only the tests at multiples of
    100 episodes count, as they are. Of an in-context agent, all episodes count, each as the mean of the
    trailing 10 (100 on a bandit). `score` is the best value of this curve. `episodes` is the first index
    where the curve is within 99% of the best, and `steps` is the mean of the runs' steps there.

    Args:
        frame: the rows, with the scores to average.
        corrected: the same rows with corrected scores, where those of `frame` are others. They decide
            whether the agent has learned anything: scores that are cut at 0 hide that.

    Returns:
        The cost. All three are NaN where no index is left. `steps` and `episodes` are NaN where the agent has
        learned nothing (`LEARNED`), or the best is not positive.
    """
    table, steps, episodes = _find_curves(frame)
    if not table.size:
        return PaperCost(np.nan, np.nan, np.nan)
    score = table.mean(axis=0)
    best = float(score.max())
    learned = score if corrected is None else _find_curves(corrected)[0].mean(axis=0)
    if best <= 0 or learned[-max(1, len(learned) // 10) :].mean() < LEARNED:
        return PaperCost(best, np.nan, np.nan)
    first = int(np.argmax(score >= 0.99 * best))
    return PaperCost(best, float(steps[first]), float(episodes[first]))


def estimate_best(frame: pd.DataFrame) -> tuple[float, float]:
    """Computes the 95% percentile bootstrap interval of the best of the mean curve, over the runs.

    Args:
        frame: the rows, with the scores to average, as for `compute_paper_cost`.

    Returns:
        The two ends of the interval; NaN for a single run, and where no index is left.
    """
    table, _, _ = _find_curves(frame)
    n = len(table)
    if n < 2 or not table.size:
        return np.nan, np.nan
    rng, best = np.random.default_rng(0), []
    for _ in range(RESAMPLES // 50):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=50)  # how often each run is drawn
        best.append(np.einsum("bn,nk->bk", counts / n, table).max(axis=1))
    low, high = np.quantile(np.concatenate(best), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _find_curves(frame: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Finds the curves from the first index that all runs have reached.

    Returns:
        (the score of each run [runs, k], the mean of the runs' steps [k], the episode [k]).
    """
    episode = frame["episode"].to_numpy(dtype=float)
    steps = frame["steps"].to_numpy(dtype=float)
    points = [_points(run, episode) for run in split_runs(frame)]
    points = [(rows, scores) for rows, scores in points if len(rows)]
    if not points:
        return np.zeros((0, 0)), np.zeros(0), np.zeros(0)
    first = max(episode[rows[0]] for rows, _ in points)
    grid = np.unique(np.concatenate([episode[rows] for rows, _ in points]))
    grid = grid[grid >= first]
    table, spent = np.zeros((len(points), len(grid))), np.zeros(len(grid))
    for row, (rows, scores) in zip(table, points, strict=True):
        at = np.searchsorted(episode[rows], grid, side="right") - 1
        row[:] = scores[at]
        spent += steps[rows[at]]
    return table, spent / len(points), grid


def _points(run: RunRows, episode: Array) -> tuple[np.ndarray, Array]:
    """Returns the rows of a run that count, [k], and their scores; a run too short to smooth has one."""
    if run.measure != "episode":
        counts = episode[run.rows] % TEST_EVERY == 0
        return run.rows[counts], run.score[counts]
    smooth = smooth_scores(run.score, run.measure, run.env_id)
    known = ~np.isnan(smooth)
    if not known.any():
        return run.rows[-1:], run.score.mean(keepdims=True)
    return run.rows[known], smooth[known]
