"""Deterministic tasks of several players, as tables over joint states and joint actions.

Each player has its own observations and rewards. A run has one stream for each player: stream r * players +
i is player i of run r. The return of an episode is the sum of all players' rewards. The score comes from
the exact oracle of the joint task, which sees the joint state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Frame, Int64s, UInt64s
from anymdp_bench.engine.evaluate import episode_values
from anymdp_bench.engine.rollout import CompiledLearner
from anymdp_bench.engine.transition import Transition
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import References, compute_references, oracle_advantages
from anymdp_bench.tasks.joint_rollout import learn_joint_episodes
from anymdp_bench.tasks.tabular import tabular_range
from anymdp_bench.tasks.task import StepResult


@dataclass(frozen=True, eq=False)
class JointGame:
    """A deterministic game of several players, as tables.

    There are S joint states and A^players joint actions. A joint action is a number to the base A. Its
    digits are the actions of the players, and the first digit belongs to the first player.

    Attributes:
        mdp: the joint task. One state is the start, one is terminal, and the dynamics are deterministic. Its
            reward is the sum of the players' rewards.
        observation: what each player observes in each joint state, int64 [S, players].
        next_state: the next joint state, int64 [S, A^players].
        reward: the reward of each player, float64 [S, A^players, players].
        shaped_reward: the shaped reward that every in-context agent is given instead, float64 [S, A^players].
        n_observations: the number of observations of each player.
        n_actions: the number of actions of each player, A.
        draw: a function that draws the joint state with a given index as a frame.
    """

    mdp: TabularMDP
    observation: Int64s
    next_state: Int64s
    reward: Float64s
    shaped_reward: Float64s
    n_observations: int
    n_actions: int
    draw: Callable[[int], Frame]

    @property
    def players(self) -> int:
        """The number of players."""
        return int(self.observation.shape[1])


@dataclass(frozen=True, eq=False)
class JointTask:
    """The `Task` of a `JointGame`.

    Attributes:
        game: the game.
        references: the ends of its scale.
        seed: the task seed.
    """

    game: JointGame
    references: References
    seed: int = 0
    table: None = None

    @property
    def players(self) -> int:
        """The number of players."""
        return self.game.players

    @property
    def n_observations(self) -> int:
        """The number of observations of each player."""
        return self.game.n_observations

    @property
    def n_actions(self) -> int:
        """The number of actions of each player."""
        return self.game.n_actions

    @property
    def max_steps(self) -> int:
        """The longest episode, in steps."""
        return self.game.mdp.max_steps

    @property
    def observed(self) -> tuple[Int64s, ...]:
        """What each player observes in each joint state, int64 [S] each."""
        return tuple(self.game.observation.T)

    def simulator(
        self, tasks: Sequence[JointTask], rng: UInt64s, *, shaped: bool = False
    ) -> JointSimulator:
        """Makes a simulator of runs of this task; see `Task.simulator`. It draws nothing from `rng`."""
        return JointSimulator(self, len(tasks), shaped)

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledJointRun:
        """Puts one copy of a compiled learner for each player on this task; see `Task.compiled_run`."""
        return CompiledJointRun(self, learner)

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Computes the exact expected return of one episode under the players' policies."""
        mdp = self.game.mdp
        joint = reduce(_combine, policies)
        value = episode_values(mdp.bands, mdp.terminal, joint, mdp.max_steps)
        return float(mdp.start @ value)

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """Computes the least and the largest corrected return by dynamic programming on the joint task."""
        return tabular_range(self.game.mdp, self.references, measure)


def _combine(one: Float64s, two: Float64s) -> Float64s:
    """Combines two independent policies, [S, A] and [S, B], into a joint policy, [S, A B]."""
    out: Float64s = (one[:, :, None] * two[:, None, :]).reshape(len(one), -1)
    return out


def make_joint_task(game: JointGame) -> JointTask:
    """Makes the task of a game, with its exact references."""
    return JointTask(game, compute_references(game.mdp))


class JointSimulator:
    """Runs of a joint task side by side; see `VectorSimulator`.

    Args:
        task: the task.
        runs: the number of runs.
        shaped: whether agents are given shaped rewards.
    """

    def __init__(self, task: JointTask, runs: int, shaped: bool) -> None:
        self._game, self._policy, self._shaped = task.game, task.references.policy, shaped
        mdp = task.game.mdp
        self.players, self.n_actions = task.players, task.n_actions
        self.n = task.players * runs
        self._advantage = oracle_advantages(mdp, self._policy)
        self._start = int(mdp.start.argmax())
        self._state = np.full(runs, self._start)
        self._left = np.full(runs, mdp.max_steps)
        self.observation: Int64s = self._game.observation[self._state].ravel()
        self._advantage_sum = np.zeros(runs)
        self._final = self._start  # where the latest finished episode of the first run ended

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every stream; see `VectorSimulator`."""
        game, before = self._game, self._state
        joint = np.zeros(len(before), np.int64)
        for i in range(self.players):
            joint = joint * self.n_actions + action[i :: self.players]
        self._advantage_sum += self._advantage[self._left, before, joint]
        reward = game.reward[before, joint]
        self._state = game.next_state[before, joint]
        self._left = self._left - 1
        terminated = game.mdp.terminal[self._state]
        truncated = ~terminated & (self._left == 0)
        arrived = game.observation[self._state].ravel()
        shaped = game.shaped_reward[before, joint].repeat(self.players)
        given = shaped if self._shaped else reward.ravel()
        ended = terminated.repeat(self.players), truncated.repeat(self.players)
        transition = Transition(self.observation, action, given, arrived, *ended)
        over = np.flatnonzero(terminated | truncated)
        sums = self._advantage_sum[over]
        self._final = int(self._state[0])
        self._state[over], self._left[over] = self._start, game.mdp.max_steps
        self._advantage_sum[over] = 0.0
        self.observation = game.observation[self._state].ravel()
        return StepResult(transition, reward.sum(axis=1), over, sums)

    def oracle_actions(self) -> Int64s:
        """Returns the actions of the joint oracle, int64 [n]."""
        joint, digits = self._policy[self._state], []
        for _ in range(self.players):
            joint, action = np.divmod(joint, self.n_actions)
            digits.append(action)
        return np.stack(digits[::-1], axis=1).ravel()

    def frame(self, final: bool = False) -> Frame:
        """Draws the joint state of the first run; see `VectorSimulator`."""
        return self._game.draw(self._final if final else int(self._state[0]))


class CompiledJointRun:
    """Copies of a compiled learner on a joint task, one for each player; see `CompiledRun`."""

    def __init__(self, task: JointTask, learner: CompiledLearner) -> None:
        self._game, self._learner = task.game, learner
        mdp = task.game.mdp
        self._advantage = oracle_advantages(mdp, task.references.policy)
        self._ends = int(mdp.start.argmax()), int(mdp.terminal.argmax())
        self.counts: Int64s = np.zeros(2, np.int64)

    def learn(self, until_episode: int, max_steps: int) -> float:
        """Plays on, and returns the regret that this added."""
        game, learner = self._game, self._learner
        regret: float = learn_joint_episodes(
            learner.act, learner.learn, game.observation, game.next_state, game.reward, *self._ends,
            game.n_actions, game.mdp.max_steps, self._advantage, learner.memory, learner.settings,
            learner.rng[:, None], self.counts, until_episode, max_steps,
        )  # fmt: skip
        return regret

    def policy(self) -> Float64s:
        """Returns the policies of the copies, which are tested, float64 [players, O, A]."""
        game = self._game
        tables = np.zeros((game.players, game.n_observations, game.n_actions))
        for memory, table in zip(self._learner.memory, tables, strict=True):
            self._learner.policy(*table.shape, memory, self._learner.settings, table)
        return tables

    def play_test(self, episodes: int) -> tuple[float, float]:
        """Raises a `TypeError`, because the tests of this task are exact."""
        raise TypeError("the tests of a joint task are exact")
