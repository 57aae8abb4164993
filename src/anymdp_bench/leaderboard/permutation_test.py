"""Permutation tests, by environment: how often chance alone makes a claim exceed the rerun so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.results.statistics import Array

RESAMPLES = 9_999


def p_fresh(claimed: Sequence[Array], rerun: Sequence[Array], seed: int = 0) -> float:
    """Returns the one-sided p-value of "the claimed runs score no more than the rerun ones, on average".

    The statistic is the mean over environments of the difference of means. Labels are shuffled within each
    environment.

    Args:
        claimed: the scores of the claimed runs of each environment, [n_i].
        rerun: those of the rerun ones, [m_i], on other tasks of the same kind.
        seed: of the shuffles.
    """
    rng = np.random.default_rng(seed)
    observed, shuffled = 0.0, np.zeros(RESAMPLES)
    for ours, theirs in zip(claimed, rerun, strict=True):
        both = np.concatenate([ours, theirs])
        observed += ours.mean() - theirs.mean()
        picks = rng.permuted(np.tile(both, (RESAMPLES, 1)), axis=1)
        shuffled += picks[:, : len(ours)].mean(axis=1) - picks[:, len(ours) :].mean(axis=1)
    return _p(observed, shuffled)


def p_of_pairs(claimed: Array, rerun: Array, seed: int = 0) -> float:
    """Returns the same for pairs of runs [n] with the same seeds; signs of differences are shuffled."""
    difference = claimed - rerun
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(RESAMPLES, len(difference)))
    return _p(float(difference.mean()), (signs * difference).mean(axis=1))


def _p(observed: float, shuffled: Array) -> float:
    """Returns the share of shuffles at least as large as what was observed, itself counted; never 0."""
    larger = int((shuffled >= observed - 1e-12).sum())
    return (larger + 1) / (len(shuffled) + 1)
