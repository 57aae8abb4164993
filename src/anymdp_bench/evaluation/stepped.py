"""A compiled learner played step by step, as an agent in plain Python: for recordings and verification."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from anymdp_bench.agents import FusedAgent, Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.rollout import drawn


def choices(seeds: UInt64s) -> UInt64s:
    """The stream, uint64 [1], from which a learner with seeds [1] draws its actions in test episodes."""
    return stream("test actions", int(seeds[0]))


class Unfused:
    """The `Agent` that plays one stream with a `FusedAgent`'s functions, choice for choice the same."""

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = True
    privileged: ClassVar[bool] = False

    def __init__(self, fused: FusedAgent) -> None:
        self._fused = fused

    def start(self, streams: Streams) -> None:
        """A fresh memory for the one stream."""
        self._rng, self._choices = streams.seeds.copy(), choices(streams.seeds)
        self._size = (streams.n_observations, streams.n_actions)
        self._settings = self._fused.settings(streams)
        self._memory = self._fused.memory(streams)
        self._table: Float64s | None = None

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """The learner's action, or one drawn from its test policy, int64 [1]."""
        if test:
            row = self.policy()[0, observation[0]]
            return np.array([drawn(row, self._choices)], np.int64)
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
        self._table = None
        self._fused.compiled_learn(
            int(observation[0]), int(action[0]), float(reward[0]), int(next_observation[0]),
            bool(terminated[0]), bool(truncated[0]),
            self._size[1], self._memory, self._settings, self._rng,
        )  # fmt: skip

    def policy(self) -> Float64s:
        """The policy to test, float64 [1, O, A]."""
        if self._table is None:
            self._table = np.zeros(self._size)
            self._fused.compiled_policy(*self._size, self._memory, self._settings, self._table)
        return self._table[None]
