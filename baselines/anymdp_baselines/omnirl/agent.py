"""`omnirl-planner`: the in-context agent that the benchmark runs.

It writes every step of a run to the hard-addressed memory and, when the run has grown by `RATE`,
reads the memory and plans: one forward pass of the looped planner for all runs and all states
together. Between plans it acts by the table of the last one, so a step costs next to nothing. The
memory's size does not depend on the length of the context.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.omnirl.memory import Memory, empty_memory, write_all
from anymdp_baselines.omnirl.reading import empty_reading, read
from anymdp_baselines.omnirl.schedule import temperature
from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.rng import uniform

RATE = 0.03  # the run's growth, in steps, that calls for a new plan
_BATCH = 64  # runs planned at once: bounds the working memory


@njit(cache=True)
def _choose(preference, observation, rng, greedy):
    """Samples softmax(preference[i, observation[i]]) by the Gumbel trick, each run from its own stream."""
    out = np.empty(len(observation), np.int64)
    for i in range(len(observation)):
        best, highest = 0, -math.inf
        for a in range(preference.shape[2]):
            value = preference[i, observation[i], a]
            if not greedy:
                value -= math.log(-math.log(max(uniform(rng, i), 1e-12)))
            if value > highest:
                best, highest = a, value
        out[i] = best
    return out


class OmniRLPlanner:
    """The in-context agent with a hard-addressed memory and a looped neural planner.

    Args:
        checkpoint: a file of weights; by default the weights that ship with the package.
        first_temperature: of the softmax it acts by at the first step (see `schedule`); by default
        the checkpoint's own,
            chosen on training tasks.

    Raises:
        ValueError: the checkpoint is none; the message is one line.
    """

    version: ClassVar[str] = "1"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = False

    def __init__(
        self, checkpoint: str | None = None, first_temperature: float | None = None
    ) -> None:
        from anymdp_baselines.omnirl.checkpoint import load_planner

        self._planner, settings = load_planner(checkpoint)
        chosen = settings["temperature"]
        self._first_temperature = chosen if first_temperature is None else first_temperature

    def start(self, streams: Streams) -> None:
        """Forgets everything."""
        shape = (streams.n, streams.n_observations, streams.n_actions)
        self._rng = streams.seeds.copy()
        self._memory: Memory = empty_memory(*shape)
        self._reading = empty_reading(min(_BATCH, streams.n), *shape[1:])
        self._preference = np.zeros(shape)
        self._steps = self._next_plan = 0

    def act(self, observation: Int64s, test: bool = False) -> Int64s:
        """Actions sampled from the plan, int64 [n]; the likeliest ones where `test`."""
        if self._steps >= self._next_plan:
            self._plan()
            self._next_plan = self._steps + max(1, int(self._steps * RATE))
        out: Int64s = _choose(self._preference, observation, self._rng, test)
        return out

    def learn(
        self,
        observation: Int64s,
        action: Int64s,
        reward: Float64s,
        next_observation: Int64s,
        terminated: Bools,
        truncated: Bools,
    ) -> None:
        """Writes the step of every run to its memory."""
        write_all(
            self._memory, observation, action, reward, next_observation, terminated, truncated
        )
        self._steps += 1

    def policy(self) -> None:
        """No table is needed: every episode counts."""
        return None

    @property
    def memory_bytes(self) -> int:
        """Size of the memory of all runs; constant from `start` on."""
        return sum(array.nbytes for array in self._memory)

    def _plan(self) -> None:
        """Preferences of every run, state and action from the memory as it stands."""
        n = len(self._preference)
        for begin in range(0, n, _BATCH):
            runs = np.arange(begin, min(begin + _BATCH, n))
            read(self._memory, runs, self._reading)
            warmth = temperature(self._first_temperature, self._steps, self._preference[0].size)
            self._preference[runs] = self._logits(len(runs)) / warmth

    def _logits(self, rows: int) -> Float64s:
        import torch

        tensors: list[Any] = [torch.from_numpy(array[:rows]) for array in self._reading]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a plan is small: threads would wait for each other, not work
        try:
            with torch.inference_mode():
                out: Float64s = self._planner(*tensors).logit.double().numpy()
        finally:
            torch.set_num_threads(threads)
        return out
