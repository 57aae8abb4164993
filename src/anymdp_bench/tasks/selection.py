"""Which tasks are scored: those whose gap stands out from the noise of an oracle's episode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.tasks.family import TaskSource
from anymdp_bench.tasks.task import Task

_AHEAD = 128  # tasks that are scored at a time


def select_tasks(source: TaskSource, n: int, start: int = 0) -> tuple[list[Task], list[int]]:
    """The first `n` scorable tasks from seed `start` upward, and the seeds skipped on the way.

    A fixed task (one that every seed gives) is returned once, as seed 0, whether or not it is scorable.
    """
    if not source.is_sampled:
        return [source.task(0)], []
    kept: list[Task] = []
    skipped: list[int] = []
    if n == 0:
        return kept, skipped
    for task in _tasks(source, n, start):
        if task.references.is_scorable:
            kept.append(task)
        else:
            skipped.append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def select_seeds(source: TaskSource, n: int, start: int = 0) -> tuple[list[int], list[int]]:
    """(seeds, seeds skipped) of `select_tasks`, without keeping the tasks in memory."""
    if not source.is_sampled:
        return [0], []
    kept: list[int] = []
    skipped: list[int] = []
    for task in _tasks(source, n, start):
        (kept if task.references.is_scorable else skipped).append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def _tasks(source: TaskSource, n: int, start: int) -> Iterator[Task]:
    """Tasks in order of seed from `start` on, made in threads, a batch ahead of their use."""
    yield source.task(start)  # compiles before the threads start
    batch = min(2 * n, _AHEAD)
    with ThreadPoolExecutor(available_cores()) as pool:
        for begin in itertools.count(start + 1, batch):
            yield from pool.map(source.task, range(begin, begin + batch))
