"""The choice of the tasks that are scored: their gap must stand out from the noise of an oracle's episode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.tasks.family import TaskSource
from anymdp_bench.tasks.task import Task

_AHEAD = 128  # the most tasks that are made ahead of their use


def select_tasks(source: TaskSource, n: int, start: int = 0) -> tuple[list[Task], list[int]]:
    """Returns the first `n` scorable tasks from seed `start` upward, and the seeds that were skipped.

    If every seed gives the same task, it is returned once, with seed 0, whether or not it is scorable.

    Args:
        source: the family with its keywords.
        n: how many tasks are wanted.
        start: the first task seed.

    Returns:
        (tasks, skipped seeds).
    """
    if not source.is_sampled:
        return [source.task(0)], []
    kept: list[Task] = []
    skipped: list[int] = []
    if n == 0:
        return kept, skipped
    for task in _make_tasks(source, n, start):
        if task.references.is_scorable:
            kept.append(task)
        else:
            skipped.append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def select_seeds(source: TaskSource, n: int, start: int = 0) -> tuple[list[int], list[int]]:
    """Does what `select_tasks` does, but returns (seeds, skipped seeds) and keeps no task in memory."""
    if not source.is_sampled:
        source.task(0)  # so that parameters which make no task are refused before a run
        return [0], []
    kept: list[int] = []
    skipped: list[int] = []
    for task in _make_tasks(source, n, start):
        (kept if task.references.is_scorable else skipped).append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def _make_tasks(source: TaskSource, n: int, start: int) -> Iterator[Task]:
    """Yields tasks in the order of their seeds from `start` on.

    Threads make them a batch ahead of their use.
    """
    yield source.task(start)  # compiles before the threads start
    batch = min(2 * n, _AHEAD)
    with ThreadPoolExecutor(available_cores()) as pool:
        for begin in itertools.count(start + 1, batch):
            yield from pool.map(source.task, range(begin, begin + batch))
