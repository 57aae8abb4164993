"""What a task is to the evaluation: its sizes, its references, and how it is played.

A task family builds its tasks (`TaskSource.task`). Everything that depends on the kind of task is a method
here, so that no other part of the project asks of which kind a task is.
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
    """What one step of a simulator gave.

    Attributes:
        transition: the step of every stream, arrays [streams]: what the agents are given.
        reward: what the step adds to each run's return, float64 [runs]; never shaped.
        finished: the runs whose episode ended with this step, int64 [k].
        advantage_sum: the control variate of those episodes, float64 [k]: the sum of the oracle's advantages
            of what was played, so that oracle + advantage_sum is the corrected return.
    """

    transition: Transition
    reward: Float64s
    finished: Int64s
    advantage_sum: Float64s


class VectorSimulator(Protocol):
    """Runs of tasks of one kind, stepped side by side; a finished episode is followed by a fresh one.

    It steps and returns what came of it: it never calls an agent, and it keeps no score.

    Attributes:
        n: number of streams, `players` for each run; stream r * players + i is player i of run r.
        players: number of agents that play one run together.
        n_actions: number of actions of each stream.
        observation: what each stream observes now, int64 [n].
    """

    n: int
    players: int
    n_actions: int
    observation: Int64s

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every stream, int64 [n]; all lie in 0..n_actions - 1."""

    def oracle_actions(self) -> Int64s:
        """What the oracle would play now, int64 [n]."""

    def frame(self, final: bool = False) -> Frame:
        """A picture of the first run as it stands now; `final`: as its latest finished episode ended."""


class CompiledRun(Protocol):
    """A compiled learner under way on one task.

    Attributes:
        counts: the numbers of steps and of episodes so far, int64 [2]; see `engine.rollout`.
    """

    counts: Int64s

    def learn(self, until_episode: int, max_steps: int) -> float:
        """Plays whole episodes until the learner has played so many; returns the regret that they added."""

    def policy(self) -> Float64s:
        """The policies to test by observation, one a player, float64 [players, O, A]."""

    def play_test(self, episodes: int) -> tuple[float, float]:
        """(mean return, its corrected value) of test episodes under `policy`.

        Raises:
            TypeError: the task's tests are exact; see `Task.expected_return`.
        """


class Task(Protocol):
    """One task with its references."""

    @property
    def seed(self) -> int:
        """The task seed; 0 where every seed gives the same task."""

    @property
    def references(self) -> References:
        """The ends of the task's scale."""

    @property
    def n_observations(self) -> int:
        """Number of observations of each player."""

    @property
    def n_actions(self) -> int:
        """Number of actions of each player."""

    @property
    def max_steps(self) -> int:
        """The longest episode, in steps."""

    @property
    def players(self) -> int:
        """Number of agents that play the task together."""

    @property
    def observed(self) -> tuple[Int64s, ...]:
        """What each player observes in each inner state, one int64 [S] a player.

        It is empty where the inner states are not countable: then no policy's expected return can be
        computed.
        """

    @property
    def table(self) -> TabularMDP | None:
        """The task as a `TabularMDP` that one agent plays; None where it is more than that."""

    def simulator(
        self, tasks: Sequence[Any], rng: UInt64s, *, shaped: bool = False
    ) -> VectorSimulator:
        """Runs of `tasks`, all of this task's kind and size, side by side.

        Args:
            tasks: the task of each run; one task may serve several runs.
            rng: the state of one random stream for each stream of the simulator, uint64 [n].
            shaped: whether agents are given the family's shaped rewards in place of the rewards.
        """

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledRun:
        """A compiled learner on this task.

        Args:
            learner: the learner, with one memory for each player.
            rng: the state of one random stream of the dynamics for each player, uint64 [players].
            test_rng: the states of two random streams, of test episodes' starts and of the actions that are
                drawn there, uint64 [2, 1].
        """

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """The exact expected return of one episode under one policy a player.

        Args:
            policies: action probabilities by inner state, one float64 [S, A] a player.

        Raises:
            TypeError: the expected return cannot be computed; `observed` is empty then.
        """

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """The least and the largest corrected return that a result file can hold for `measure`."""
