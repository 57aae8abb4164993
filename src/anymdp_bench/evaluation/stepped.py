"""`SteppedAgent`: a compiled learner as an agent in plain Python, for recordings and verification."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from anymdp_bench.agents import Agent, CompiledAgent, RunBatch, Transition
from anymdp_bench.engine.arrays import Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import stream
from anymdp_bench.engine.rollout import draw_action


def test_action_stream(seeds: UInt64s) -> UInt64s:
    """Returns the stream, uint64 [1], from which a learner with `seeds` [1] draws the actions of tests."""
    return stream("test actions", int(seeds[0]))


class SteppedAgent(Agent):
    """An `Agent` that plays one stream with the functions of a `CompiledAgent`.

    Its choices are the same as in the compiled loop.

    Args:
        agent: the compiled agent.
    """

    trains: ClassVar[bool] = True

    def __init__(self, agent: CompiledAgent) -> None:
        self._agent = agent

    def start(self, batch: RunBatch) -> None:
        """Makes a new memory for the one stream."""
        self._rng, self._test_rng = batch.seeds.copy(), test_action_stream(batch.seeds)
        self._size = (batch.n_observations, batch.n_actions)
        self._settings = self._agent.settings(batch)
        self._memory = self._agent.memory(batch)
        self._table: Float64s | None = None

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns the learner's action, or an action from its test policy, int64 [1]."""
        if test:
            row = self.policy()[0, observation[0]]
            return np.array([draw_action(row, self._test_rng)], np.int64)
        action = self._agent.compiled_act(
            int(observation[0]), self._size[1], self._memory, self._settings, self._rng
        )
        return np.array([action], np.int64)

    def learn(self, transition: Transition) -> None:
        """Learns from one step."""
        self._table = None
        observation, action, reward, following, terminated, truncated = transition
        self._agent.compiled_learn(
            int(observation[0]), int(action[0]), float(reward[0]), int(following[0]),
            bool(terminated[0]), bool(truncated[0]),
            self._size[1], self._memory, self._settings, self._rng,
        )  # fmt: skip

    def policy(self) -> Float64s:
        """Returns the policy to test, float64 [1, O, A]."""
        if self._table is None:
            self._table = np.zeros(self._size)
            self._agent.compiled_policy(*self._size, self._memory, self._settings, self._table)
        return self._table[None]
