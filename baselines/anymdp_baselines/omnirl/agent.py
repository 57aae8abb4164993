"""`omnirl`: the in-context agent that the benchmark runs.

It writes every step of a run to the hard-addressed memory and, when the run has grown by `RATE`,
reads the memory and plans: one forward pass of the looped planner for all runs and all states
together. Between plans it acts by the table of the last one, so a step costs next to nothing. The
memory's size does not depend on the length of the context.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numba import njit

from anymdp_baselines.omnirl.checkpoint import (
    SHIPPED,
    load_arrays,
    load_planner,
    save_arrays,
    shipped,
)
from anymdp_baselines.omnirl.memory import Memory, empty_memory, show_all, write_all
from anymdp_baselines.omnirl.reading import empty_reading, read
from anymdp_baselines.omnirl.schedule import LEAST_CHANCE, SCOUTING, blend, settling, temperature
from anymdp_baselines.omnirl.scout import scout
from anymdp_bench.agents import Streams
from anymdp_bench.engine.arrays import Bools, Float64s, Int64s
from anymdp_bench.engine.rng import uniform

RATE = 0.03  # the run's growth, in steps, that calls for a new plan
LARGEST = 8 * 2**30  # bytes of memory for all runs together
_APART = np.uint64(0xA0761D6478BD642F)  # the scout draws apart from the softmax
SMALL, SMALLEST, LARGEST_SMALL = "omnirl-small", 2, 24
"""Weights trained on tau(16, 5) alone; the sizes of AnyMDP's tasks that `omnirl` plays by them."""
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


class OmniRL:
    """The in-context agent with a hard-addressed memory and a looped neural planner.

    It plays tasks of any size: neither weights nor memory are tied to ids or to their number.

    Args:
        checkpoint: a file of weights; by default some that ship with the package.
        first_temperature: of the softmax it acts by at the first step (see `schedule`); by default
            the checkpoint's own.
        scouting: visits per slot for which a run scouts (see `scout`); by default `schedule.SCOUTING`.
        weights: the name of the shipped weights to take where no `checkpoint` is given.

    Raises:
        ValueError: the checkpoint is none; the message is one line.
    """

    version: ClassVar[str] = "3"
    trains: ClassVar[bool] = False
    privileged: ClassVar[bool] = False

    def __init__(
        self,
        checkpoint: str | None = None,
        first_temperature: float | None = None,
        scouting: float | None = None,
        weights: str = SHIPPED,
    ) -> None:
        self._planner, settings = load_planner(checkpoint or shipped(weights))
        self._small = None
        if checkpoint is None and weights == SHIPPED:
            self._small, _ = load_planner(shipped(SMALL))
        chosen = settings["temperature"]
        self._first_temperature = chosen if first_temperature is None else first_temperature
        self._visits_to_scout = scouting
        self._least = LEAST_CHANCE

    def start(self, streams: Streams) -> None:
        """Forgets everything.

        Raises:
            ValueError: the runs' memories would not fit into `LARGEST` bytes.
        """
        shape = (streams.n, streams.n_observations, streams.n_actions)
        need = streams.n * 8 * streams.n_actions * streams.n_observations**2
        if need > LARGEST:
            raise ValueError(
                f"omnirl needs {need / 2**30:.0f} GiB to remember {streams.n} runs with"
                f" {streams.n_observations} observations; play fewer tasks at once"
            )
        self._rng = streams.seeds.copy()
        self._memory: Memory = empty_memory(*shape)
        familiar = self._familiar = streams.env_id.startswith("AnyMDP-")
        self._memory.familiar[:] = familiar
        small = familiar and SMALLEST <= streams.n_observations <= LARGEST_SMALL
        self._playing = self._small if small and self._small is not None else self._planner
        given = self._visits_to_scout
        self._scouting = SCOUTING[familiar] if given is None else given
        self._reading = empty_reading(min(_BATCH, streams.n), *shape[1:])
        self._preference = np.zeros(shape)
        self._scouted = np.zeros(shape[:2], np.int64)
        self._scout_rng = streams.seeds ^ _APART
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
        """Writes the step of every run, and that those of the runs `shown` were a demonstrator's."""
        self._playing = self._planner  # the small sizes' weights know no demonstrator
        self.learn(observation, action, reward, next_observation, terminated, truncated)
        show_all(self._memory, observation, action, shown)

    def policy(self) -> None:
        """No table is needed: every episode counts."""
        return None

    @property
    def memory_bytes(self) -> int:
        """Size of the memory of all runs; constant from `start` on."""
        return sum(array.nbytes for array in self._memory)

    def save_context(self, path: str | os.PathLike[str]) -> None:
        """Writes all that the runs remember to `path` (safetensors), whole or not at all."""
        import torch

        arrays = {name: torch.from_numpy(array) for name, array in self._memory._asdict().items()}
        arrays["preference"] = torch.from_numpy(self._preference)
        arrays["scouted"] = torch.from_numpy(self._scouted)
        for name, rng in (("rng", self._rng), ("scout_rng", self._scout_rng)):
            arrays[name] = torch.from_numpy(rng.view(np.int64))
        numbers = {"steps": self._steps, "next_plan": self._next_plan}
        save_arrays(Path(path), arrays, {"context": numbers})

    def load_context(self, path: str | os.PathLike[str]) -> None:
        """Goes on from what `save_context` wrote; `start` was called with as many runs of the same size.

        Raises:
            ValueError: the file is no context, or of other runs; the message is one line.
        """
        arrays, numbers = load_arrays(Path(path))
        mine = {**self._memory._asdict(), "preference": self._preference}
        mine["scouted"] = self._scouted
        mine |= {"rng": self._rng.view(np.int64), "scout_rng": self._scout_rng.view(np.int64)}
        if "context" not in numbers or arrays.keys() != mine.keys():
            raise ValueError(f"{path} holds no context; give a file that save_context wrote")
        for name, array in mine.items():
            found = arrays[name].numpy()
            if (found.shape, found.dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"{path} is the context of other runs: {name} has shape {list(found.shape)},"
                    f" not {list(array.shape)}"
                )
        try:
            steps, next_plan = (int(numbers["context"][k]) for k in ("steps", "next_plan"))
        except (KeyError, TypeError, ValueError):
            steps = next_plan = -1
        if steps < 0 or next_plan < 0:
            raise ValueError(f"{path} is a context after no number of steps")
        for name, array in mine.items():
            array[:] = arrays[name].numpy()
        self._steps, self._next_plan = steps, next_plan
        if self._memory.shown.any():
            self._playing = self._planner

    def _plan(self) -> None:
        """Preferences of every run, state and action from the memory as it stands."""
        n = len(self._preference)
        begun = self._steps < self._scouting * self._preference[0].size
        scouting = np.full(n, begun)
        scout(self._memory, np.flatnonzero(scouting), self._scout_rng, self._scouted)
        for begin in range(0, n, _BATCH):
            runs = np.arange(begin, min(begin + _BATCH, n))
            read(self._memory, runs, self._reading)
            cool = settling if self._familiar else temperature
            warmth = cool(self._first_temperature, self._steps, self._preference[0].size)
            self._preference[runs] = blend(
                self._logits(len(runs)), np.full(len(runs), warmth), self._scouted[runs],
                scouting[runs], self._least,
            )  # fmt: skip

    def _logits(self, rows: int) -> Float64s:
        import torch

        tensors: list[Any] = [torch.from_numpy(array[:rows]) for array in self._reading]
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a plan is small: threads would wait for each other, not work
        try:
            with torch.inference_mode():
                out: Float64s = self._playing(*tensors).logit.double().numpy()
        finally:
            torch.set_num_threads(threads)
        return out


def omnirl_anymdp(checkpoint: str | None = None) -> OmniRL:
    """The same network trained on AnyMDP tasks alone, as the paper's OmniRL (AnyMDP) was."""
    return OmniRL(checkpoint, weights="omnirl-anymdp")


def omnirl_garnet(checkpoint: str | None = None) -> OmniRL:
    """The same network trained on Garnet tasks alone, as the paper's OmniRL (Garnet) was."""
    return OmniRL(checkpoint, weights="omnirl-garnet")
