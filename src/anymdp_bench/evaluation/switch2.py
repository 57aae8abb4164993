"""The protocol on Switch2: one learner copy an agent, one account for both.

A run has two streams, the agents' observations in turn: stream 2 k + i is agent i of run k. Everything
is scored by the exact joint oracle: nothing is drawn in Switch2, and the sum of both rewards is the
episode's return.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, FusedAgent
from anymdp_bench.engine.arrays import Bools, Int64s
from anymdp_bench.evaluation.runs import FOREVER, Run, expected_tables_return, told
from anymdp_bench.evaluation.simulator import checked_actions, teach
from anymdp_bench.scoring import oracle_advantages
from anymdp_bench.tasks.selection import ScoredTask
from anymdp_bench.tasks.switch2.game import Switch2
from anymdp_bench.tasks.switch2.rollout import learn_together


def switch_of(task: ScoredTask) -> Switch2:
    """The task's game.

    Raises:
        TypeError: it is another.
    """
    if not isinstance(task.game, Switch2):
        raise TypeError(f"{type(task.game).__name__} is no Switch2")
    return task.game


class Switch2Arena:
    """Runs of Switch2 side by side; the attributes are those of `Arena`, `n` being twice the runs."""

    players = 2

    def __init__(
        self, runs: Sequence[Run], purpose: str = "environment", shaped: bool = False
    ) -> None:
        task = runs[0].task
        self._game, self._policy = switch_of(task), task.references.policy
        self._shaped = shaped
        self._advantage = oracle_advantages(task.mdp, self._policy)
        self._start = int(task.mdp.start.argmax())
        count = len(runs)
        self.n, self.n_actions = 2 * count, self._game.n_actions
        self._state = np.full(count, self._start)
        self._left = np.full(count, task.mdp.max_steps)
        self.oracle = np.full(count, task.references.oracle)
        self.gap = np.full(count, task.references.gap)
        self.observation: Int64s = self._game.seen[self._state].ravel()
        self.steps = 0
        self.episodes = np.zeros(count, np.int64)
        self.return_, self.excess = np.zeros(count), np.zeros(count)

    def actions(self, given: npt.ArrayLike) -> Int64s:
        """An agent's actions, checked; see `checked_actions`."""
        return checked_actions(given, self.n, self.n_actions)

    def oracle_actions(self) -> Int64s:
        """The joint oracle's actions, int64 [n]."""
        joint = self._policy[self._state]
        return np.stack(np.divmod(joint, self.n_actions), axis=1).ravel()

    def step(
        self, action: Int64s, agent: Agent | None, shown: Bools | None = None
    ) -> tuple[Int64s, list[tuple[float, float]]]:
        """One step of every run, as `Arena.step`; the runs whose episode ended, not the streams."""
        joint = action[0::2] * self.n_actions + action[1::2]
        before = self._state
        self.excess += self._advantage[self._left, before, joint]
        reward = self._game.reward[before, joint]
        self.return_ += reward.sum(axis=1)
        self._state = self._game.following[before, joint]
        self._left = self._left - 1
        terminated = self._game.mdp.terminal[self._state]
        truncated = ~terminated & (self._left == 0)
        self.steps += 1
        arrived = self._game.seen[self._state].ravel()
        if agent is not None:
            both = self._game.shaped[before, joint].repeat(2)
            given = both if self._shaped else reward.ravel()
            ended = terminated.repeat(2), truncated.repeat(2)
            teach(agent, (self.observation, action, given, arrived, *ended), shown)
        over = np.flatnonzero(terminated | truncated)
        results = [(float(self.return_[k]), float(self.excess[k])) for k in over]
        self._state[over], self._left[over] = self._start, self._game.mdp.max_steps
        self.return_[over] = self.excess[over] = 0.0
        self.episodes[over] += 1
        self.observation = self._game.seen[self._state].ravel()
        return over, results


class Switch2Learning:
    """Two copies of a compiled learner on Switch2; see `protocol.fused.Learning`."""

    measure = "exact"

    def __init__(self, agent: FusedAgent, run: Run) -> None:
        self._agent, self._task, self._game = agent, run.task, switch_of(run.task)
        apart = told([run], privileged=False).apart()
        self._settings = agent.settings(apart[0])
        self._memory = np.stack([agent.memory(streams) for streams in apart])
        self._rng = np.stack([streams.seeds.copy() for streams in apart])
        mdp = self._game.mdp
        self._advantage = oracle_advantages(mdp, run.task.references.policy)
        self._ends = int(mdp.start.argmax()), int(mdp.terminal.argmax())
        self.account: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int | None) -> float:
        """Plays on; the regret that this added."""
        game = self._game
        lost: float = learn_together(
            self._agent.compiled_act, self._agent.compiled_learn, game.seen, game.following,
            game.reward, *self._ends, game.n_actions, game.mdp.max_steps, self._advantage,
            self._memory, self._settings, self._rng, self.account, until_episode,
            max_steps or FOREVER,
        )  # fmt: skip
        return lost

    def test(self) -> tuple[float, float]:
        """The exact expected return of both copies' policies, twice."""
        tables = np.zeros((2, self._game.n_observations, self._game.n_actions))
        for memory, table in zip(self._memory, tables, strict=True):
            self._agent.compiled_policy(*table.shape, memory, self._settings, table)
        value = expected_tables_return(self._task, tables)
        return value, value
