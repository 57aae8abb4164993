"""A task whose observations and actions have other numbers, so that nobody can have learned it by heart.

A fixed task (a frozen lake, say) is the same whatever its seed. An agent could hold its solution in its code.
`RenumberedTask` wraps any task and permutes the numbers of the observations and of the actions, for each
player by itself. Nothing else changes: the dynamics, the rewards, the references and the scores are those of
the task itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Frame, Int64s, UInt64s
from anymdp_bench.engine.rollout import CompiledLearner
from anymdp_bench.scoring import References
from anymdp_bench.tasks.task import CompiledRun, StepResult, Task, VectorSimulator


@dataclass(frozen=True, eq=False)
class RenumberedTask:
    """A `Task` with other numbers for its observations and actions.

    Attributes:
        task: the task itself.
        observation_number: the new number of each observation of each player, int64 [players, O].
        action_number: the new number of each action of each player, int64 [players, A].
    """

    task: Task
    observation_number: Int64s
    action_number: Int64s

    @property
    def seed(self) -> int:
        """The task's seed."""
        return self.task.seed

    @property
    def references(self) -> References:
        """The task's own, which do not depend on the numbers."""
        return self.task.references

    @property
    def n_observations(self) -> int:
        """Number of observations of each player."""
        return self.task.n_observations

    @property
    def n_actions(self) -> int:
        """Number of actions of each player."""
        return self.task.n_actions

    @property
    def max_steps(self) -> int:
        """The longest episode, in steps."""
        return self.task.max_steps

    @property
    def players(self) -> int:
        """Number of agents that play the task together."""
        return self.task.players

    @property
    def observed(self) -> tuple[Int64s, ...]:
        """What each player observes in each inner state, by the new numbers."""
        pairs = zip(self.observation_number, self.task.observed, strict=False)  # may be empty
        return tuple(number[seen] for number, seen in pairs)

    @property
    def table(self) -> None:
        """None: a privileged agent asks the simulator for the oracle's actions."""
        return None

    def simulator(
        self, tasks: Sequence[RenumberedTask], rng: UInt64s, *, shaped: bool = False
    ) -> RenumberedSimulator:
        """Runs of `tasks` side by side; see `Task.simulator`."""
        inner = self.task.simulator([each.task for each in tasks], rng, shaped=shaped)
        observation = np.concatenate([each.observation_number for each in tasks])
        action = np.concatenate([each.action_number for each in tasks])
        return RenumberedSimulator(inner, observation, action)

    def compiled_run(
        self, learner: CompiledLearner, rng: UInt64s, test_rng: UInt64s
    ) -> CompiledRun:
        """Refuses: a compiled learner plays such a task step by step, through `SteppedAgent`."""
        raise TypeError("a renumbered task has no compiled run; play it with SteppedAgent")

    def expected_return(self, policies: Sequence[Float64s]) -> float:
        """Returns the exact expected return of one episode; see `Task.expected_return`."""
        pairs = zip(policies, self.action_number, strict=True)
        return self.task.expected_return([policy[:, number] for policy, number in pairs])

    def corrected_range(self, measure: str) -> tuple[float, float]:
        """Returns the task's own; see `Task.corrected_range`."""
        return self.task.corrected_range(measure)


class RenumberedSimulator:
    """A `VectorSimulator` with other numbers for observations and actions.

    Args:
        simulator: the simulator itself.
        observation_number: the new number of each observation of each stream, int64 [n, O].
        action_number: the new number of each action of each stream, int64 [n, A].
    """

    def __init__(
        self, simulator: VectorSimulator, observation_number: Int64s, action_number: Int64s
    ) -> None:
        self._simulator = simulator
        self._observation_number, self._action_number = observation_number, action_number
        self._inner_action = np.argsort(action_number, axis=1)
        self.n, self.players = simulator.n, simulator.players
        self.n_actions = simulator.n_actions
        self._streams = np.arange(self.n)
        self.observation = self._renumber(simulator.observation)

    def _renumber(self, observation: Int64s) -> Int64s:
        out: Int64s = self._observation_number[self._streams, observation]
        return out

    def step(self, action: Int64s) -> StepResult:
        """Plays one action in every stream; see `VectorSimulator.step`."""
        result = self._simulator.step(self._inner_action[self._streams, action])
        transition = result.transition._replace(
            observation=self.observation,
            action=action,
            next_observation=self._renumber(result.transition.next_observation),
        )
        self.observation = self._renumber(self._simulator.observation)
        return result._replace(transition=transition)

    def oracle_actions(self) -> Int64s:
        """Returns what the oracle would play now, by the new numbers, int64 [n]."""
        out: Int64s = self._action_number[self._streams, self._simulator.oracle_actions()]
        return out

    def frame(self, final: bool = False) -> Frame:
        """Returns the simulator's own picture; see `VectorSimulator.frame`."""
        return self._simulator.frame(final)


def renumber(task: Task, seeds: Sequence[UInt64s]) -> RenumberedTask:
    """Returns the task with numbers drawn at random for each player.

    Args:
        task: the task.
        seeds: for each player a random stream, uint64 [1], as `engine.rng.stream` gives it.
    """
    generators = [np.random.default_rng(seed) for seed in seeds]
    return RenumberedTask(
        task,
        np.array([rng.permutation(task.n_observations) for rng in generators], np.int64),
        np.array([rng.permutation(task.n_actions) for rng in generators], np.int64),
    )
