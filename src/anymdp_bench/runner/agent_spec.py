"""From the agent that `evaluate` is given to an `AgentSpec`, and whether worker processes can make it."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from functools import reduce
from typing import Any

from anymdp_bench.agents import AgentError, AgentSpec
from anymdp_bench.paths import AnyPath, expand_home
from anymdp_bench.runner.main_module import is_main_guarded

MAIN = "__main__"


def make_spec(
    agent: object,
    name: str | None = None,
    checkpoint: AnyPath | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> AgentSpec:
    """Describes an agent so that it can be made again.

    Args:
        agent: the name of an installed agent, "module:Name", "file.py:Name", a class, a function that makes
            an agent, or an agent.
        name: what the records call it. By default the name itself, or the attribute `name` of what is
            given, or else "module:Name" of the class or function.
        checkpoint: the agent's weights; `~` is the home directory.
        arguments: further keywords for the class or function, with JSON values.

    Raises:
        AgentError: `agent` is nothing of the kind, or a name or an argument cannot be recorded.
    """
    if checkpoint is not None:
        checkpoint = str(expand_home(checkpoint))
    if not isinstance(arguments or {}, Mapping) or not all(
        isinstance(key, str) for key in arguments or {}
    ):
        raise AgentError(f"agent_args is {arguments!r:.80}; give a dict of keywords and values")
    pairs = tuple((arguments or {}).items())
    if not isinstance(agent, str):
        spec = AgentSpec(name or _name_of(agent), checkpoint, pairs, agent)
        if not (callable(agent) or spec.is_instance):
            raise AgentError(
                f"agent {agent!r:.80} is a {type(agent).__name__}; give a name, a class, a function"
                " that makes an agent, or an agent"
            )
    else:
        agent = agent.removeprefix("./")  # one file has one name in the records
        spec = AgentSpec(agent, checkpoint, pairs)
        if name is not None or agent.startswith(f"{MAIN}:"):
            spec = AgentSpec(name or agent, checkpoint, pairs, spec.load())
    if not (spec.name.strip() and spec.name.isprintable()):
        raise AgentError(f"agent's name {spec.name!r:.80} cannot be recorded; give plain text")
    for key, value in pairs:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise AgentError(
                f"agent argument {key!r} is {value!r:.80}, which cannot be recorded; give a number, text,"
                " list or dict, or give a function that makes the agent"
            ) from None
    return spec


def _name_of(agent: object) -> str:
    name = getattr(agent, "name", None)
    if isinstance(name, str):
        return name
    named: Any = agent if hasattr(agent, "__qualname__") else getattr(agent, "func", type(agent))
    return f"{named.__module__}:{named.__qualname__}"


def explain_no_workers(spec: AgentSpec) -> str | None:
    """Says why worker processes cannot play an agent; None if they can.

    Workers import the agent's class or function by its module and name, so they need a module that they can
    import without starting the program again.
    """
    process = multiprocessing.current_process()
    if process.daemon or getattr(process, "_inheriting", False):
        return "this process is a worker itself and cannot start any"
    if spec.given is None:
        return None
    module = getattr(spec.given, "__module__", None)
    name = getattr(spec.given, "__qualname__", None)
    if spec.is_instance or not isinstance(module, str) or not isinstance(name, str):
        return f"agent {spec.name} is an object that worker processes cannot make; give its class"
    try:
        found = reduce(getattr, name.split("."), sys.modules[module])
    except (AttributeError, KeyError):
        found = None
    if found is not spec.given:
        return f"agent {spec.name} is not at the top level of a module; define it there"
    if module == MAIN and not is_main_guarded():
        return (
            f"agent {spec.name} is defined in this session or script, which worker processes cannot import;"
            " define it in a module, or call evaluate under if __name__ == '__main__':"
        )
    if module != MAIN and not _is_importable(module):
        return f"worker processes cannot import agent {spec.name}; put its module on sys.path"
    return None


def _is_importable(module: str) -> bool:
    """Tells whether another process with this search path would find the module that this one has loaded."""
    path: Any = None
    spec: Any = None
    parts = module.split(".")
    for k in range(len(parts)):
        name = ".".join(parts[: k + 1])
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path) if find else None
            if spec is not None:
                break
        else:
            return False
        path = spec.submodule_search_locations
        if path is None and k < len(parts) - 1:
            return False
    file = getattr(sys.modules[module], "__file__", None)
    return not file or spec.origin == file or _is_same_file(spec.origin, file)


def _is_same_file(one: str | None, other: str) -> bool:
    try:
        return one is not None and os.path.samefile(one, other)
    except OSError:
        return False


def is_class_of_main(spec: AgentSpec) -> bool:
    """Tells whether workers must import the main module to make the agent."""
    return spec.given is not None and getattr(spec.given, "__module__", None) == MAIN
