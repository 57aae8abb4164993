"""The one loop of the project: an agent acts, the simulator steps, the agent learns.

All code that plays an agent in plain Python uses `Interaction`. Compiled learners have their own loop
inside the compiled code. Tests check that the two loops give the same results.
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
        advantage_sum: the sum of the oracle's advantages over the episode.
    """

    run: int
    return_: float
    advantage_sum: float


def check_actions(given: npt.ArrayLike, n: int, n_actions: int) -> Int64s:
    """Checks the actions of an agent, and returns them as int64 [n].

    Args:
        given: what `act` returned.
        n: the number of streams.
        n_actions: the number of actions.

    Raises:
        AgentError: the actions have a wrong shape, are no integers, or are out of range.
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
        demonstrated: in which streams a demonstrator acted, bool [n]; None if there is no demonstrator.
    """
    if demonstrated is not None and isinstance(agent, DemonstrationAgent):
        agent.demonstrate(transition, demonstrated)
    else:
        agent.learn(transition)


class Interaction:
    """An agent that plays the runs of a simulator. It counts steps and episodes, and adds up returns.

    Args:
        agent: the agent, which has been started.
        simulator: the runs.
        test: whether the agent plays without exploration and learns nothing.

    Attributes:
        steps: the number of steps in each run.
        episodes: the number of episodes that ended in each run, int64 [runs].
    """

    def __init__(self, agent: Agent, simulator: VectorSimulator, test: bool = False) -> None:
        self.agent, self.simulator, self._test = agent, simulator, test
        runs = simulator.n // simulator.players
        self.steps = 0
        self.episodes: Int64s = np.zeros(runs, np.int64)
        self._return: Float64s = np.zeros(runs)

    def act(self) -> Int64s:
        """Returns the agent's actions for the current observations, after checking them, int64 [n].

        Raises:
            AgentError: the agent broke the contract.
        """
        simulator = self.simulator
        seen = simulator.observation
        given = self.agent.act(seen, test=True) if self._test else self.agent.act(seen)
        return check_actions(given, simulator.n, simulator.n_actions)

    def play(self, action: Int64s, demonstrated: Bools | None = None) -> list[FinishedEpisode]:
        """Steps every run, and lets the agent learn from the step.

        Args:
            action: the actions, int64 [n].
            demonstrated: in which streams a demonstrator acted, bool [n], or None.

        Returns:
            The episodes that ended with this step.
        """
        result = self.simulator.step(action)
        self.steps += 1
        self._return += result.reward
        if not self._test:
            observe(self.agent, result.transition, demonstrated)
        over = result.finished
        if not len(over):  # most steps end no episode
            return []
        finished = [
            FinishedEpisode(int(run), float(self._return[run]), float(advantage_sum))
            for run, advantage_sum in zip(over, result.advantage_sum, strict=True)
        ]
        self._return[over] = 0.0
        self.episodes[over] += 1
        return finished

    def step(self) -> list[FinishedEpisode]:
        """Lets the agent act and learn in one step of every run, and returns the episodes that ended."""
        return self.play(self.act())
