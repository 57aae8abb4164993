"""How an agent is found by its name, made, and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, cast

import numpy as np

from anymdp_bench.agents.contract import Agent, AgentError, AnyAgent, CompiledAgent, is_tuned
from anymdp_bench.agents.six_arrays import SixArrayAgent, takes_six_arrays
from anymdp_bench.crash import describe_crash, describe_place
from anymdp_bench.spelling import offer
from anymdp_bench.user_modules import import_user_module

GROUP = "anymdp_bench.agents"
"""The group of the entry points of agents."""


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
        """Returns the class or function that makes the agent.

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
    if isinstance(agent, Agent) and takes_six_arrays(agent):
        return cast("Agent", SixArrayAgent(agent))
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
