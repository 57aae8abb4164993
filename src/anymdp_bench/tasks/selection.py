"""Tasks with their references, and which tasks count."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring import References, references
from anymdp_bench.tasks.family import TaskSource
from anymdp_bench.tasks.pendulum.game import Pendulum
from anymdp_bench.tasks.switch2.game import Switch2

_AHEAD = 128  # tasks scored at a time, when looking for those that count


@dataclass(frozen=True)
class ScoredTask:
    """A task with its seed and references: a table that one agent plays, or another game."""

    seed: int
    game: TabularMDP | Pendulum | Switch2
    references: References

    @property
    def mdp(self) -> TabularMDP:
        """The task as a table; of Switch2, the joint one.

        Raises:
            TypeError: it is no table.
        """
        if isinstance(self.game, TabularMDP):
            return self.game
        if isinstance(self.game, Switch2):
            return self.game.mdp
        raise TypeError(f"{type(self.game).__name__} is no TabularMDP")

    @property
    def players(self) -> int:
        """Number of agents that play it."""
        return 1 if isinstance(self.game, TabularMDP) else self.game.players


def scored_task(source: TaskSource, seed: int) -> ScoredTask:
    """The task of `seed` with its references: exact, but for the Pendulum's, which were measured.

    Raises:
        TaskError: `seed` or the keywords make no task.
    """
    game = source.game()
    if game is None:
        mdp = source.sample(seed)
        return ScoredTask(seed, mdp, references(mdp))
    if isinstance(game, Pendulum):
        ends = References(game.oracle, game.oracle_sd, game.random, np.zeros(0, np.int64))
        return ScoredTask(seed, game, ends)
    return ScoredTask(seed, game, references(game.mdp))


def tasks_that_count(
    source: TaskSource, n: int, start: int = 0
) -> tuple[list[ScoredTask], list[int]]:
    """The first `n` tasks from seed `start` upward that count, and the seeds skipped on the way.

    A fixed task (one that every seed gives) is returned once, as seed 0, whether or not it counts.
    """
    if not source.sampled:
        return [scored_task(source, 0)], []
    kept: list[ScoredTask] = []
    skipped: list[int] = []
    if n == 0:
        return kept, skipped
    for task in _scored_tasks(source, n, start):
        if task.references.counts:
            kept.append(task)
        else:
            skipped.append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def seeds_that_count(source: TaskSource, n: int, start: int = 0) -> tuple[list[int], list[int]]:
    """(seeds, seeds skipped) of `tasks_that_count`, without keeping the tasks in memory."""
    if not source.sampled:
        return [0], []
    kept: list[int] = []
    skipped: list[int] = []
    for task in _scored_tasks(source, n, start):
        (kept if task.references.counts else skipped).append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def _scored_tasks(source: TaskSource, n: int, start: int) -> Iterator[ScoredTask]:
    """Scored tasks in order of seed from `start` on, computed in threads, a batch ahead of their use."""
    yield scored_task(source, start)  # compiles before the threads start
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from _ahead(pool, source, start + 1, min(2 * n, _AHEAD))


def _ahead(
    pool: ThreadPoolExecutor, source: TaskSource, start: int, batch: int
) -> Iterator[ScoredTask]:
    """Scored tasks in order of seed, computed a batch at a time."""
    for begin in itertools.count(start, batch):
        yield from pool.map(lambda seed: scored_task(source, seed), range(begin, begin + batch))
