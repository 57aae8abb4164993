"""The protocol on the Pendulum: its arena, and a compiled learner on it.

Nothing but the start of an episode is drawn there, so the lemma behind the variance-free score is exact by
simulation: an episode's excess over the oracle is its return less the return of the oracle's episode from
the same start. No value function, and so no error of a grid, comes into it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, FusedAgent
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.step import SAME_STEP
from anymdp_bench.evaluation.runs import FOREVER, TEST_EPISODES, Run, told
from anymdp_bench.evaluation.simulator import checked_actions, shaping_of, teach
from anymdp_bench.evaluation.stepped import choices
from anymdp_bench.tasks.pendulum.dynamics import swing_reset, swing_step
from anymdp_bench.tasks.pendulum.game import GAMMA, Pendulum
from anymdp_bench.tasks.pendulum.rollout import learn_swings, swing_returns
from anymdp_bench.tasks.selection import ScoredTask


def pendulum_of(task: ScoredTask) -> Pendulum:
    """The task's game.

    Raises:
        TypeError: it is another.
    """
    if not isinstance(task.game, Pendulum):
        raise TypeError(f"{type(task.game).__name__} is no Pendulum")
    return task.game


class PendulumArena:
    """Runs on one Pendulum stepped side by side; the attributes are those of `Arena`."""

    players = 1

    def __init__(
        self, runs: Sequence[Run], purpose: str = "environment", shaped: bool = False
    ) -> None:
        self.n = len(runs)
        self._game = pendulum_of(runs[0].task)
        self.n_actions = self._game.n_actions
        self._shape = shaping_of(runs[0].env_id) if shaped else None
        self._rng = np.concatenate([run.streams(purpose) for run in runs])
        self._state, self._left = np.zeros((self.n, 2)), np.zeros(self.n, np.int64)
        self._last = np.zeros(self.n, np.int64)
        self.observation = np.zeros(self.n, np.int64)
        swing_reset(self._state, self._left, self._rng, np.ones(self.n, np.bool_), self.observation)
        self._from_start: Float64s = self._game.oracle_returns(self._state)
        self.oracle = np.array([run.task.references.oracle for run in runs])
        self.gap = np.array([run.task.references.gap for run in runs])
        self.steps = 0
        self.episodes = np.zeros(self.n, np.int64)
        self.return_ = np.zeros(self.n)

    def actions(self, given: npt.ArrayLike) -> Int64s:
        """An agent's actions, checked; see `checked_actions`."""
        return checked_actions(given, self.n, self.n_actions)

    def oracle_actions(self) -> Int64s:
        """What the oracle, which sees the true state, does now, int64 [n]."""
        return self._game.oracle_actions(self._state)

    def step(
        self, action: Int64s, agent: Agent | None, shown: Bools | None = None
    ) -> tuple[Int64s, list[tuple[float, float]]]:
        """One step of every run, as `Arena.step`."""
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        truncated, fresh = np.empty(self.n, np.bool_), np.empty(self.n, np.bool_)
        swing_step(
            self._state, self._left, self._rng, self._game.gravity, action, SAME_STEP,
            seen, reward, truncated, fresh, self._last,
        )  # fmt: skip
        self.steps += 1
        self.return_ += reward
        if agent is not None:
            arrived = np.where(fresh, self._last, seen)
            never = np.zeros(self.n, np.bool_)
            given = reward if self._shape is None else self._shape(reward, never)
            teach(agent, (self.observation, action, given, arrived, never, truncated), shown)
        self.observation = seen
        over = np.flatnonzero(fresh)
        results = [
            (float(self.return_[i]), float(self.return_[i] - self._from_start[i])) for i in over
        ]
        self.return_[over] = 0.0
        self.episodes[over] += 1
        if len(over):
            self._from_start[over] = self._game.oracle_returns(self._state[over])
        return over, results


class PendulumLearning:
    """A compiled learner on a Pendulum; see `protocol.fused.Learning`."""

    measure = "test"

    def __init__(self, agent: FusedAgent, run: Run) -> None:
        self._agent, self._game = agent, pendulum_of(run.task)
        [streams] = told([run], privileged=False).apart()
        self._settings, self._memory = agent.settings(streams), agent.memory(streams)
        self._agent_rng, self._env_rng = run.streams("agent"), run.streams("environment")
        self._test_rng, self._choices = run.streams("test"), choices(streams.seeds)
        self.account: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int | None) -> float:
        """Plays on; the regret that this added."""
        lost: float = learn_swings(
            self._agent.compiled_act, self._agent.compiled_learn, self._game.gravity,
            self._game.value, GAMMA, self._memory, self._settings, self._agent_rng, self._env_rng,
            self.account, until_episode, max_steps or FOREVER,
        )  # fmt: skip
        return lost

    def test(self) -> tuple[float, float]:
        """(mean return of some test episodes, the corrected one)."""
        game = self._game
        table = np.zeros((game.n_observations, game.n_actions))
        self._agent.compiled_policy(*table.shape, self._memory, self._settings, table)
        mean, ahead = swing_returns(
            table, game.gravity, game.value, GAMMA, self._test_rng, self._choices, TEST_EPISODES
        )
        return float(mean), float(game.oracle + ahead)
