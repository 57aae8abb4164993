"""The Discrete-Pendulum as a task: its references, its simulator, and compiled learners on it.

Nothing but the start of an episode is drawn here, so the control variate of the score is exact by simulation:
an episode's corrected return is the oracle's mean return plus the episode's own return less the return of
the oracle's episode from the same start. No value function, and so no error of a grid, comes into it.
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
from anymdp_bench.tasks.pendulum.dynamics import HORIZON, advance, reset_pendulums, step_pendulums
from anymdp_bench.tasks.pendulum.frame import draw_pendulum
from anymdp_bench.tasks.pendulum.game import GAMMA, Pendulum, load_pendulum, shape
from anymdp_bench.tasks.pendulum.rollout import learn_pendulum_episodes, play_test_episodes
from anymdp_bench.tasks.task import StepResult

_MOST_COST = np.pi**2 + 0.1 * 8.0**2 + 0.001 * 2.0**2  # of one step, in any state


@dataclass(frozen=True, eq=False)
class PendulumTask:
    """A `Task` on one Pendulum; its inner states are continuous, so its tests are episodes."""

    game: Pendulum
    references: References
    seed: int = 0
    max_steps: int = HORIZON
    players: int = 1
    observed: tuple[Int64s, ...] = ()
    table: None = None

    @property
    def n_observations(self) -> int:
        """Number of observations."""
        return self.game.n_observations

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return self.game.n_actions

    def simulator(
        self, tasks: Sequence[PendulumTask], rng: UInt64s, *, shaped: bool = False
    ) -> PendulumSimulator:
        """Runs of this task side by side; see `Task.simulator`."""
        return PendulumSimulator(self.game, rng, shaped)

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledPendulumRun:
        """A compiled learner on this task; see `Task.compiled_run`."""
        return CompiledPendulumRun(self.game, learner, rng, test_rng)

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Refuses: inner states are continuous."""
        raise TypeError("the expected return on Discrete-Pendulum has no closed form")

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """The oracle's mean return, less and plus the largest cost of an episode: a loose bound."""
        worst = self.max_steps * _MOST_COST
        return self.references.oracle - worst, self.references.oracle + worst


def make_task(seed: int, *, gravity: float) -> PendulumTask:
    """The one task of a published gravity; every `seed` gives it.

    Raises:
        TaskError: no oracle is stored for `gravity`.
    """
    game = load_pendulum(gravity)
    return PendulumTask(
        game, References(game.oracle, game.oracle_sd, game.random, np.zeros(0, np.int64))
    )


class PendulumSimulator:
    """Runs on one Pendulum stepped side by side; see `VectorSimulator`."""

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
        self._from_start: Float64s = game.oracle_returns(self._state)
        self._return = np.zeros(self.n)
        self._before = self._state[0].copy()  # the first run's state before its latest step
        self._latest: int | None = None  # and the action that it played

    def step(self, action: Int64s) -> StepResult:
        """One step of every run."""
        self._before = self._state[0].copy()
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        truncated, fresh = np.empty(self.n, np.bool_), np.empty(self.n, np.bool_)
        step_pendulums(
            self._state, self._left, self._rng, self._game.gravity, action, SAME_STEP,
            seen, reward, truncated, fresh, self._last,
        )  # fmt: skip
        self._return += reward
        never = np.zeros(self.n, np.bool_)
        given = shape(reward, never, gravity=self._game.gravity) if self._shaped else reward
        arrived = np.where(fresh, self._last, seen)
        transition = Transition(self.observation, action, given, arrived, never, truncated)
        self.observation = seen
        over = np.flatnonzero(fresh)
        sums = self._return[over] - self._from_start[over]
        self._return[over] = 0.0
        if len(over):
            self._from_start[over] = self._game.oracle_returns(self._state[over])
        self._latest = int(action[0])
        return StepResult(transition, reward, over, sums)

    def oracle_actions(self) -> Int64s:
        """What the oracle, which sees the true state, does now, int64 [n]."""
        return self._game.oracle_actions(self._state)

    def frame(self, final: bool = False) -> Frame:
        """The first run's pendulum over its bins; see `VectorSimulator`."""
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
        """Plays on; returns the regret that this added."""
        regret: float = learn_pendulum_episodes(
            self._learner.act, self._learner.learn, self._game.gravity, self._game.value, GAMMA,
            self._memory, self._learner.settings, self._learner.rng, self._rng, self.counts,
            until_episode, max_steps,
        )  # fmt: skip
        return regret

    def policy(self) -> Float64s:
        """The policy to test, float64 [1, O, A]."""
        table = np.zeros((self._game.n_observations, self._game.n_actions))
        self._learner.policy(*table.shape, self._memory, self._learner.settings, table)
        return table[None]

    def play_test(self, episodes: int) -> tuple[float, float]:
        """(mean return, its corrected value) of test episodes."""
        game, (starts, choices) = self._game, self._test_rng
        mean, ahead = play_test_episodes(
            self.policy()[0], game.gravity, game.value, GAMMA, starts, choices, episodes
        )
        return float(mean), float(game.oracle + ahead)
