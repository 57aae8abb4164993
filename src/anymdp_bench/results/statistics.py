"""Statistics over runs: interquartile mean, bootstrap intervals, Kaplan-Meier times to target.

All functions are pure functions of arrays. A *stratum* holds the scores of the runs of one environment
(tasks x runs), which are exchangeable. Strata differ in kind, so each has the same weight and is resampled on
its own (Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice"). rliable 1.2 does the same
where every environment has the same number of runs. It is no dependency: its bootstrap needs arch below 8, no
such version works with pandas 3, and it installs statsmodels too. `tests/results/test_rliable.py` compares
our numbers with rliable's.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.stats

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""A statistic maps samples [..., n] to one value per sample [...]."""
PooledStatistic = Callable[[Sequence[Array]], Array]
"""A pooled statistic maps one array [..., n_i] per stratum to one value per sample [...]."""

RESAMPLES = 2000
LEVEL = 0.95
"""The level of the intervals."""


class Estimate(NamedTuple):
    """A value and the two ends of its bootstrap interval; they are NaN where a stratum has a single run."""

    value: float
    low: float
    high: float


def mean(scores: Array) -> Array:
    """Returns the mean over the last axis."""
    return np.asarray(np.mean(scores, axis=-1))


def median(scores: Array) -> Array:
    """Returns the median over the last axis."""
    return np.asarray(np.median(scores, axis=-1))


def iqm(scores: Array) -> Array:
    """Returns the interquartile mean over the last axis: the mean without the lowest and highest n // 4."""
    return np.asarray(scipy.stats.trim_mean(scores, 0.25, axis=-1))


def optimality_gap(scores: Array) -> Array:
    """Returns by how much the scores are below 1 on average, over the last axis.

    A score above 1 counts as 1.
    """
    return np.asarray(1 - np.mean(np.minimum(scores, 1.0), axis=-1))


def estimate(
    strata: Sequence[Array], statistic: Statistic, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Estimates the mean of a statistic over strata, with its 95% interval.

    The interval is a percentile bootstrap: every stratum is resampled with replacement. The same arguments
    give the same interval.

    Args:
        strata: the scores of each stratum, [n_i] with n_i >= 1.
        statistic: what is computed of each stratum.
        resamples: the number of bootstrap samples.
        seed: the seed of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    value = np.mean([statistic(stratum) for stratum in strata])
    if min(len(stratum) for stratum in strata) < 2:
        return Estimate(float(value), np.nan, np.nan)
    replicas = np.zeros(resamples)
    for stratum in strata:
        picks = rng.integers(len(stratum), size=(resamples, len(stratum)))
        replicas += statistic(stratum[picks]) / len(strata)
    low, high = np.quantile(replicas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def pooled_iqm(strata: Sequence[Array]) -> Array:
    """Returns the interquartile mean of all runs together, over `strata` [..., n_i] of equal weight.

    It is the mean of the scores between the quartiles of the mixture; a run on a quartile counts in part. It
    equals rliable's `aggregate_iqm` where all strata have the same size and 4 divides the number of runs.
    """
    scores = np.concatenate(strata, axis=-1)
    weights = np.concatenate(
        [np.full(s.shape[-1], 1 / (s.shape[-1] * len(strata))) for s in strata]
    )
    order = np.argsort(scores, axis=-1)
    weight = weights[order]
    end = np.cumsum(weight, axis=-1)
    inside = np.clip(np.minimum(end, 0.75) - np.maximum(end - weight, 0.25), 0.0, None)
    total = (np.take_along_axis(scores, order, axis=-1) * inside).sum(axis=-1)
    return np.asarray(total / inside.sum(axis=-1))


def median_of_means(strata: Sequence[Array]) -> Array:
    """Returns the median of the means of `strata`, [..., n_i] each; it is rliable's `aggregate_median`."""
    return np.asarray(np.median([mean(stratum) for stratum in strata], axis=0))


def estimate_pooled(
    strata: Sequence[Array], statistic: PooledStatistic, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Estimates a statistic of all `strata` together, [n_i] each, with its 95% interval; see `estimate`."""
    rng = np.random.default_rng(seed)
    value = float(statistic(strata))
    if min(len(stratum) for stratum in strata) < 2:
        return Estimate(value, np.nan, np.nan)
    samples = [
        stratum[rng.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata
    ]
    low, high = np.quantile(statistic(samples), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def probability_of_improvement(x: Array, y: Array) -> Array:
    """Returns the probability that a run of `x` [..., n] scores more than one of `y` [..., m].

    A tie counts half. It is the Mann-Whitney U statistic divided by n * m, computed from ranks.
    """
    n, m = x.shape[-1], y.shape[-1]
    ranks = scipy.stats.rankdata(np.concatenate([x, y], axis=-1), axis=-1)
    return np.asarray((ranks[..., :n].sum(axis=-1) - n * (n + 1) / 2) / (n * m))


def estimate_improvement(
    xs: Sequence[Array], ys: Sequence[Array], resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Estimates the mean over environments of the probability of improvement, with its 95% interval.

    Args:
        xs: the scores of agent x, one array [n_i] per environment.
        ys: the scores of agent y on the same environments, [m_i].
        resamples: the number of bootstrap samples; both agents' runs are resampled in each environment.
        seed: the seed of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    value = np.mean([probability_of_improvement(x, y) for x, y in zip(xs, ys, strict=True)])
    if min(len(each) for each in (*xs, *ys)) < 2:
        return Estimate(float(value), np.nan, np.nan)
    replicas = np.zeros(resamples)
    for x, y in zip(xs, ys, strict=True):
        samples = [each[rng.integers(len(each), size=(resamples, len(each)))] for each in (x, y)]
        replicas += probability_of_improvement(*samples) / len(xs)
    low, high = np.quantile(replicas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def survival(times: Array, reached: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Computes the Kaplan-Meier survival curve of times to target.

    Args:
        times: the time to target of each run, [n], or the time at which it was cut short.
        reached: whether each run reached the target, [n].

    Returns:
        The distinct times [m], ascending, and the share of runs without the target after each, [m].
    """
    data = scipy.stats.CensoredData.right_censored(times, ~reached)
    curve = scipy.stats.ecdf(data).sf
    return np.asarray(curve.quantiles, float), np.asarray(curve.probabilities, float)


def median_time(times: Array, reached: npt.NDArray[np.bool_]) -> float:
    """Returns the Kaplan-Meier median.

    The first time by which half of the runs reached the target, or inf.
    """
    at, share = survival(times, reached)
    half = np.flatnonzero(share <= 0.5 + 1e-12)
    return float(at[half[0]]) if len(half) else np.inf


def restricted_mean_time(
    times: Array, reached: npt.NDArray[np.bool_], horizon: float | None = None
) -> float:
    """Returns the restricted mean time to target: the area under the Kaplan-Meier curve up to `horizon`.

    A run without the target at `horizon` counts as `horizon`, which is the longest time by default.
    """
    at, share = survival(times, reached)
    end = float(np.max(times)) if horizon is None else horizon
    edges = np.append(np.minimum(np.append(0.0, at), end), end)
    return float(np.sum(np.diff(edges) * np.append(1.0, share)))
