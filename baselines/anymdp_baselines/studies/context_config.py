"""A course of training on recorded runs, which the studies of contexts give to every model alike.

Runs of the behaviour mixture are read segment by segment, all of them at once, their memories carried on and
the gradient stopped between segments; one update a segment, on both losses. After a life, new runs begin.
Everything is drawn from the course's seed, so two models see the same steps in the same order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anymdp_bench.longcontext import Stream, training
from anymdp_bench.tasks.family import PUBLIC_SEEDS

FIRST_TASK = PUBLIC_SEEDS + 2**40
"""Seed of the first training task; a course with n tasks has the n from here on."""


@dataclass(frozen=True)
class Course:
    """How long and on what.

    Attributes:
        n_states: S of the tasks tau(S, A).
        n_actions: A.
        runs: read at once.
        segment: steps between two updates.
        life: steps of a run, a multiple of `segment`.
        updates: in all, a multiple of `life / segment`.
        rate: peak of AdamW's; warm-up over 2% of the updates, then a cosine to 3%.
        tasks: number of training tasks; 0: each run has one of its own.
        seed: of weights and runs.
    """

    n_states: int
    n_actions: int
    runs: int
    segment: int
    life: int
    updates: int
    rate: float
    tasks: int = 0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Environment steps read in all."""
        return self.updates * self.runs * self.segment

    @property
    def sequences(self) -> int:
        """Runs read in all."""
        return self.updates * self.segment // self.life * self.runs

    def data(self, life: int) -> Stream:
        """The runs of life number `life`."""
        first, n = life * self.runs, self.runs
        numbers = range(first, first + n)
        if not self.tasks:
            return training(
                self.n_states, self.n_actions, [FIRST_TASK + k for k in numbers], self.life
            )
        tasks = [_shuffled(k, self.tasks, self.seed) for k in numbers]
        seeds = [FIRST_TASK + task for task in tasks]
        return training(self.n_states, self.n_actions, seeds, self.life, [k + 1 for k in numbers])

    def rate_at(self, update: int) -> float:
        """The learning rate of an update."""
        warm = max(self.updates // 50, 10)
        if update < warm:
            return self.rate * (update + 1) / warm
        done = (update - warm) / max(self.updates - warm, 1)
        return self.rate * (0.03 + 0.97 * 0.5 * (1.0 + math.cos(math.pi * done)))


def _shuffled(k: int, n: int, seed: int) -> int:
    """Item `k` of 0..n-1 shuffled, then shuffled again, and so on: every task is met equally often."""
    return int(np.random.default_rng([seed, k // n]).permutation(n)[k % n])
