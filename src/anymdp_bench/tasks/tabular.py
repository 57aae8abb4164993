"""`TabularTask`: a task that is a table and has one player, with its simulator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.alias_tables import stack_tables
from anymdp_bench.engine.arrays import Bools, Float64s, Frame, Int64s, UInt64s
from anymdp_bench.engine.evaluate import episode_values
from anymdp_bench.engine.rollout import CompiledLearner, learn_episodes
from anymdp_bench.engine.step import LEFT, SAME_STEP, STATE, TASK, reset_streams, step_streams
from anymdp_bench.engine.transition import Transition
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.rendering.cells import Grid, draw_cells
from anymdp_bench.rendering.state_strip import render_rgb
from anymdp_bench.scoring import References, oracle_advantages
from anymdp_bench.scoring.ranges import advantage_sum_range, value_range
from anymdp_bench.tasks.task import StepResult

Shaping = Callable[[Float64s, Bools], Float64s]
"""A function shape(reward [n], terminated [n]) that returns the rewards of in-context agents, [n]."""


@dataclass(frozen=True, eq=False)
class TabularTask:
    """A `Task` that is a `TabularMDP`.

    Attributes:
        seed: the task seed.
        mdp: the task itself.
        references: the ends of its scale.
        shaping: shapes the rewards of in-context agents; None leaves them as they are.
        grid: (rows, columns) if the states are the cells of a grid, row by row; else None.
        players: the number of players, 1.
    """

    seed: int
    mdp: TabularMDP
    references: References
    shaping: Shaping | None = None
    grid: Grid | None = None
    players: int = 1

    @property
    def n_observations(self) -> int:
        """The number of observations."""
        return self.mdp.n_observations

    @property
    def n_actions(self) -> int:
        """The number of actions."""
        return self.mdp.n_actions

    @property
    def max_steps(self) -> int:
        """The longest episode, in steps."""
        return self.mdp.max_steps

    @property
    def observed(self) -> tuple[Int64s, ...]:
        """The observation of each inner state, int64 [S]."""
        return (self.mdp.observation,)

    @property
    def table(self) -> TabularMDP:
        """The task itself."""
        return self.mdp

    def simulator(
        self, tasks: Sequence[TabularTask], rng: UInt64s, *, shaped: bool = False
    ) -> TabularSimulator:
        """Makes a simulator of runs of `tasks`; see `Task.simulator`."""
        return TabularSimulator(tasks, rng, self.shaping if shaped else None)

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledTabularRun:
        """Puts a compiled learner on this task; see `Task.compiled_run`."""
        return CompiledTabularRun(self, learner, rng)

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Computes the exact expected return of one episode; see `Task.expected_return`."""
        mdp = self.mdp
        value = episode_values(mdp.bands, mdp.terminal, policies[0], mdp.max_steps)
        return float(mdp.start @ value)

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """Computes the least and the largest corrected return by dynamic programming."""
        return tabular_range(self.mdp, self.references, measure)


def tabular_range(mdp: TabularMDP, references: References, measure: str) -> tuple[float, float]:
    """Computes the least and the largest corrected return of a table; see `Task.corrected_range`."""
    if measure == "exact":
        return value_range(mdp)
    low, high = advantage_sum_range(mdp, references.policy)
    return references.oracle + low, references.oracle + high


class TabularSimulator:
    """Runs of tabular tasks that the engine steps side by side; see `VectorSimulator`.

    Args:
        tasks: the task of each run.
        rng: the random stream of each run, uint64 [n].
        shaping: shapes the rewards of the agents, or None.

    Attributes:
        advantage_sum: the sum of the oracle's advantages in the current episode of each run, float64 [n].
    """

    players = 1

    def __init__(
        self, tasks: Sequence[TabularTask], rng: UInt64s, shaping: Shaping | None = None
    ) -> None:
        self.n, self._tasks, self._shaping = len(tasks), tasks, shaping
        self.n_actions = tasks[0].mdp.n_actions
        unique = {id(task): task for task in tasks}
        index = {key: k for k, key in enumerate(unique)}
        self._tables = stack_tables([task.mdp.step_tables for task in unique.values()])
        self._state: Int64s = np.zeros((self.n, 4), np.int64)
        self._state[:, TASK] = [index[id(task)] for task in tasks]
        self._rng = rng
        tables = [oracle_advantages(t.mdp, t.references.policy) for t in unique.values()]
        begins = np.concatenate([[0], np.cumsum([t.size for t in tables])[:-1]])
        self._advantage = np.concatenate([t.ravel() for t in tables])
        self._begin = begins[self._state[:, TASK]]
        self._n_states = np.array([task.mdp.n_states for task in tasks])
        self.observation: Int64s = np.zeros(self.n, np.int64)
        everyone = np.ones(self.n, np.bool_)
        reset_streams(self._state, self._rng, *self._tables[:2], everyone, self.observation)
        self.advantage_sum = np.zeros(self.n)
        self._last = np.zeros(self.n, np.int64)
        self._latest: tuple[Int64s, Float64s] | None = None  # the latest actions and rewards

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every run; see `VectorSimulator`."""
        place = (self._state[:, LEFT] * self._n_states + self._state[:, STATE]) * self.n_actions
        self.advantage_sum += self._advantage[self._begin + place + action]
        seen, reward = np.empty(self.n, np.int64), np.empty(self.n)
        ended, fresh = np.empty((2, self.n), np.bool_), np.empty(self.n, np.bool_)
        step_streams(
            self._state, self._rng, *self._tables, action, self.n_actions, SAME_STEP,
            seen, reward, ended, fresh, self._last,
        )  # fmt: skip
        given = reward if self._shaping is None else self._shaping(reward, ended[0])
        over = np.flatnonzero(fresh)
        arrived = np.where(fresh, self._last, seen) if len(over) else seen
        transition = Transition(self.observation, action, given, arrived, ended[0], ended[1])
        self.observation = seen
        sums = self.advantage_sum[over]
        self.advantage_sum[over] = 0.0
        self._latest = None if fresh[0] else (action, reward)
        return StepResult(transition, reward, over, sums)

    def oracle_actions(self) -> Int64s:
        """Returns the oracle's actions in the current states, int64 [n]."""
        pairs = zip(self._tasks, self._state[:, STATE], strict=True)
        return np.array([task.references.policy[s] for task, s in pairs], np.int64)

    def frame(self, final: bool = False) -> Frame:
        """Draws the task and the state of the first run; see `VectorSimulator`."""
        task, state = self._tasks[0], int(self._state[0, STATE])
        if final:
            state = int(np.flatnonzero(task.mdp.observation == self._last[0])[0])
        if task.grid is not None:
            return draw_cells(task.mdp, task.grid, state)
        elapsed = task.mdp.max_steps - int(self._state[0, LEFT])
        latest = self._latest and (int(self._latest[0][0]), float(self._latest[1][0]))
        return render_rgb(task.mdp, state, elapsed, latest)


class CompiledTabularRun:
    """A compiled learner on a tabular task; see `CompiledRun`."""

    def __init__(self, task: TabularTask, learner: CompiledLearner, rng: UInt64s) -> None:
        self._task, self._learner, self._rng = task, learner, rng
        self._memory = learner.memory[0]
        self._advantage = oracle_advantages(task.mdp, task.references.policy)
        self.counts: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int) -> float:
        """Plays on, and returns the regret that this added."""
        regret: float = learn_episodes(
            self._learner.act, self._learner.learn, *self._task.mdp.step_tables, self._advantage,
            self._memory, self._learner.settings, self._learner.rng, self._rng, self.counts,
            until_episode, max_steps,
        )  # fmt: skip
        return regret

    def policy(self) -> Float64s:
        """Returns the policy to test, float64 [1, O, A]."""
        table = np.zeros((self._task.n_observations, self._task.n_actions))
        self._learner.policy(*table.shape, self._memory, self._learner.settings, table)
        return table[None]

    def play_test(self, episodes: int) -> tuple[float, float]:
        """Raises a `TypeError`, because the tests of this task are exact."""
        raise TypeError("the tests of a tabular task are exact")
