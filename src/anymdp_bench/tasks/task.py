"""`Task`: what the evaluation knows about a task, which is its sizes, its references and how it is played.

A task family makes its tasks (`TaskSource.task`). Everything that depends on the kind of task is a method
here. So no other part of the project asks what kind a task is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from anymdp_bench.engine.arrays import Float64s, Frame, Int64s, UInt64s
from anymdp_bench.engine.rollout import CompiledLearner
from anymdp_bench.engine.transition import Transition
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import References


class StepResult(NamedTuple):
    """The result of one step of a simulator.

    Attributes:
        transition: the step of every stream as the agents see it, arrays [streams].
        reward: what the step adds to the return of each run, float64 [runs]. It is never shaped.
        finished: the runs whose episode ended with this step, int64 [k].
        advantage_sum: the sum of the oracle's advantages over each of these episodes, float64 [k]. It is the
            control variate of the score: oracle + advantage_sum is the corrected return.
    """

    transition: Transition
    reward: Float64s
    finished: Int64s
    advantage_sum: Float64s


class VectorSimulator(Protocol):
    """Runs of tasks of one kind that are stepped side by side. After an episode the next one begins.

    A simulator steps the runs and returns the result. It never calls an agent, and it keeps no score.

    Attributes:
        n: the number of streams. Each run has `players` of them: stream r * players + i is player i of run r.
        players: the number of agents that play one run together.
        n_actions: the number of actions of each stream.
        observation: what each stream observes now, int64 [n].
    """

    n: int
    players: int
    n_actions: int
    observation: Int64s

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every stream.

        Args:
            action: the actions, int64 [n], in 0..n_actions - 1.
        """

    def oracle_actions(self) -> Int64s:
        """Returns the oracle's actions in the current states, int64 [n]."""

    def frame(self, final: bool = False) -> Frame:
        """Draws the current state of the first run.

        Args:
            final: whether the last state of its latest finished episode is drawn instead.
        """


class CompiledRun(Protocol):
    """A compiled learner that plays one task.

    Attributes:
        counts: the numbers of steps and of episodes so far, int64 [2]; see `engine.rollout`.
    """

    counts: Int64s

    def learn(self, until_episode: int, max_steps: int) -> float:
        """Plays whole episodes, and returns the regret that they added.

        Args:
            until_episode: the number of episodes at which the learner stops.
            max_steps: the number of steps at which the learner stops.
        """

    def policy(self) -> Float64s:
        """Returns the policies to test, one for each player, by observation, float64 [players, O, A]."""

    def play_test(self, episodes: int) -> tuple[float, float]:
        """Plays test episodes under `policy`.

        Args:
            episodes: how many are played.

        Returns:
            (mean return, mean corrected return).

        Raises:
            TypeError: the tests of the task are exact; see `Task.expected_return`.
        """


class Task(Protocol):
    """One task with its references."""

    @property
    def seed(self) -> int:
        """The task seed. It is 0 if every seed gives the same task."""

    @property
    def references(self) -> References:
        """The ends of the task's scale."""

    @property
    def n_observations(self) -> int:
        """The number of observations of each player."""

    @property
    def n_actions(self) -> int:
        """The number of actions of each player."""

    @property
    def max_steps(self) -> int:
        """The longest episode, in steps."""

    @property
    def players(self) -> int:
        """The number of agents that play the task together."""

    @property
    def observed(self) -> tuple[Int64s, ...]:
        """What each player observes in each inner state, int64 [S] for each player.

        It is empty if the inner states are not countable. Then no expected return can be computed.
        """

    @property
    def table(self) -> TabularMDP | None:
        """The task as a `TabularMDP` that one agent plays, or None if the task is more than that."""

    def simulator(
        self, tasks: Sequence[Any], rng: UInt64s, *, shaped: bool = False
    ) -> VectorSimulator:
        """Makes a simulator of runs of `tasks`, which all have the kind and size of this task.

        Args:
            tasks: the task of each run. Several runs may have the same task.
            rng: the state of one random stream for each stream of the simulator, uint64 [n].
            shaped: whether agents are given the shaped rewards of the family.
        """

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledRun:
        """Puts a compiled learner on this task.

        Args:
            learner: the learner, with one memory for each player.
            rng: the state of one random stream of the dynamics for each player, uint64 [players].
            test_rng: the states of two random streams, uint64 [2, 1]. Test episodes draw their starts from
                the first and their actions from the second.
        """

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Computes the exact expected return of one episode.

        Args:
            policies: the action probabilities of each player by inner state, float64 [S, A] each.

        Raises:
            TypeError: the expected return cannot be computed. Then `observed` is empty.
        """

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """Returns the least and the largest corrected return that a result file can hold.

        Args:
            measure: the measure of the result: "exact", "test" or "episode".
        """
