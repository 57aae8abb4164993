"""The oracle: the best stationary policy at gamma 0.994, which has score 1. It reads the task."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from anymdp_bench.agents import Agent, RunBatch, Transition
from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import ORACLE_GAMMA


class Oracle(Agent):
    """Plays the optimal action of each observation."""

    privileged: ClassVar[bool] = True

    def start(self, batch: RunBatch) -> None:
        """Solves every tabular task once; for another task, `act` asks the batch's oracle at every step.

        Raises:
            ValueError: the batch holds neither tasks nor an oracle.
        """
        self._ask = batch.oracle
        if self._ask is not None:
            return
        if batch.tasks is None:
            raise ValueError("the oracle is privileged: it needs the tasks")
        solved = {id(task): solve(task, ORACLE_GAMMA).policy for task in batch.tasks}
        self._action = np.zeros((batch.n, batch.n_observations), np.int64)
        for row, task in zip(self._action, batch.tasks, strict=True):
            live = ~task.terminal
            row[task.observation[live]] = solved[id(task)][live]
        self._runs = np.arange(batch.n)

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Returns the optimal actions, int64 [n]."""
        if self._ask is not None:
            return self._ask()
        out: Int64s = self._action[self._runs, observation]
        return out

    def learn(self, transition: Transition) -> None:
        """Learns nothing, since it knows the task."""
