"""How the models of the studies of contexts are trained: on the same recorded runs in the same order.

Runs of the behaviour mixture are read segment by segment, all of them at once. Their memories are carried on,
and the gradient stops between segments. Each segment gives one update, on both losses. After `context_length`
steps new runs begin. Everything is drawn from the seed, so two models see the same steps in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.longcontext import Stream, training
from anymdp_bench.tasks.family import PUBLIC_SEEDS

FIRST_TASK = PUBLIC_SEEDS + 2**40
"""The seed of the first training task; training on n tasks takes the n from here on."""


@dataclass(frozen=True)
class ContextConfig:
    """How long a model is trained and on what.

    Attributes:
        n_states: S of the tasks tau(S, A).
        n_actions: A of them.
        runs: runs that are read at once.
        segment: steps between two updates.
        context_length: steps of a run, a multiple of `segment`.
        updates: updates in all, a multiple of `context_length / segment`.
        rate: peak of the learning rate; warm-up over 2% of the updates, then a cosine to 3%.
        tasks: number of training tasks; 0 means that each run has one of its own.
        seed: seed of weights and runs.
        following_share: share of the loss of the next observation, beside that of the oracle's action.
    """

    n_states: int
    n_actions: int
    runs: int
    segment: int
    context_length: int
    updates: int
    rate: float
    tasks: int = 0
    seed: int = 0
    following_share: float = 1.0

    @property
    def segments(self) -> int:
        """Segments of a run."""
        return self.context_length // self.segment

    @property
    def steps(self) -> int:
        """Environment steps read in all."""
        return self.updates * self.runs * self.segment

    @property
    def sequences(self) -> int:
        """Runs read in all."""
        return self.updates // self.segments * self.runs

    def make_data(self, round_number: int) -> Stream:
        """Returns the runs that are read in a round, `context_length` steps each."""
        first, n = round_number * self.runs, self.runs
        numbers = range(first, first + n)
        if not self.tasks:
            seeds = [FIRST_TASK + k for k in numbers]
            return training(self.n_states, self.n_actions, seeds, self.context_length)
        tasks = [_shuffle(k, self.tasks, self.seed) for k in numbers]
        seeds = [FIRST_TASK + task for task in tasks]
        draws = [k + 1 for k in numbers]
        return training(self.n_states, self.n_actions, seeds, self.context_length, draws)


def _shuffle(k: int, n: int, seed: int) -> int:
    """Returns item `k` of 0..n-1 shuffled, then shuffled again, and so on: every task comes equally often."""
    return int(_permutation(n, seed, k // n)[k % n])


@lru_cache(maxsize=2)
def _permutation(n: int, seed: int, number: int) -> Int64s:
    return np.random.default_rng([seed, number]).permutation(n)
