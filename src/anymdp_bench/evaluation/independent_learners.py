"""Several copies of a learner in plain Python, playing one game together; they are never privileged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, Streams, parallel
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


class Company:
    """An `Agent` made of one copy a player, each of which plays its own streams and knows of no other.

    Where the learner plays several streams at once, so does each copy: stream k * players + i is player i
    of game k.
    """

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = True
    privileged: ClassVar[bool] = False

    def __init__(self, copies: Sequence[Agent]) -> None:
        self._copies = copies
        self.parallel = parallel(copies[0])

    def start(self, streams: Streams) -> None:
        """Starts each copy on its streams."""
        for copy, own in zip(self._copies, streams.apart(len(self._copies)), strict=True):
            copy.start(own)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """The copies' actions, int64 [streams]."""
        players, n = len(self._copies), len(observation) // len(self._copies)
        action = np.empty(len(observation), np.int64)
        for i, copy in enumerate(self._copies):
            seen = np.ascontiguousarray(observation[i::players])
            given = np.asarray(copy.act(seen, test=True) if test else copy.act(seen))
            if given.shape != (n,):
                raise AgentError(f"act() returned shape {list(given.shape)}; give {n} integers")
            if given.dtype.kind not in "iu":
                raise AgentError(f"act() returned dtype {given.dtype}; give {n} integers")
            action[i::players] = given
        return action

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """Shows each copy its own part of the step."""
        step = (observation, action, reward, next_observation, terminated, truncated)
        for i, copy in enumerate(self._copies):
            copy.learn(*(np.ascontiguousarray(part[i :: len(self._copies)]) for part in step))  # type: ignore[arg-type]

    def policy(self) -> npt.ArrayLike | None:
        """The copies' tables, [players, ...], or None."""
        tables = [copy.policy() for copy in self._copies]
        known = [np.asarray(table)[0] for table in tables if table is not None]
        return np.stack(known) if len(known) == len(tables) else None
