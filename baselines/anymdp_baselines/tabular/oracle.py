"""The oracle: the best stationary policy at gamma 0.994, the 1 of the scale. It looks at the task."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import ORACLE_GAMMA


class Oracle:
    """Plays the optimal action of each observation."""

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = True

    def start(self, streams: Streams) -> None:
        """Solves every task once; where it is no table, the game's own oracle is asked at every step."""
        self._ask = streams.oracle
        if self._ask is not None:
            return
        if streams.tasks is None:
            raise ValueError("the oracle is privileged: it needs the tasks")
        solved = {id(task): solve(task, ORACLE_GAMMA).policy for task in streams.tasks}
        self._action = np.zeros((streams.n, streams.n_observations), np.int64)
        for row, task in zip(self._action, streams.tasks, strict=True):
            live = ~task.terminal
            row[task.observation[live]] = solved[id(task)][live]
        self._runs = np.arange(streams.n)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """The optimal actions, int64 [n]."""
        if self._ask is not None:
            return self._ask()
        out: Int64s = self._action[self._runs, observation]
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
        """Knows everything already."""

    def policy(self) -> None:
        """No table is needed: every episode counts."""
        return None
