"""Several copies of a learner in plain Python, playing one game together; they are never privileged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s


class Company:
    """An `Agent` made of one copy a player, each of which plays a single stream and knows of no other."""

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = True
    privileged: ClassVar[bool] = False

    def __init__(self, copies: Sequence[Agent]) -> None:
        self._copies = copies

    def start(self, streams: Streams) -> None:
        """Starts each copy on its stream."""
        for copy, own in zip(self._copies, streams.apart(), strict=True):
            copy.start(own)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """The copies' actions, int64 [players]."""
        given = [
            np.asarray(
                copy.act(observation[i : i + 1], test=True)
                if test
                else copy.act(observation[i : i + 1])
            )
            for i, copy in enumerate(self._copies)
        ]
        for action in given:
            if action.shape != (1,):
                raise AgentError(f"act() returned shape {list(action.shape)}; give 1 integer")
        return np.concatenate(given)

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
        for i, copy in enumerate(self._copies):
            own = slice(i, i + 1)
            copy.learn(
                observation[own], action[own], reward[own],
                next_observation[own], terminated[own], truncated[own],
            )  # fmt: skip

    def policy(self) -> npt.ArrayLike | None:
        """The copies' tables, [players, ...], or None."""
        tables = [copy.policy() for copy in self._copies]
        known = [np.asarray(table)[0] for table in tables if table is not None]
        return np.stack(known) if len(known) == len(tables) else None
