"""The Discrete-Pendulum as a `Task`: its simulator, and compiled learners on it.

Only the start of an episode is random. So the control variate of the score is exact by simulation. The
corrected return of an episode is the oracle's mean return, plus the return of the episode, minus the return
of the oracle's episode from the same start. No value function enters this, and so no error of a grid does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Frame, Int64s, UInt64s
from anymdp_bench.engine.rollout import CompiledLearner
from anymdp_bench.engine.step import SAME_STEP
from anymdp_bench.engine.transition import Transition
from anymdp_bench.scoring import References
from anymdp_bench.tasks.pendulum.dynamics import (
    HORIZON,
    advance,
    reset_pendulums,
    step_pendulums,
)
from anymdp_bench.tasks.pendulum.frame import draw_pendulum
from anymdp_bench.tasks.pendulum.game import (
    GAMMA,
    Pendulum,
    load_pendulum,
    set_first_states,
    shape,
)
from anymdp_bench.tasks.pendulum.rollout import learn_pendulum_episodes, play_test_episodes
from anymdp_bench.tasks.task import StepResult

_MOST_COST = np.pi**2 + 0.1 * 8.0**2 + 0.001 * 2.0**2  # the largest cost of a step


@dataclass(frozen=True, eq=False)
class PendulumTask:
    """A `Task` on one Pendulum. Its inner states are continuous, so its tests are episodes.

    Attributes:
        game: the pendulum with its oracle.
        references: the ends of its scale.
        seed: the task seed.
        max_steps: the longest episode, in steps.
        players: the number of players, 1.
        observed: empty, because the inner states are not countable.
        table: None, because the task is no table.
    """

    game: Pendulum
    references: References
    seed: int = 0
    max_steps: int = HORIZON
    players: int = 1
    observed: tuple[Int64s, ...] = ()
    table: None = None

    @property
    def n_observations(self) -> int:
        """The number of observations."""
        return self.game.n_observations

    @property
    def n_actions(self) -> int:
        """The number of actions."""
        return self.game.n_actions

    def simulator(
        self, tasks: Sequence[PendulumTask], rng: UInt64s, *, shaped: bool = False
    ) -> PendulumSimulator:
        """Makes a simulator of runs of this task; see `Task.simulator`."""
        return PendulumSimulator(self.game, rng, shaped)

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledPendulumRun:
        """Puts a compiled learner on this task; see `Task.compiled_run`."""
        return CompiledPendulumRun(self.game, learner, rng, test_rng)

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Raises a `TypeError`, because the inner states are continuous."""
        raise TypeError("the expected return on Discrete-Pendulum has no closed form")

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """Returns a loose bound: the oracle's mean return minus and plus the largest cost of an episode."""
        worst = self.max_steps * _MOST_COST
        return self.references.oracle - worst, self.references.oracle + worst


def make_task(seed: int, *, gravity: float, start: str = "uniform") -> PendulumTask:
    """Makes the one task of a published gravity.

    Args:
        seed: it has no effect.
        gravity: the acceleration of gravity in m/s^2: 1, 5 or 9.8.
        start: where episodes start: "uniform" draws the angle and the speed; with "fixed" every episode
            starts at angle 1.146 rad and speed -0.892, as Gymnasium's Pendulum-v1 does after
            `reset(seed=123)`.

    Raises:
        TaskError: no oracle is stored for `gravity`, or there is no such start.
    """
    game = load_pendulum(gravity, start)
    return PendulumTask(
        game, References(game.oracle, game.oracle_sd, game.random, np.zeros(0, np.int64))
    )


class PendulumSimulator:
    """Runs on one Pendulum that are stepped side by side; see `VectorSimulator`.

    Args:
        game: the pendulum.
        rng: the random stream of each run, uint64 [n].
        shaped: whether agents are given shaped rewards.
    """

    players = 1

    def __init__(self, game: Pendulum, rng: UInt64s, shaped: bool) -> None:
        self.n, self.n_actions = len(rng), game.n_actions
        self._game, self._rng, self._shaped = game, rng, shaped
        self._state, self._left = np.zeros((self.n, 2)), np.zeros(self.n, np.int64)
        self._last = np.zeros(self.n, np.int64)
        self.observation: Int64s = np.zeros(self.n, np.int64)
        reset_pendulums(
            self._state, self._left, self._rng, np.ones(self.n, np.bool_), self.observation
        )
        set_first_states(game.first_state, self._state, self.observation, slice(None))
        self._from_start: Float64s = game.oracle_returns(self._state)
        self._return = np.zeros(self.n)
        self._before = self._state[0].copy()  # the first run's state before its latest step
        self._latest: int | None = None  # the action of that step

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every run; see `VectorSimulator`."""
        self._before = self._state[0].copy()
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        truncated, fresh = np.empty(self.n, np.bool_), np.empty(self.n, np.bool_)
        step_pendulums(
            self._state, self._left, self._rng, self._game.gravity, action, SAME_STEP,
            seen, reward, truncated, fresh, self._last,
        )  # fmt: skip
        over = np.flatnonzero(fresh)
        set_first_states(self._game.first_state, self._state, seen, over)
        self._return += reward
        never = np.zeros(self.n, np.bool_)
        given = shape(reward, never, gravity=self._game.gravity) if self._shaped else reward
        arrived = np.where(fresh, self._last, seen)
        transition = Transition(self.observation, action, given, arrived, never, truncated)
        self.observation = seen
        sums = self._return[over] - self._from_start[over]
        self._return[over] = 0.0
        if len(over):
            self._from_start[over] = self._game.oracle_returns(self._state[over])
        self._latest = int(action[0])
        return StepResult(transition, reward, over, sums)

    def oracle_actions(self) -> Int64s:
        """Returns the actions of the oracle, which sees the true states, int64 [n]."""
        return self._game.oracle_actions(self._state)

    def frame(self, final: bool = False) -> Frame:
        """Draws the pendulum of the first run; see `VectorSimulator`."""
        theta, speed = self._state[0]
        if final and self._latest is not None:
            theta, speed, _ = advance(
                self._before[0], self._before[1], self._latest, self._game.gravity
            )
        return draw_pendulum(float(theta), float(speed), self._latest)


class CompiledPendulumRun:
    """A compiled learner on a Pendulum; see `CompiledRun`."""

    def __init__(
        self, game: Pendulum, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> None:
        self._game, self._learner, self._rng, self._test_rng = game, learner, rng, test_rng
        self._memory = learner.memory[0]
        self.counts: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int) -> float:
        """Plays on, and returns the regret that this added."""
        regret: float = learn_pendulum_episodes(
            self._learner.act, self._learner.learn, self._game.gravity, self._game.first_state,
            self._game.value, GAMMA, self._memory, self._learner.settings, self._learner.rng,
            self._rng, self.counts, until_episode, max_steps,
        )  # fmt: skip
        return regret

    def policy(self) -> Float64s:
        """Returns the policy to test, float64 [1, O, A]."""
        table = np.zeros((self._game.n_observations, self._game.n_actions))
        self._learner.policy(*table.shape, self._memory, self._learner.settings, table)
        return table[None]

    def play_test(self, episodes: int) -> tuple[float, float]:
        """Plays test episodes, and returns (mean return, mean corrected return)."""
        game, (starts, choices) = self._game, self._test_rng
        mean, ahead = play_test_episodes(
            self.policy()[0],
            game.gravity,
            game.first_state,
            game.value,
            GAMMA,
            starts,
            choices,
            episodes,
        )
        return float(mean), float(game.oracle + ahead)
