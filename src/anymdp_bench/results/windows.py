"""How many rows a score is averaged over, and the trailing mean over them."""

from __future__ import annotations

import re

import numpy as np

from anymdp_bench.results.statistics import Array

TEST_EPISODES = 5
"""The number of episodes in a sampled test (measure `test`)."""

_BANDIT = re.compile(r"AnyMDP-(1s\d+a-|v0\?n_states=1(&|$))")


def smoothing_episodes(env_id: str) -> int:
    """Returns the number of episodes that an online score is averaged over: 10, or 100 on a bandit."""
    return 100 if _BANDIT.match(env_id) else 10


def window(measure: str, env_id: str) -> int:
    """Returns the number of rows that a score is averaged over.

    A row is one episode, or one test of five episodes. An exact test has no noise, so it is not averaged. A
    learner's online score (`measures`) is an average already.
    """
    if measure in ("exact", "online"):
        return 1
    episodes = smoothing_episodes(env_id)
    return episodes // TEST_EPISODES if measure == "test" else episodes


def smooth_scores(scores: Array, measure: str, env_id: str) -> Array:
    """Computes the trailing mean of one run's scores [n] over `window` rows.

    It is NaN before row `window`.
    """
    width = window(measure, env_id)
    result = np.full(len(scores), np.nan)
    if len(scores) >= width:
        result[width - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, width).mean(axis=-1)
    return result
