"""The agent contract, and how agents are found.

Two kinds of agent meet the protocol:

`Agent`       plain Python (NumPy, torch, ...), playing `n` runs at once, one array element a run;
`FusedAgent`  a tabular learner as three compiled functions, run in one compiled loop with its task.

Either way an agent sees observations, rewards and flags, and never the task, the oracle, the account or the
recorder, unless it declares itself `privileged` (and is barred from the leaderboard). It is found
through an entry point in group `anymdp_bench.agents`, or as "module:Name"; the built-in ones are found
in just that way.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy.typing as npt

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s, UInt64s
from anymdp_bench.mdp import TabularMDP

GROUP = "anymdp_bench.agents"


class AgentError(RuntimeError):
    """An agent that cannot be found, or broke the contract: the message says which and how."""


class RefusalError(AgentError):
    """An agent that says, when it is told what it will play, that it cannot."""


@dataclass(frozen=True)
class Streams:
    """What an agent is told before it plays.

    Attributes:
        env_id: the environment, so that settings can be chosen by family.
        n_observations: number of observation ids.
        n_actions: number of actions.
        seeds: uint64 [n], one for the agent's own randomness in each run; a run's choices must depend
            on its own seed alone, so that they do not change with the company it is batched in.
        tasks: the tasks themselves, for a privileged agent where they are tables; else None.
        oracle: for a privileged agent where the task is another game (Pendulum, Switch2): gives the
            oracle's actions in the true states of now, int64 [n]; else None.
    """

    env_id: str
    n_observations: int
    n_actions: int
    seeds: UInt64s
    tasks: tuple[TabularMDP, ...] | None = None
    oracle: Callable[[], Int64s] | None = None

    @property
    def n(self) -> int:
        """Number of runs played at once."""
        return len(self.seeds)

    def apart(self, players: int | None = None) -> list[Streams]:
        """The streams of each player (by default: each stream by itself), for copies of an agent.

        Player i of `players` has streams i, i + players, i + 2 players, ...
        """
        step = players or self.n
        return [
            replace(
                self,
                seeds=self.seeds[i::step],
                tasks=self.tasks and self.tasks[i::step],
                oracle=self.oracle and _picked(self.oracle, slice(i, None, step)),
            )
            for i in range(step)
        ]


def _picked(oracle: Callable[[], Int64s], whose: slice) -> Callable[[], Int64s]:
    return lambda: oracle()[whose]


@runtime_checkable
class Agent(Protocol):
    """An agent in plain Python.

    Attributes:
        version: goes into the records; raise it when behaviour changes.
        trains: False for an in-context agent: every episode counts, all runs of an environment are
            batched. True for a learner that is tested apart: it plays one run at a time (n = 1).
        privileged: True where it needs `Streams.tasks`.
        parallel: optional, of a learner that trains: the number of streams of its one task that it plays at
            once (1 where it is missing). All their steps and episodes count; a test by episodes shows it
            one stream.
        shaped: optional, of an in-context agent: False where it wants the rewards themselves, not those that
            some environments shape for in-context agents (True where it is missing).
    """

    version: ClassVar[str]
    trains: ClassVar[bool]
    privileged: ClassVar[bool]

    def start(self, streams: Streams) -> None:
        """Forgets everything and gets ready for `streams.n` fresh runs.

        Raises:
            ValueError: it cannot play them, for their size, say; users are shown the message, one line.
        """

    def act(self, observation: Int64s, test: bool = False) -> npt.ArrayLike:
        """Actions for observations, both int64 [n]; `test` asks for the policy without exploration."""

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """Takes in one step of every run, arrays [n]; `next_observation` is never a new episode's."""

    def policy(self) -> npt.ArrayLike | None:
        """The policy to test: actions [n, O] or probabilities [n, O, A]; None if it is no table."""


def begin(agent: Agent, streams: Streams) -> None:
    """Starts an agent.

    Raises:
        RefusalError: it cannot play such runs.
    """
    try:
        agent.start(streams)
    except (ValueError, AgentError) as error:
        raise RefusalError(str(error)) from error


@runtime_checkable
class Watcher(Protocol):
    """What an in-context `Agent` may have besides: to know which steps are demonstrations.

    Without it, demonstrations come through `learn` like any step. `act` is called before every step
    in either case; where a demonstrator acts, its answer is set aside.
    """

    def demonstrate(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
        shown: Bools,
    ) -> None:
        """Takes the place of `learn` while demonstrations last; `shown` [n]: the runs where they do."""


@runtime_checkable
class FusedAgent(Protocol):
    """A tabular learner compiled with numba; see `anymdp_bench.engine.rollout` for the three signatures.

    Attributes:
        version: goes into the records.
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

    def settings(self, streams: Streams) -> Float64s:
        """The hyper-parameters that the compiled functions read, float64 [any]."""

    def memory(self, streams: Streams) -> Float64s:
        """A fresh memory for one run, float64 [any]."""


AnyAgent = Agent | FusedAgent


@dataclass(frozen=True)
class AgentSpec:
    """An agent by name: enough to make it again in another process."""

    name: str
    checkpoint: str | None = None

    def make(self) -> AnyAgent:
        """A new instance.

        Raises:
            AgentError: there is no such agent, or it breaks the contract.
        """
        factory = _factory(self.name)
        options = {} if self.checkpoint is None else {"checkpoint": self.checkpoint}
        if options and not _takes(factory, "checkpoint"):
            raise AgentError(f"agent {self.name} takes no --checkpoint; leave it out")
        try:
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
        if not isinstance(agent, (Agent, FusedAgent)):
            missing = [
                m for m in ("version", "start", "act", "learn", "policy") if not hasattr(agent, m)
            ]
            raise AgentError(
                f"agent {self.name} is neither an Agent nor a FusedAgent (an Agent lacks: "
                f"{', '.join(missing) or 'trains, privileged'}); see anymdp_bench.agents"
            )
        version = agent.version
        if not (isinstance(version, str) and version.strip() and version.isprintable()):
            raise AgentError(f"agent {self.name} has version {version!r}; give a printable string")
        return agent


@cache
def installed_agents() -> Mapping[str, EntryPoint]:
    """Agents of the entry-point group, by name; none is imported.

    Looked for once a process: it reads the metadata of every installed package, and a worker makes an agent
    for every run.
    """
    return MappingProxyType({point.name: point for point in sorted(entry_points(group=GROUP))})


def _factory(name: str) -> Callable[..., Any]:
    installed = installed_agents()
    try:
        if name in installed:
            factory = installed[name].load()
        elif ":" in name:
            module, _, attribute = name.partition(":")
            if os.getcwd() not in sys.path:
                sys.path.insert(0, os.getcwd())
            factory = getattr(importlib.import_module(module), attribute)
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


def trains(agent: AnyAgent) -> bool:
    """Whether the agent is scored at test points (else every episode counts)."""
    return isinstance(agent, FusedAgent) or agent.trains


def parallel(agent: Agent) -> int:
    """How many streams of one task a learner that trains plays at once."""
    return int(getattr(agent, "parallel", 1))
