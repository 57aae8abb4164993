"""`IndependentLearners`: several copies of a learner that play one task together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, RunBatch, Transition, get_parallel
from anymdp_bench.engine.arrays import Int64s


class IndependentLearners(Agent):
    """An `Agent` that has one copy of a learner for each player.

    Each copy plays its own streams and knows nothing of the others. A privileged learner gets no tasks
    here. If the learner steps several copies of its task at once, stream k * players + i is player i of
    copy k of the task.

    Args:
        copies: one copy of the learner for each player.
    """

    trains: ClassVar[bool] = True

    def __init__(self, copies: Sequence[Agent]) -> None:
        self._copies = copies
        self.parallel = get_parallel(copies[0])  # type: ignore[misc]

    def start(self, batch: RunBatch) -> None:
        """Starts each copy on its own streams."""
        for copy, own in zip(self._copies, batch.split(len(self._copies)), strict=True):
            copy.start(own)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns the actions of the copies, int64 [streams].

        Raises:
            AgentError: a copy returned no integers, or too few of them.
        """
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

    def learn(self, transition: Transition) -> None:
        """Gives each copy its own part of the step."""
        for i, copy in enumerate(self._copies):
            copy.learn(transition.select(slice(i, None, len(self._copies))))

    def policy(self) -> npt.ArrayLike | None:
        """Returns the tables of the copies, [players, ...], or None if a copy has none."""
        tables = [copy.policy() for copy in self._copies]
        known = [np.asarray(table)[0] for table in tables if table is not None]
        return np.stack(known) if len(known) == len(tables) else None
