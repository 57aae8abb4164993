"""Our statistics against those of rliable 1.2 (Agarwal et al. 2021), on fixed arrays worked out by hand.

rliable 1.2 needs arch below 8, and arch 7.2 cannot be imported with pandas 3: its `__init__` calls a
private decorator of pandas whose arguments have changed. rliable only needs `arch.bootstrap`, which works.
So these tests put an empty package `arch` in place, and its `__init__` is not run.
"""

import importlib.util
import sys
import types

import numpy as np
import pytest

from anymdp_bench.results import statistics

# Runs x environments, and what they must give:
# environment means 0.5 and 0.7; medians the same; all eight sorted: .2 .3 .4 .5 .6 .7 .8 1.3 (one exceeds 1)
SCORES = np.array([[0.2, 0.3], [0.4, 0.5], [0.6, 0.7], [0.8, 1.3]])
OTHER = np.array([[0.1, 0.6], [0.3, 0.6], [0.5, 0.6], [0.7, 0.6]])
STRATA = [SCORES[:, 0], SCORES[:, 1]]


@pytest.fixture(scope="module")
def rliable():
    """The real rliable: (library, metrics)."""
    found = importlib.util.find_spec("arch")
    if found is None or importlib.util.find_spec("rliable") is None:
        pytest.skip("rliable is not installed: pip install '.[dev]'")
    before = {k: v for k, v in sys.modules.items() if k == "arch" or k.startswith("arch.")}
    if not before:
        package = types.ModuleType("arch")
        package.__path__ = list(found.submodule_search_locations or [])
        sys.modules["arch"] = package
    import rliable.library
    import rliable.metrics

    return rliable.library, rliable.metrics


def test_point_estimates(rliable):
    theirs = rliable[1]
    mean = statistics.estimate(STRATA, statistics.mean).value
    assert mean == pytest.approx(theirs.aggregate_mean(SCORES)) == pytest.approx(0.6)
    gap = statistics.estimate(STRATA, statistics.optimality_gap).value
    # by environment: one less 0.5, one less 0.625 (1.3 counts as 1)
    assert gap == pytest.approx(theirs.aggregate_optimality_gap(SCORES)) == pytest.approx(0.4375)
    # the middle four of eight: (0.4 + 0.5 + 0.6 + 0.7) / 4
    pooled = statistics.pooled_iqm(STRATA)
    assert pooled == pytest.approx(theirs.aggregate_iqm(SCORES)) == pytest.approx(0.55)
    median = statistics.median_of_means(STRATA)
    assert median == pytest.approx(theirs.aggregate_median(SCORES)) == pytest.approx(0.6)


def test_probability_of_improvement(rliable):
    theirs = rliable[1]
    # env 1: x beats y in 10 of 16 pairs, none is a tie; env 2: 0.7 and 1.3 beat all four, 0.3 and 0.5 none
    ours = statistics.estimate_improvement(STRATA, [OTHER[:, 0], OTHER[:, 1]]).value
    assert ours == pytest.approx(theirs.probability_of_improvement(SCORES, OTHER))
    assert ours == pytest.approx((10 / 16 + 8 / 16) / 2)


def test_profiles(rliable):
    at = np.array([0.0, 0.25, 0.55, 0.9, 1.3])
    ours = [statistics.estimate([(s > t) * 1.0 for s in STRATA], statistics.mean).value for t in at]
    theirs, _ = rliable[0].create_performance_profile({"x": SCORES}, at, reps=10)
    assert ours == pytest.approx(theirs["x"].tolist())
    assert ours == pytest.approx([1, 7 / 8, 4 / 8, 1 / 8, 0])


def test_intervals(rliable):
    library, theirs = rliable
    names = ("mean", "iqm", "median", "gap")
    rng = np.random.default_rng(7)
    scores = np.clip(rng.normal([0.5, 0.7, 0.9], 0.15, size=(12, 3)), 0, 1)
    strata = list(scores.T)

    def all_of(x):
        return np.array(
            [
                theirs.aggregate_mean(x),
                theirs.aggregate_iqm(x),
                theirs.aggregate_median(x),
                theirs.aggregate_optimality_gap(x),
            ]
        )

    _, bounds = library.get_interval_estimates({"x": scores}, all_of, reps=4000)
    ours = (
        statistics.estimate(strata, statistics.mean, resamples=4000),
        statistics.estimate_pooled(strata, statistics.pooled_iqm, resamples=4000),
        statistics.estimate_pooled(strata, statistics.median_of_means, resamples=4000),
        statistics.estimate(strata, statistics.optimality_gap, resamples=4000),
    )
    for name, estimate, low, high in zip(names, ours, *bounds["x"], strict=True):
        assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.006), name
