"""The one loop of the project: an agent acts, the simulator steps, the agent learns.

Every part that plays an agent in plain Python goes through `Interaction`. Compiled learners have a loop of
their own inside the compiled code; tests hold the two to be equal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from anymdp_bench.agents import Agent, AgentError, DemonstrationAgent
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.transition import Transition
from anymdp_bench.tasks.task import VectorSimulator


class FinishedEpisode(NamedTuple):
    """An episode that ended.

    Attributes:
        run: the index of its run.
        return_: its undiscounted return.
        advantage_sum: the sum of the oracle's advantages of what was played in it.
    """

    run: int
    return_: float
    advantage_sum: float


def check_actions(given: npt.ArrayLike, n: int, n_actions: int) -> Int64s:
    """An agent's actions as int64 [n].

    Raises:
        AgentError: they have a wrong shape, are no integers, or are out of range.
    """
    action = np.asarray(given)
    if action.shape != (n,) or action.dtype.kind not in "iu":
        raise AgentError(
            f"act() returned shape {list(action.shape)} and dtype {action.dtype}; give {n} integers"
        )
    if (action < 0).any() or (action >= n_actions).any():
        raise AgentError(
            f"act() returned an action outside 0..{n_actions - 1}: {action.min()}..{action.max()}"
        )
    return np.ascontiguousarray(action, dtype=np.int64)


def observe(agent: Agent, transition: Transition, demonstrated: Bools | None = None) -> None:
    """Gives a step to the agent.

    Args:
        agent: the agent.
        transition: the step of every stream.
        demonstrated: the streams in which a demonstrator acted, bool [n]; None where there is no
            demonstrator.
    """
    if demonstrated is not None and isinstance(agent, DemonstrationAgent):
        agent.demonstrate(transition, demonstrated)
    else:
        agent.learn(transition)


class Interaction:
    """An agent that plays the runs of a simulator, with the numbers of steps and episodes and the returns.

    Args:
        agent: the agent; it has been started.
        simulator: the runs.
        test: whether the agent is asked for its policy without exploration, and shown nothing.

    Attributes:
        steps: steps that were played in each run.
        episodes: episodes that ended in each run, int64 [runs].
    """

    def __init__(self, agent: Agent, simulator: VectorSimulator, test: bool = False) -> None:
        self.agent, self.simulator, self._test = agent, simulator, test
        runs = simulator.n // simulator.players
        self.steps = 0
        self.episodes: Int64s = np.zeros(runs, np.int64)
        self._return: Float64s = np.zeros(runs)

    def act(self) -> Int64s:
        """The agent's actions for the present observations, checked, int64 [n].

        Raises:
            AgentError: the agent broke the contract.
        """
        simulator = self.simulator
        seen = simulator.observation
        given = self.agent.act(seen, test=True) if self._test else self.agent.act(seen)
        return check_actions(given, simulator.n, simulator.n_actions)

    def play(self, action: Int64s, demonstrated: Bools | None = None) -> list[FinishedEpisode]:
        """Steps every run with `action` and shows the agent what came of it; the episodes that ended."""
        result = self.simulator.step(action)
        self.steps += 1
        self._return += result.reward
        if not self._test:
            observe(self.agent, result.transition, demonstrated)
        over = result.finished
        finished = [
            FinishedEpisode(int(run), float(self._return[run]), float(advantage_sum))
            for run, advantage_sum in zip(over, result.advantage_sum, strict=True)
        ]
        self._return[over] = 0.0
        self.episodes[over] += 1
        return finished

    def step(self) -> list[FinishedEpisode]:
        """One step of every run: the agent acts and learns; the episodes that ended."""
        return self.play(self.act())
