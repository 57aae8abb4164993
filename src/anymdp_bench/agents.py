"""The agent contract, and how agents are found.

Two kinds of agent can be evaluated:

`Agent`          plain Python (NumPy, PyTorch, ...), which plays `n` runs at once, one array element a run;
`CompiledAgent`  a tabular learner as three compiled functions, run in one compiled loop with its task.

An agent is told the sizes of its runs and one random seed for each (`RunBatch`), and then observations,
rewards and flags (`Transition`). It never sees the environment's name, the task, the oracle, the score or
the recorder. One that declares itself `privileged` sees the task, and is barred from the leaderboard. One
that is `tuned` is given settings that were chosen for the environment by name; tables mark it. An agent is
found through an entry point in group `anymdp_bench.agents`, or as "module:Name"; the built-in ones are
found in just that way.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy.typing as npt

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.transition import Transition
from anymdp_bench.mdp import TabularMDP

__all__ = [
    "GROUP",
    "Agent",
    "AgentError",
    "AgentSpec",
    "AnyAgent",
    "CompiledAgent",
    "DemonstrationAgent",
    "RefusalError",
    "RunBatch",
    "Transition",
    "get_parallel",
    "installed_agents",
    "is_privileged",
    "is_shaped",
    "is_trained",
    "is_tuned",
    "start_agent",
]

GROUP = "anymdp_bench.agents"


class AgentError(ValueError):
    """An agent that cannot be found, or broke the contract; the message says which and how."""


class RefusalError(AgentError):
    """An agent that says, when it is told what it will play, that it cannot."""


@dataclass(frozen=True)
class RunBatch:
    """What an agent is told of the runs that it is about to play.

    Attributes:
        n_observations: number of observation ids.
        n_actions: number of actions.
        seeds: uint64 [n], one for the agent's own randomness in each run. A run's choices must depend on its
            own seed alone, so that they do not change with the runs that it is batched with.
        tasks: the tasks themselves, for a privileged agent where they are tables; else None.
        oracle: for a privileged agent where the tasks are no tables: a function that gives the oracle's
            actions in the present true states, int64 [n]; else None.
    """

    n_observations: int
    n_actions: int
    seeds: UInt64s
    tasks: tuple[TabularMDP, ...] | None = None
    oracle: Callable[[], Int64s] | None = None

    @property
    def n(self) -> int:
        """Number of runs played at once."""
        return len(self.seeds)

    def split(self, players: int | None = None) -> list[RunBatch]:
        """The runs of each of `players` copies of an agent; by default each run by itself.

        Player i has runs i, i + players, i + 2 players, ...
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
        """Explains why there is no `env_id`, which agents were told up to version 0.1.

        Raises:
            AttributeError: always; it is only called for names that are missing.
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
    """Counts an object of any class as an `Agent` that has all of its required names."""

    def __instancecheck__(cls, instance: object) -> bool:
        named = cls is Agent and all(hasattr(instance, name) for name in _REQUIRED)
        return named or super().__instancecheck__(instance)


class Agent(metaclass=_AgentType):
    """An agent in plain Python. A subclass needs `act` and `learn`; everything else has a default.

    A class that does not inherit is an agent too, if it has `version`, `trains`, `privileged`, `start`,
    `act`, `learn` and `policy`.

    Attributes:
        version: goes into the records; raise it when the behaviour changes.
        trains: False for an in-context agent: every episode is scored, and all runs of an environment are
            batched. True for a learner that is tested apart: it plays one run at a time.
        privileged: True where it needs `RunBatch.tasks`.
        parallel: of a learner that trains, the number of copies of its one task that it steps at once. All
            their steps and episodes count; a test by episodes shows it one stream.
        shaped: of an in-context agent, False where it wants the rewards themselves, not those that some
            environments shape for in-context agents.
        tuned: True where the class has a static method `settings_for(env_id)`. What that returns is given to
            the class as the keyword `settings`, and tables mark the agent as tuned.
        batch: what `start` was told.
    """

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = False
    parallel: ClassVar[int] = 1
    shaped: ClassVar[bool] = True
    tuned: ClassVar[bool] = False
    batch: RunBatch

    def start(self, batch: RunBatch) -> None:
        """Forgets everything and gets ready for `batch.n` fresh runs.

        Raises:
            ValueError: it cannot play them, because of their size, say. Users are shown the message, one
                line.
        """
        self.batch = batch

    @abstractmethod
    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """Returns actions for observations, both int64 [n]; `test` asks for no exploration."""

    @abstractmethod
    def learn(self, transition: Transition) -> None:
        """Takes in one step of every run."""

    def policy(self) -> npt.ArrayLike | None:
        """The policy to test: actions [n, O] or probabilities [n, O, A]; None if it is no table."""
        return None


_REQUIRED = ("version", "trains", "privileged", "start", "act", "learn", "policy")


def start_agent(agent: Agent, batch: RunBatch) -> None:
    """Starts an agent.

    Raises:
        RefusalError: it cannot play such runs.
    """
    try:
        agent.start(batch)
    except ValueError as error:
        raise RefusalError(str(error)) from error


@runtime_checkable
class DemonstrationAgent(Protocol):
    """What an in-context `Agent` may have besides: to know which steps are demonstrations.

    Without it, demonstrations come through `learn` like any step. `act` is called before every step in
    either case; where a demonstrator acts, its answer is set aside.
    """

    def demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        """Takes the place of `learn` while demonstrations last.

        Args:
            transition: one step of every run.
            demonstrated: the runs in which a demonstrator acted, bool [n].
        """


@runtime_checkable
class CompiledAgent(Protocol):
    """A tabular learner compiled with Numba; see `anymdp_bench.engine.rollout` for the three signatures.

    Attributes:
        version: goes into the records.
        tuned: optional, as of `Agent`.
    """

    version: ClassVar[str]

    @property
    def compiled_act(self) -> Callable[..., Any]:
        """The `@njit(ACT)` function (observation, n_actions, memory, settings, rng) -> action."""

    @property
    def compiled_learn(self) -> Callable[..., Any]:
        """The `@njit(LEARN)` function that takes in one step."""

    @property
    def compiled_policy(self) -> Callable[..., Any]:
        """The `@njit(POLICY)` function that writes the policy to test into an array [O, A]."""

    def settings(self, batch: RunBatch) -> Float64s:
        """The hyper-parameters that the compiled functions read, float64 [any]."""

    def memory(self, batch: RunBatch) -> Float64s:
        """A fresh memory for one run, float64 [any]."""


AnyAgent = Agent | CompiledAgent


class SixArrayAgent(Agent):
    """An agent whose `learn` takes six arrays, as the contract was up to version 0.1.

    Args:
        agent: the agent; its other methods are called as they are.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.version, self.trains = agent.version, agent.trains  # type: ignore[misc]
        self.privileged = agent.privileged  # type: ignore[misc]
        self.parallel, self.shaped = get_parallel(agent), is_shaped(agent)  # type: ignore[misc]
        if hasattr(agent, "demonstrate"):
            self.demonstrate = lambda transition, shown: agent.demonstrate(*transition, shown)

    def start(self, batch: RunBatch) -> None:
        """Starts the agent."""
        self._agent.start(batch)

    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """The agent's actions."""
        asked = self._agent.act(observation, test=True) if test else self._agent.act(observation)
        return cast("npt.ArrayLike", asked)

    def learn(self, transition: Transition) -> None:
        """Gives the agent the six arrays."""
        self._agent.learn(*transition)

    def policy(self) -> npt.ArrayLike | None:
        """The agent's policy."""
        return cast("npt.ArrayLike | None", self._agent.policy())


def _takes_six_arrays(agent: Any) -> bool:
    """Whether `agent.learn` takes six positional arguments, and not one."""
    try:
        signature = inspect.signature(agent.learn)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(None)
    except TypeError:
        pass
    else:
        return False
    try:
        signature.bind(*[None] * len(Transition._fields))
    except TypeError:
        return False
    return True


@dataclass(frozen=True)
class AgentSpec:
    """An agent by name: enough to make it again in another process.

    Attributes:
        name: the name of an installed agent, or "module:Name".
        checkpoint: a file of weights, given to the agent as the keyword `checkpoint`.
        arguments: further keywords for the agent's class or function, as (name, value) pairs.
        given: the agent's class, a function that makes the agent, or the agent itself. None: the class or
            function is looked up by `name`.
    """

    name: str
    checkpoint: str | None = None
    arguments: tuple[tuple[str, Any], ...] = field(default=())
    given: Any = field(default=None, repr=False, compare=False)

    @property
    def is_instance(self) -> bool:
        """Whether `given` is an agent, and not a class or function that makes agents."""
        return not inspect.isclass(self.given) and isinstance(self.given, (Agent, CompiledAgent))

    def load(self) -> Callable[..., Any]:
        """The class or function that makes the agent.

        Raises:
            AgentError: there is none of that name.
        """
        if self.is_instance:
            return lambda: self.given
        return _load_factory(self.name) if self.given is None else cast("Any", self.given)

    def make(self, env_id: str | None = None) -> AnyAgent:
        """A new instance; or the agent itself, if that was given.

        Args:
            env_id: the environment that it will play. A tuned agent is given its settings for it; no other
                agent is told. None: a tuned agent has its default settings.

        Raises:
            AgentError: there is no such agent, or it breaks the contract.
        """
        factory = self.load()
        options = dict(self.arguments)
        if self.is_instance and (options or self.checkpoint is not None):
            raise AgentError(
                f"agent {self.name} is made already; give its class to have it made with arguments"
            )
        if self.checkpoint is not None:
            if not _takes(factory, "checkpoint"):
                raise AgentError(f"agent {self.name} takes no --checkpoint; leave it out")
            options["checkpoint"] = self.checkpoint
        for name in dict(self.arguments):
            if not _takes(factory, name):
                raise AgentError(f"agent {self.name} takes no argument {name!r}; leave it out")
        try:
            if env_id is not None and is_tuned(factory) and "settings" not in options:
                options["settings"] = cast("Any", factory).settings_for(env_id)
            agent = factory(**options)
        except AgentError:
            raise
        except ModuleNotFoundError as error:
            raise AgentError(
                f"agent {self.name} needs the module {error.name}; install it"
                f" (torch: pip install 'anymdp-bench[torch]')"
            ) from None
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise AgentError(f"agent {self.name} cannot be made: {what}") from error
        return check_agent(agent, self.name)


def check_agent(agent: Any, name: str) -> AnyAgent:
    """The agent itself, or its adapter where its `learn` takes six arrays.

    Args:
        agent: what a class or function made.
        name: what messages call it.

    Raises:
        AgentError: it is no agent.
    """
    if not isinstance(agent, (Agent, CompiledAgent)):
        missing = [
            m for m in ("version", "start", "act", "learn", "policy") if not hasattr(agent, m)
        ]
        raise AgentError(
            f"agent {name} is neither an Agent nor a CompiledAgent (an Agent lacks: "
            f"{', '.join(missing) or 'trains, privileged'}); see anymdp_bench.agents"
        )
    version = agent.version
    if not (isinstance(version, str) and version.strip() and version.isprintable()):
        raise AgentError(f"agent {name} has version {version!r}; give a printable string")
    if isinstance(agent, Agent) and _takes_six_arrays(agent):
        return SixArrayAgent(agent)
    return agent


@cache
def installed_agents() -> Mapping[str, EntryPoint]:
    """Agents of the entry-point group, by name; none is imported.

    They are looked for once a process: it takes reading the metadata of every installed package, and a worker
    makes an agent for every run.
    """
    return MappingProxyType({point.name: point for point in sorted(entry_points(group=GROUP))})


def _load_factory(name: str) -> Callable[..., Any]:
    installed = installed_agents()
    factory: Any
    try:
        if name in installed:
            factory = installed[name].load()
        elif ":" in name:
            module, _, attribute = name.partition(":")
            if os.getcwd() not in sys.path:
                sys.path.insert(0, os.getcwd())
            factory = reduce(getattr, attribute.split("."), importlib.import_module(module))
        else:
            known = ", ".join(installed)
            raise AgentError(f"no agent {name!r}; known: {known}, or give module:Name")
    except AgentError:
        raise
    except (ImportError, AttributeError) as error:
        raise AgentError(f"agent {name} cannot be loaded: {error}") from None
    except Exception as error:  # whatever a stranger's module does when it is imported
        what = f"{type(error).__name__}: {error}"
        raise AgentError(f"agent {name} cannot be loaded: {what}") from error
    if not callable(factory):
        raise AgentError(f"agent {name} is a {type(factory).__name__}; give a class or function")
    return factory  # type: ignore[no-any-return]


def _takes(factory: Callable[..., Any], keyword: str) -> bool:
    """Whether `factory` can be given `keyword`, as far as can be told."""
    try:
        inspect.signature(factory).bind(**{keyword: ""})
    except TypeError:
        return False
    except ValueError:  # compiled, without a signature
        pass
    return True


def is_shaped(agent: AnyAgent) -> bool:
    """Whether an in-context agent is given shaped rewards where an environment has them."""
    return bool(getattr(agent, "shaped", True))


def is_privileged(agent: AnyAgent) -> bool:
    """Whether the agent declares that it looks at the task."""
    return bool(getattr(agent, "privileged", False))


def is_tuned(agent: object) -> bool:
    """Whether an agent, or its class, declares that its settings are chosen for the environment by name."""
    return bool(getattr(agent, "tuned", False))


def is_trained(agent: AnyAgent) -> bool:
    """Whether the agent is scored at test points (else every episode is scored)."""
    return isinstance(agent, CompiledAgent) or agent.trains


def get_parallel(agent: Agent) -> int:
    """How many copies of one task a learner that trains steps at once."""
    return int(getattr(agent, "parallel", 1))
