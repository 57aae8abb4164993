"""Statistics over runs: interquartile mean, bootstrap intervals, Kaplan-Meier times to target.

Pure functions of arrays. A *stratum* holds the scores of one environment's runs (tasks x runs), which
are exchangeable; strata differ in kind, so each counts the same and is resampled on its own
(Agarwal et al. 2021, "Deep RL at the edge of the statistical precipice"). rliable 1.2 does the same for
equally many runs everywhere. Its `metrics` and `plot_utils` import beside numpy 2.4 and pandas 3; its
`library`, the bootstrap, does not, since it pins arch below 8: 5.6 and 6.3 are built for numpy 1, and 7.0
to 7.2 call what pandas 3 has changed (with arch 8.0, against the pin, it imports). It also brings
statsmodels with it; so it is no dependency, and `tests/results/test_rliable.py` holds our numbers to its own.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.stats

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""Maps samples [..., n] to one value per sample [...]."""
PooledStatistic = Callable[[Sequence[Array]], Array]
"""Maps one array of samples [..., n_i] a stratum to one value per sample [...]."""

RESAMPLES = 2000
LEVEL = 0.95


class Estimate(NamedTuple):
    """A value and the ends of its bootstrap interval (NaN where a stratum has a single run)."""

    value: float
    low: float
    high: float


def mean(scores: Array) -> Array:
    """Mean over the last axis."""
    return np.asarray(np.mean(scores, axis=-1))


def median(scores: Array) -> Array:
    """Median over the last axis."""
    return np.asarray(np.median(scores, axis=-1))


def iqm(scores: Array) -> Array:
    """Interquartile mean over the last axis: the mean without the lowest and highest n // 4."""
    return np.asarray(scipy.stats.trim_mean(scores, 0.25, axis=-1))


def optimality_gap(scores: Array) -> Array:
    """How far below the oracle's 1 the scores lie on average, over the last axis; excess is cut."""
    return np.asarray(1 - np.mean(np.minimum(scores, 1.0), axis=-1))


def estimate(
    strata: Sequence[Array], statistic: Statistic, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """The mean over `strata` ([n_i] each, n_i >= 1) of `statistic`, with its 95% interval.

    Percentile bootstrap: every stratum is resampled with replacement, `resamples` times. The same
    arguments give the same interval.
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
    """Interquartile mean of all runs together, `strata` [..., n_i] each, every stratum counting the same.

    The mean of what lies between the quartiles of the mixture; a run on a quartile counts in part. For
    strata of equal size, 4 dividing their total, it is rliable's `aggregate_iqm`.
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
    """Median over strata, [..., n_i] each, of their means: rliable's `aggregate_median`."""
    return np.asarray(np.median([mean(stratum) for stratum in strata], axis=0))


def estimate_pooled(
    strata: Sequence[Array], statistic: PooledStatistic, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """`statistic` of all `strata` ([n_i] each) together, with its 95% interval; see `estimate`."""
    rng = np.random.default_rng(seed)
    value = float(statistic(strata))
    if min(len(stratum) for stratum in strata) < 2:
        return Estimate(value, np.nan, np.nan)
    drawn = [
        stratum[rng.integers(len(stratum), size=(resamples, len(stratum)))] for stratum in strata
    ]
    low, high = np.quantile(statistic(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def probability_of_improvement(x: Array, y: Array) -> Array:
    """The chance that a run of `x` [..., n] scores more than one of `y` [..., m], a tie counting half.

    It is the Mann-Whitney U statistic over n * m, by ranks.
    """
    n, m = x.shape[-1], y.shape[-1]
    ranks = scipy.stats.rankdata(np.concatenate([x, y], axis=-1), axis=-1)
    return np.asarray((ranks[..., :n].sum(axis=-1) - n * (n + 1) / 2) / (n * m))


def estimate_improvement(
    xs: Sequence[Array], ys: Sequence[Array], resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """The mean over environments of the probability that x improves on y, with its 95% interval.

    `xs` and `ys` hold one array of runs an environment, [n_i] and [m_i]; both are resampled in each.
    """
    rng = np.random.default_rng(seed)
    value = np.mean([probability_of_improvement(x, y) for x, y in zip(xs, ys, strict=True)])
    if min(len(each) for each in (*xs, *ys)) < 2:
        return Estimate(float(value), np.nan, np.nan)
    replicas = np.zeros(resamples)
    for x, y in zip(xs, ys, strict=True):
        drawn = [each[rng.integers(len(each), size=(resamples, len(each)))] for each in (x, y)]
        replicas += probability_of_improvement(*drawn) / len(xs)
    low, high = np.quantile(replicas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(value), float(low), float(high))


def survival(times: Array, reached: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Kaplan-Meier: the distinct times [m], ascending, and the share not there yet after each [m].

    `times` [n] are times to target where `reached` [n], else the times at which a run was cut short.
    """
    data = scipy.stats.CensoredData.right_censored(times, ~reached)
    curve = scipy.stats.ecdf(data).sf
    return np.asarray(curve.quantiles, float), np.asarray(curve.probabilities, float)


def median_time(times: Array, reached: npt.NDArray[np.bool_]) -> float:
    """Kaplan-Meier median: the first time by which half are there; inf where they never are."""
    at, share = survival(times, reached)
    there = np.flatnonzero(share <= 0.5 + 1e-12)
    return float(at[there[0]]) if len(there) else np.inf


def restricted_mean_time(
    times: Array, reached: npt.NDArray[np.bool_], horizon: float | None = None
) -> float:
    """Mean time to target, a run still short of it at `horizon` (default: the longest time) as that.

    It is the area under the Kaplan-Meier curve up to `horizon`.
    """
    at, share = survival(times, reached)
    end = float(np.max(times)) if horizon is None else horizon
    edges = np.append(np.minimum(np.append(0.0, at), end), end)
    return float(np.sum(np.diff(edges) * np.append(1.0, share)))
