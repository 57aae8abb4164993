"""Compiled learners: whole episodes at a time, a test at every test point, exact where there is a table."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from anymdp_bench.agents import FusedAgent
from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.engine.rollout import EPISODES, STEPS, learn_episodes
from anymdp_bench.evaluation.pendulum import PendulumLearning
from anymdp_bench.evaluation.runs import (
    FOREVER,
    Budget,
    Curve,
    Ledger,
    Report,
    Run,
    expected_table_return,
    sampled_test_points,
    test_points,
    told,
)
from anymdp_bench.evaluation.switch2 import Switch2Learning
from anymdp_bench.scoring import oracle_advantages
from anymdp_bench.tasks.pendulum.game import Pendulum
from anymdp_bench.tasks.switch2.game import Switch2


class Learning(Protocol):
    """A compiled learner under way in its game.

    Attributes:
        measure: "exact" where `test` gives expected returns, "test" where it plays episodes.
        account: int64 [2], steps and episodes so far.
    """

    measure: str
    account: Int64s

    def learn(self, until_episode: int, max_steps: int | None) -> float:
        """Plays whole episodes until account[EPISODES] = until_episode; the regret that this added."""

    def test(self) -> tuple[float, float]:
        """(return, corrected return) of the policy learned so far."""


class TableLearning:
    """A compiled learner on a tabular task."""

    measure = "exact"

    def __init__(self, agent: FusedAgent, run: Run) -> None:
        self._agent, self._task, self._mdp = agent, run.task, run.task.mdp
        streams = told([run], privileged=False)
        self._settings, self._memory = agent.settings(streams), agent.memory(streams)
        self._advantage = oracle_advantages(self._mdp, run.task.references.policy)
        self._table = np.zeros((self._mdp.n_observations, self._mdp.n_actions))
        self._agent_rng, self._env_rng = run.streams("agent"), run.streams("environment")
        self._tested, self._value = b"", 0.0
        self.account: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int | None) -> float:
        """Plays on; the regret that this added."""
        lost: float = learn_episodes(
            self._agent.compiled_act, self._agent.compiled_learn, *self._mdp.step_tables,
            self._advantage, self._memory, self._settings, self._agent_rng, self._env_rng,
            self.account, until_episode, max_steps or FOREVER,
        )  # fmt: skip
        return lost

    def test(self) -> tuple[float, float]:
        """The exact expected return of the policy, twice."""
        table = self._table
        self._agent.compiled_policy(*table.shape, self._memory, self._settings, table)
        if table.tobytes() != self._tested:  # an unchanged policy keeps its value
            self._tested = table.tobytes()
            self._value = expected_table_return(self._task, table)
        return self._value, self._value


def _begin(agent: FusedAgent, run: Run) -> Learning:
    if isinstance(run.task.game, Pendulum):
        return PendulumLearning(agent, run)
    if isinstance(run.task.game, Switch2):
        return Switch2Learning(agent, run)
    return TableLearning(agent, run)


def _is_due(learning: Learning, ledger: Ledger) -> bool:
    """Whether a run that its steps cut before its first sampled test is tested at its end."""
    return learning.measure == "test" and not ledger.rows and learning.account[EPISODES] > 0


def play_fused(agent: FusedAgent, run: Run, budget: Budget, report: Report | None = None) -> Curve:
    """One run of a compiled learner, tested at the test points."""
    learning = _begin(agent, run)
    chosen = test_points if learning.measure == "exact" else sampled_test_points
    ledger = Ledger(learning.measure)
    regret = 0.0
    for point in chosen(budget.episodes or budget.steps):
        regret += learning.learn(int(point), budget.steps)
        cut = learning.account[EPISODES] < point
        if cut and not _is_due(learning, ledger):
            break
        value, corrected = learning.test()
        score = run.task.references.score(corrected)
        episode, steps = int(learning.account[EPISODES]), int(learning.account[STEPS])
        ledger.rows.append((episode, steps, value, corrected, score, regret))
        if report is not None:
            report(budget.share(episode, steps), score)
        if cut:
            break
    return ledger.curve()
