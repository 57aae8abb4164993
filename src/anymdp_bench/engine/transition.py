"""`Transition`: one step of many runs side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


class Transition(NamedTuple):
    """One step of `n` runs side by side; every field is an array of shape [n].

    Attributes:
        observation: the observations that the agent acted on, int64.
        action: the actions that were played, int64.
        reward: the rewards that the agent is given, float64.
        next_observation: the observations that the actions led to, int64. Where an episode ends this is its
            last observation, never the first of the next episode.
        terminated: whether the episode ended in a terminal state, bool.
        truncated: whether the episode ended at its time limit, bool.
    """

    observation: Int64s
    action: Int64s
    reward: Float64s
    next_observation: Int64s
    terminated: Bools
    truncated: Bools

    def select(self, runs: slice | Int64s | Bools) -> Transition:
        """Returns the same step of some of the runs, as contiguous arrays."""
        parts: list[Any] = [np.ascontiguousarray(array[runs]) for array in self]
        return Transition(*parts)
