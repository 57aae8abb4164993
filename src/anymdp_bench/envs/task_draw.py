"""The draw of a new task at every reset, for agents that learn to learn.

By default the task seeds are drawn from 2**32 to 2**63 - 1, which is where training data comes from. So an
agent that is trained this way has never seen a public task. A caller who gives `task_seeds` decides alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.tasks.family import PUBLIC_SEEDS
from anymdp_bench.tasks.keywords import parse_task_seed
from anymdp_bench.tasks.source import TaskSource

TRAINING_SEEDS = range(PUBLIC_SEEDS, 2**63)
_KEPT = 1024  # tasks that are kept for the next time that their seeds are drawn


class TaskDraw:
    """Draws task seeds, and makes their tasks.

    Args:
        source: the family with its keywords.
        seeds: the seeds to draw from, with equal probabilities; see `parse_pool`.

    Raises:
        TaskError: every seed gives the same task.
    """

    def __init__(self, source: TaskSource, seeds: Sequence[int]) -> None:
        if not source.is_sampled:
            raise TaskError(
                f"{source.family.name}: every task seed gives the same task here, so new_task_every_reset"
                " draws nothing; leave it out"
            )
        self._source = source
        self._seeds = seeds
        self._known: dict[int, TabularMDP] = {}

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_known": {}}

    def draw(self, generator: np.random.Generator) -> int:
        """Draws a task seed."""
        return self._seeds[int(generator.integers(_count(self._seeds)))]

    def make(self, seeds: Sequence[int]) -> list[TabularMDP]:
        """Makes the tasks of seeds, in threads where there are several.

        The latest 1024 are kept, so that a small pool is sampled once.
        """
        missing = [seed for seed in dict.fromkeys(seeds) if seed not in self._known]
        made = dict(zip(missing, self._source.sample_many(missing), strict=True))
        found = [made[seed] if seed in made else self._known[seed] for seed in seeds]
        self._known |= made
        while len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return found


def parse_pool(task_seeds: Any) -> Sequence[int]:
    """Returns the seeds to draw from.

    Args:
        task_seeds: a range or several seeds. None means `TRAINING_SEEDS`.

    Raises:
        TaskError: they are no seeds, or there is none.
    """
    if task_seeds is None:
        return TRAINING_SEEDS
    if not isinstance(task_seeds, Iterable):
        raise TaskError(
            f"task_seeds is {task_seeds!r:.60}; with new_task_every_reset give the seeds to draw from, as"
            " range(1000), or a list"
        )
    if isinstance(task_seeds, range) and len(task_seeds[:1]):
        parse_task_seed(min(task_seeds[0], task_seeds[-1]))
        parse_task_seed(max(task_seeds[0], task_seeds[-1]))
        return task_seeds
    seeds = [parse_task_seed(seed) for seed in task_seeds]
    if not seeds:
        raise TaskError("task_seeds is empty; give the seeds to draw from, as range(1000)")
    return seeds


def _count(seeds: Sequence[int]) -> int:
    """Returns the number of seeds; `len` refuses ranges of 2**63 and more."""
    if isinstance(seeds, range):
        return (seeds[-1] - seeds[0]) // seeds.step + 1
    return len(seeds)
