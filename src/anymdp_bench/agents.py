"""The contract of agents, and how agents are found.

There are two kinds of agents:

`Agent`          an agent in plain Python (NumPy, PyTorch, ...). It plays `n` runs at once: every array has
                 one element for each run;
`CompiledAgent`  a tabular learner of three compiled functions. It runs in one compiled loop with its task.

An agent gets the sizes of its runs and one random seed for each run (`RunBatch`). After that it gets
observations, rewards and flags (`Transition`). It never sees the name of the environment, the task, the
oracle, the score or the recorder. There are two exceptions. An agent that declares itself `privileged` sees
the task. The leaderboard does not accept it. An agent that is `tuned` gets settings that were chosen for
the environment by name. Tables mark it.

An agent is found by an entry point in the group `anymdp_bench.agents`, or as "module:Name", or as
"file.py:Name". The built-in agents are found in the same way.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from anymdp_bench.crash import describe_crash, describe_place, is_refusal
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.transition import Transition
from anymdp_bench.spelling import offer
from anymdp_bench.user_modules import import_user_module

if TYPE_CHECKING:
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
"""The group of the entry points of agents."""


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


class SixArrayAgent(Agent):
    """The adapter of an agent whose `learn` takes six arrays, as in the contract up to version 0.1.

    Args:
        agent: the agent. Its other methods are called without a change.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self.version, self.trains = agent.version, agent.trains  # type: ignore[misc]
        self.privileged = agent.privileged  # type: ignore[misc]
        self.parallel, self.shaped = get_parallel(agent), is_shaped(agent)  # type: ignore[misc]
        self.n_parameters = getattr(agent, "n_parameters", None)
        self.training_cost = getattr(agent, "training_cost", "")
        if hasattr(agent, "demonstrate"):
            self.demonstrate = lambda transition, demonstrated: agent.demonstrate(
                *transition, demonstrated
            )

    def start(self, batch: RunBatch) -> None:
        """Starts the agent."""
        self._agent.start(batch)

    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """Returns the agent's actions."""
        action = self._agent.act(observation, test=True) if test else self._agent.act(observation)
        return cast("npt.ArrayLike", action)

    def learn(self, transition: Transition) -> None:
        """Gives the agent the six arrays."""
        self._agent.learn(*transition)

    def policy(self) -> npt.ArrayLike | None:
        """Returns the agent's policy."""
        return cast("npt.ArrayLike | None", self._agent.policy())


def _takes_six_arrays(agent: Any) -> bool:
    """Tells whether `agent.learn` takes six positional arguments, and not one."""
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
    """An agent by name. It holds enough to make the agent in another process.

    Attributes:
        name: the name of an installed agent, "module:Name" or "file.py:Name".
        checkpoint: a file of weights, which the agent gets as the keyword `checkpoint`.
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
        """Makes a new agent, or returns the agent itself where that was given.

        Args:
            env_id: the environment that the agent will play. A tuned agent gets its settings for it. No other
                agent learns the name. With None a tuned agent has its default settings.

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
            if not _accepts(factory, "checkpoint"):
                raise AgentError(f"agent {self.name} takes no --checkpoint; leave it out")
            options["checkpoint"] = self.checkpoint
        for name in dict(self.arguments):
            if not _accepts(factory, name):
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
            ) from error
        except Exception as error:
            raise AgentError(
                f"agent {self.name} cannot be made: {describe_crash(error)}"
            ) from error
        return check_agent(agent, self.name)


def check_agent(agent: Any, name: str) -> AnyAgent:
    """Checks an agent, and returns it, or its adapter if its `learn` takes six arrays.

    Args:
        agent: the object that a class or function made.
        name: the name of the agent in messages.

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
    _check_declarations(agent, name)
    if isinstance(agent, Agent) and _takes_six_arrays(agent):
        return SixArrayAgent(agent)
    return agent


def _check_declarations(agent: AnyAgent, name: str) -> None:
    """Checks the type of what an agent declares, since any text would count as true.

    Raises:
        AgentError: a declaration has another type.
    """
    for attribute in ("trains", "privileged", "shaped", "tuned"):
        value = getattr(agent, attribute, False)
        if not isinstance(value, (bool, np.bool_)):
            raise AgentError(f"agent {name} has {attribute} = {value!r:.40}; give True or False")
    parallel = getattr(agent, "parallel", 1)
    if not isinstance(parallel, (int, np.integer)) or isinstance(parallel, bool) or parallel < 1:
        raise AgentError(
            f"agent {name} has parallel = {parallel!r:.40}; give a whole number from 1"
        )
    count, cost = getattr(agent, "n_parameters", None), getattr(agent, "training_cost", "")
    if count is not None and (type(count) is not int or not 0 <= count < 10**15):
        raise AgentError(
            f"agent {name} has n_parameters = {count!r:.40}; give a whole number, or None"
        )
    if not isinstance(cost, str) or not (cost + "a").isprintable() or len(cost) > 100:
        raise AgentError(
            f"agent {name} has training_cost = {cost!r:.40}; give a line of at most 100 characters"
        )
    if is_tuned(agent) and not callable(getattr(agent, "settings_for", None)):
        raise AgentError(f"agent {name} is tuned; give it the static method settings_for(env_id)")
    for method in ("start", "act", "learn", "policy", "demonstrate"):
        if hasattr(agent, method) and not callable(getattr(agent, method)):
            raise AgentError(
                f"agent {name} has {method} = {getattr(agent, method)!r:.40}; give a method"
            )


@cache
def installed_agents() -> Mapping[str, EntryPoint]:
    """Returns the entry points of agents by name. It imports none of them.

    Each process looks for them once. The search reads the metadata of every installed package, and a worker
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
            module, _, attribute = name.rpartition(":")
            factory = reduce(getattr, attribute.split("."), import_user_module(module))
        else:
            if name.endswith(".py"):
                raise AgentError(f"{name} is a file; name the agent's class in it too: {name}:Name")
            raise AgentError(f"no agent {name!r}; {offer(name, installed)}, or give module:Name")
    except AgentError:
        raise
    except (ImportError, AttributeError) as error:
        what = f"{error}{describe_place(error)}"
        raise AgentError(f"agent {name} cannot be loaded: {what}") from error
    except Exception as error:  # a module from outside may raise anything when it is imported
        raise AgentError(f"agent {name} cannot be loaded: {describe_crash(error)}") from error
    if not callable(factory):
        raise AgentError(f"agent {name} is a {type(factory).__name__}; give a class or function")
    return factory  # type: ignore[no-any-return]


def _accepts(factory: Callable[..., Any], keyword: str) -> bool:
    """Tells whether `factory` accepts `keyword`. It says yes if the signature is unknown."""
    try:
        inspect.signature(factory).bind(**{keyword: ""})
    except TypeError:
        return False
    except ValueError:  # a compiled function without a signature
        pass
    return True


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
