"""Starting contexts: what an in-context agent is shown before its scored steps (the paper's section 5).

A demonstrator plays whole episodes on the run's own task: the oracle, or the oracle with a share of uniform
random actions. These steps do not count as steps of the run. Each run has a random stream of its own for
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.rng import integer, uniform
from anymdp_bench.evaluation.runs import Run


@dataclass(frozen=True)
class Demonstrations:
    """Whole `episodes` of the oracle, of which each action is random with probability `noise`."""

    episodes: int
    noise: float


CONTEXTS: dict[str, Demonstrations | None] = {
    "empty": None,
    "offline": Demonstrations(100, 0.3),
    "imitation": Demonstrations(100, 0.0),
}


@njit(cache=True)
def _choose(best: Int64s, n_actions: int, noise: float, rng: UInt64s) -> Int64s:
    out = best.copy()
    for i in range(len(best)):
        if noise > 0.0 and uniform(rng, i) < noise:
            out[i] = integer(rng, i, n_actions)
    return out


class Demonstrator:
    """Plays the demonstrations of runs side by side."""

    def __init__(self, runs: Sequence[Run], demonstrations: Demonstrations) -> None:
        self.episodes = demonstrations.episodes
        self._noise = demonstrations.noise
        self._rng = np.concatenate([run.streams("demonstration") for run in runs])
        self._n_actions = runs[0].task.n_actions

    def actions(self, oracle: Int64s) -> Int64s:
        """The demonstrator's action in every stream, int64 [n], where the oracle's is `oracle`."""
        out: Int64s = _choose(oracle, self._n_actions, self._noise, self._rng)
        return out
