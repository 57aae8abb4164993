"""Demonstrations: what an in-context agent sees before its scored steps (arXiv 2502.02869, section 5).

A demonstrator plays whole episodes on the task of the run. It is the oracle, or the oracle with a share of
uniform random actions. These steps do not count as steps of the run. Each run has its own random stream for
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
    """Whole episodes of the oracle with random actions between.

    Attributes:
        episodes: how many episodes are demonstrated.
        noise: the probability that an action is uniform random instead of the oracle's.
    """

    episodes: int
    noise: float


CONTEXTS: dict[str, Demonstrations | None] = {
    "empty": None,
    "offline": Demonstrations(100, 0.3),
    "imitation": Demonstrations(100, 0.0),
}
"""The demonstrations of each context; an empty context has none."""


@njit(cache=True)
def _choose(best: Int64s, n_actions: int, noise: float, rng: UInt64s) -> Int64s:
    out = best.copy()
    for i in range(len(best)):
        if noise > 0.0 and uniform(rng, i) < noise:
            out[i] = integer(rng, i, n_actions)
    return out


class Demonstrator:
    """Plays the demonstrations of runs side by side.

    Args:
        runs: the runs.
        demonstrations: what is demonstrated.
    """

    def __init__(self, runs: Sequence[Run], demonstrations: Demonstrations) -> None:
        self.episodes = demonstrations.episodes
        self._noise = demonstrations.noise
        self._rng = np.concatenate([run.streams("demonstration") for run in runs])
        self._n_actions = runs[0].task.n_actions

    def act(self, oracle: Int64s) -> Int64s:
        """Chooses the demonstrator's actions, int64 [n].

        Args:
            oracle: the oracle's actions, int64 [n].
        """
        out: Int64s = _choose(oracle, self._n_actions, self._noise, self._rng)
        return out
