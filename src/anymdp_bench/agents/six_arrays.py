"""Agents of the contract up to version 0.1, whose `learn` takes six arrays, play through an adapter."""

from __future__ import annotations

import inspect
from typing import Any

from anymdp_bench.engine.arrays import Bools
from anymdp_bench.engine.transition import Transition


class SixArrayAgent:
    """The adapter of an agent whose `learn` takes six arrays. Everything else is the agent's own.

    Args:
        agent: the agent.
    """

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        if hasattr(agent, "demonstrate"):
            self.demonstrate = self._demonstrate

    def learn(self, transition: Transition) -> None:
        """Gives the agent the six arrays."""
        self._agent.learn(*transition)

    def _demonstrate(self, transition: Transition, demonstrated: Bools) -> None:
        self._agent.demonstrate(*transition, demonstrated)

    def __getattr__(self, name: str) -> Any:
        if name == "_agent":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self._agent, name)


def takes_six_arrays(agent: Any) -> bool:
    """Tells whether `agent.learn` takes six positional arguments, and not one."""
    try:
        signature = inspect.signature(agent.learn)
    except (TypeError, ValueError):
        return False
    return _accepts(signature, len(Transition._fields)) and not _accepts(signature, 1)


def _accepts(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
