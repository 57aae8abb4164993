"""The uniform random policy: the 0 of the scale."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numba import njit

from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import integer


@njit(cache=True)
def _draw(rng, n_actions):
    out = np.empty(len(rng), np.int64)
    for i in range(len(rng)):
        out[i] = integer(rng, i, n_actions)
    return out


class Random:
    """Plays every action with the same probability."""

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = False

    def start(self, streams: Streams) -> None:
        """Takes one random stream a run."""
        self._rng: UInt64s = streams.seeds.copy()
        self._n_actions = streams.n_actions

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Uniform actions, int64 [n]."""
        out: Int64s = _draw(self._rng, self._n_actions)
        return out

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """Learns nothing."""

    def policy(self) -> None:
        """No table is needed: every episode counts."""
        return None
