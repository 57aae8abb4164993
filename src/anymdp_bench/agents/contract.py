"""What an agent needs, what it is told, and what it declares."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy.typing as npt

from anymdp_bench.crash import describe_crash, is_refusal
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.transition import Transition

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP


class AgentError(ValueError):
    """An agent cannot be found, or it broke the contract. The message says which agent and how."""


class RefusalError(AgentError):
    """An agent cannot play the runs that it is given. It says so when it is started."""


@dataclass(frozen=True)
class RunBatch:
    """The information that an agent gets about the runs that it will play.

    Attributes:
        n_observations: the number of observations.
        n_actions: the number of actions.
        seeds: one seed for the agent's own randomness in each run, uint64 [n]. The choices in a run must
            depend on its own seed alone, so that they do not change with the other runs of the batch.
        tasks: the tasks, for a privileged agent if they are tables; else None.
        oracle: a function that returns the oracle's actions in the current true states, int64 [n], for a
            privileged agent if the tasks are no tables; else None.
    """

    n_observations: int
    n_actions: int
    seeds: UInt64s
    tasks: tuple[TabularMDP, ...] | None = None
    oracle: Callable[[], Int64s] | None = None

    @property
    def n(self) -> int:
        """The number of runs that are played at once."""
        return len(self.seeds)

    def split(self, players: int | None = None) -> list[RunBatch]:
        """Splits the batch into one batch for each copy of an agent.

        Copy i gets the runs i, i + players, i + 2 players and so on.

        Args:
            players: the number of copies. By default every run has its own copy.
        """
        step = players or self.n
        return [
            replace(
                self,
                seeds=self.seeds[i::step],
                tasks=self.tasks and self.tasks[i::step],
                oracle=self.oracle and _select(self.oracle, slice(i, None, step)),
            )
            for i in range(step)
        ]

    def __getattr__(self, name: str) -> Any:
        """Explains why there is no `env_id`, which agents were given up to version 0.1.

        Raises:
            AttributeError: always. Python calls this method only for missing names.
        """
        if name == "env_id":
            raise AttributeError(
                "agents are not told the environment's name; settings for an environment come from the"
                " runner: give the agent's class `tuned = True` and `settings_for(env_id)`"
            )
        raise AttributeError(f"RunBatch has no attribute {name!r}")


def _select(oracle: Callable[[], Int64s], runs: slice) -> Callable[[], Int64s]:
    return lambda: oracle()[runs]


class _AgentType(ABCMeta):
    """Counts an object of any class as an `Agent` if it has all required names."""

    def __instancecheck__(cls, instance: object) -> bool:
        has_names = cls is Agent and all(hasattr(instance, name) for name in _REQUIRED)
        return has_names or super().__instancecheck__(instance)


class Agent(metaclass=_AgentType):
    """An agent in plain Python. A subclass needs `act` and `learn`. Everything else has a default.

    A class that does not inherit from this class is an agent too, if it has `version`, `trains`,
    `privileged`, `start`, `act`, `learn` and `policy`.

    Attributes:
        version: the version that records hold. Raise it when the behaviour changes.
        trains: False for an in-context agent. Then every episode is scored, and all runs of an environment
            are batched. True for a learner that is tested apart. It plays one run at a time.
        privileged: whether the agent needs `RunBatch.tasks`.
        parallel: how many copies of its one task a learner that trains steps at once. The steps and
            episodes of all copies count. In a test by episodes the learner gets one stream.
        shaped: whether an in-context agent gets the shaped rewards of environments that have them. False
            means that it gets the rewards themselves.
        tuned: whether the class has a static method `settings_for(env_id)`. Its result is given to the
            class as the keyword `settings`. Tables mark the agent as tuned.
        n_parameters: the number of trained weights that the agent brings along; None if it does not say.
        training_cost: what training them took, in a few words; empty if it does not say.
        batch: the batch that `start` was given.
    """

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = False
    parallel: ClassVar[int] = 1
    shaped: ClassVar[bool] = True
    tuned: ClassVar[bool] = False
    n_parameters: int | None = None
    training_cost: str = ""
    batch: RunBatch

    def start(self, batch: RunBatch) -> None:
        """Forgets everything, and prepares for `batch.n` new runs.

        Args:
            batch: the sizes and the seeds of the runs.

        Raises:
            ValueError: the agent cannot play these runs, for example because of their size. Users see the
                message, which is one line.
        """
        self.batch = batch

    @abstractmethod
    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """Chooses actions.

        Args:
            observation: what each run observes, int64 [n].
            test: whether the agent must not explore.

        Returns:
            The actions, int64 [n].
        """

    @abstractmethod
    def learn(self, transition: Transition) -> None:
        """Learns from one step of every run.

        Args:
            transition: the step.
        """

    def policy(self) -> npt.ArrayLike | None:
        """Returns the policy to test: actions [n, O], probabilities [n, O, A], or None if it is no table."""
        return None


_REQUIRED = ("version", "trains", "privileged", "start", "act", "learn", "policy")


def start_agent(agent: Agent, batch: RunBatch) -> None:
    """Starts an agent.

    Args:
        agent: the agent.
        batch: the sizes and the seeds of the runs.

    Raises:
        RefusalError: the agent cannot play such runs.
    """
    try:
        agent.start(batch)
    except ValueError as error:
        raise RefusalError(str(error) if is_refusal(error) else describe_crash(error)) from error


@runtime_checkable
class DemonstrationAgent(Protocol):
    """An in-context `Agent` that wants to know which steps are demonstrations.

    Other agents get demonstrations through `learn`, like any step. In both cases `act` is called before every
    step. Its answer is not used in the runs where a demonstrator acts.
    """

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Learns from one step. It is called instead of `learn` while there are demonstrations.

        Args:
            transition: one step of every run.
            demonstrated: in which runs a demonstrator acted, bool [n].
        """


@runtime_checkable
class CompiledAgent(Protocol):
    """A tabular learner that is compiled with Numba.

    `anymdp_bench.engine.rollout` has the three signatures. The attribute `tuned` of `Agent` is optional here.

    Attributes:
        version: the version that records hold.
    """

    version: ClassVar[str]

    @property
    def compiled_act(self) -> Callable[..., Any]:
        """The `@njit(ACT)` function act(observation, n_actions, memory, settings, rng) -> action."""

    @property
    def compiled_learn(self) -> Callable[..., Any]:
        """The `@njit(LEARN)` function that learns from one step."""

    @property
    def compiled_policy(self) -> Callable[..., Any]:
        """The `@njit(POLICY)` function that writes the policy to test into an array [O, A]."""

    def settings(self, batch: RunBatch) -> Float64s:
        """Returns the hyper-parameters that the compiled functions read, float64 of any length."""

    def memory(self, batch: RunBatch) -> Float64s:
        """Returns a new memory for one run, float64 of any length."""


AnyAgent = Agent | CompiledAgent


def is_shaped(agent: AnyAgent) -> bool:
    """Tells whether an in-context agent gets the shaped rewards of environments that have them."""
    return bool(getattr(agent, "shaped", True))


def is_privileged(agent: AnyAgent) -> bool:
    """Tells whether the agent declares that it sees the task."""
    return bool(getattr(agent, "privileged", False))


def is_tuned(agent: object) -> bool:
    """Tells whether an agent, or its class, gets settings that are chosen for the environment by name."""
    return bool(getattr(agent, "tuned", False))


def describe_training(agent: AnyAgent) -> dict[str, str]:
    """Returns what the agent says of weights that were trained before its first run, for result files."""
    count, cost = getattr(agent, "n_parameters", None), getattr(agent, "training_cost", "")
    said = {} if count is None else {"parameters": str(count)}
    return said | ({"training cost": cost} if cost else {})


def is_trained(agent: AnyAgent) -> bool:
    """Tells whether the agent is scored at test points. Otherwise every episode is scored."""
    return isinstance(agent, CompiledAgent) or agent.trains


def get_parallel(agent: Agent) -> int:
    """Returns how many copies of one task a learner that trains steps at once."""
    return int(getattr(agent, "parallel", 1))
