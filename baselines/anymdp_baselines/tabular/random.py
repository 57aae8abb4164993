"""The uniform random policy, which has score 0."""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.rng import integer


@njit(cache=True)
def _draw(rng, n_actions):
    out = np.empty(len(rng), np.int64)
    for i in range(len(rng)):
        out[i] = integer(rng, i, n_actions)
    return out


class Random(Agent):
    """Takes every action with the same probability."""

    def start(self, batch: RunBatch) -> None:
        """Starts one random stream for each run."""
        self._rng: UInt64s = batch.seeds.copy()
        self._n_actions = batch.n_actions

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns uniform random actions, int64 [n]."""
        out: Int64s = _draw(self._rng, self._n_actions)
        return out

    def learn(self, transition: Transition) -> None:
        """Learns nothing."""
