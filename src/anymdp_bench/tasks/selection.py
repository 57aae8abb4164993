"""The choice of the tasks that are scored: their gap must stand out from the noise of an oracle's episode."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.mdp import TaskError
from anymdp_bench.scoring.references import LEAST_GAP_IN_SD, ORACLE_GAMMA
from anymdp_bench.tasks.family import TaskSource
from anymdp_bench.tasks.task import Task

_AHEAD = 128  # the most tasks that are made ahead of their use
_PATIENCE = 1000  # tasks after which a family that has given none that counts is refused


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
        return [_make_fixed(source)], []
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


def select_seeds(
    source: TaskSource, n: int, start: int = 0, least_gap: float = LEAST_GAP_IN_SD
) -> tuple[list[int], list[int]]:
    """Does what `select_tasks` does, but returns (seeds, skipped seeds) and keeps no task in memory.

    Args:
        source: the family with its keywords.
        n: how many tasks are wanted.
        start: the first task seed.
        least_gap: a task counts if its gap is at least so many standard deviations of one oracle episode.
    """
    if not source.is_sampled:
        _make_fixed(source)  # so that what makes no task is refused before a run
        return [0], []
    kept: list[int] = []
    skipped: list[int] = []
    for task in _make_tasks(source, n, start, least_gap):
        (kept if task.references.stands_out(least_gap) else skipped).append(task.seed)
        if len(kept) == n:
            break
    return kept, skipped


def _make_fixed(source: TaskSource) -> Task:
    """Makes the only task of a source.

    Raises:
        TaskError: there is nothing to learn in it.
    """
    task = source.task(0)
    if task.references.gap <= 0.0:
        raise TaskError(
            f"{source.family.name}: the oracle earns no more than a random policy, so nothing can be scored;"
            f" the oracle maximises the return discounted by {ORACLE_GAMMA} without end, and its episodes end"
            f" after {task.max_steps} steps: give the task other rewards, or more steps"
        )
    return task


def _make_tasks(
    source: TaskSource, n: int, start: int, least_gap: float = LEAST_GAP_IN_SD
) -> Iterator[Task]:
    """Yields tasks in the order of their seeds from `start` on.

    Threads make them a batch ahead of their use.
    """
    first = source.task(start)  # compiles before the threads start
    yield first
    batch, counts = min(2 * n, _AHEAD), first.references.stands_out(least_gap)
    with ThreadPoolExecutor(available_cores()) as pool:
        for begin in itertools.count(start + 1, batch):
            for seed, task in enumerate(pool.map(source.task, range(begin, begin + batch)), begin):
                _check_size(source, first, task, seed)
                counts = counts or task.references.stands_out(least_gap)
                if not counts and seed - start >= _PATIENCE:
                    raise TaskError(
                        f"{source.family.name}: of the first {_PATIENCE} tasks none has a gap that stands out"
                        " from noise; give other tasks"
                    )
                yield task


def _check_size(source: TaskSource, first: Task, task: Task, seed: int) -> None:
    """Raises a `TaskError` if a task has another size than the first: all of an environment have one."""
    sizes = [(each.n_observations, each.n_actions) for each in (first, task)]
    if sizes[0] != sizes[1]:
        raise TaskError(
            f"{source.family.name}: task seed {seed} has (observations, actions) {sizes[1]}, another one"
            f" {sizes[0]}; give all tasks the same n_observations and number of actions"
        )
