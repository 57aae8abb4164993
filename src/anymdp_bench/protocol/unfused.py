"""A compiled learner played step by step, as an agent in plain Python: for recordings."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from anymdp_bench.agents import FusedAgent, Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


class Unfused:
    """The `Agent` that plays one stream with a `FusedAgent`'s functions, choice for choice the same."""

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = True
    privileged: ClassVar[bool] = False

    def __init__(self, fused: FusedAgent) -> None:
        self._fused = fused

    def start(self, streams: Streams) -> None:
        """A fresh memory for the one stream."""
        self._rng = streams.seeds.copy()
        self._size = (streams.n_observations, streams.n_actions)
        self._settings = self._fused.settings(streams)
        self._memory = self._fused.memory(streams)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """The learner's action, or the likeliest of its test policy, int64 [1]."""
        if test:
            best: Int64s = self.policy()[:, observation[0]].argmax(axis=1)
            return best
        action = self._fused.compiled_act(
            int(observation[0]), self._size[1], self._memory, self._settings, self._rng
        )
        return np.array([action], np.int64)

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """One step of learning."""
        self._fused.compiled_learn(
            int(observation[0]), int(action[0]), float(reward[0]), int(next_observation[0]),
            bool(terminated[0]), bool(truncated[0]),
            self._size[1], self._memory, self._settings, self._rng,
        )  # fmt: skip

    def policy(self) -> Float64s:
        """The policy to test, float64 [1, O, A]."""
        out = np.zeros(self._size)
        self._fused.compiled_policy(*self._size, self._memory, self._settings, out)
        return out[None]
