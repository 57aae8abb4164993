"""How task families are found, and `sample_task`.

A family is a package that has a `FAMILY` in its `__init__.py`. It is found if it is a folder of
`anymdp_bench.tasks`, or if an entry point in the group `anymdp_bench.tasks` names the package. A new family
changes no other file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import anymdp_bench.tasks
from anymdp_bench.spelling import offer
from anymdp_bench.tasks.declaration import About, TaskFamily
from anymdp_bench.tasks.id_text import split_env_id
from anymdp_bench.tasks.source import TaskSource

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP

__all__ = [
    "GROUP",
    "PUBLIC_SEEDS",
    "About",
    "TaskFamily",
    "TaskSource",
    "env_ids",
    "families",
    "find_family",
    "sample_task",
    "sample_tasks",
    "task_source",
]

GROUP = "anymdp_bench.tasks"
"""The group of the entry points of task families."""

PUBLIC_SEEDS = 2**32
"""Task seeds below this number are public. Training data is drawn from this number upward."""


@cache
def families() -> dict[str, TaskFamily]:
    """Finds all families and returns them by name."""
    found = {}
    folders = (m for m in pkgutil.iter_modules(anymdp_bench.tasks.__path__) if m.ispkg)
    names = [f"{anymdp_bench.tasks.__name__}.{module.name}" for module in folders]
    names += [point.value for point in sorted(entry_points(group=GROUP))]
    for name in names:
        family = getattr(importlib.import_module(name), "FAMILY", None)
        if family is not None:
            found[family.name] = family
    return found


def find_family(name: str) -> TaskFamily:
    """Returns the family of this name."""
    return families()[name]


def env_ids() -> list[str]:
    """Returns the Gymnasium ids of all families."""
    return [env_id for family in families().values() for env_id in family.ids]


def task_source(env_id: str, **keywords: Any) -> TaskSource:
    """Returns the task source of an environment id.

    Args:
        env_id: a Gymnasium id. Parameters may follow, as in "AnyMDP-v0?n_states=24&n_actions=3".
        **keywords: those of `gym.make`. They override the parameters, and these override the keywords that
            the Gymnasium id fixes.

    Raises:
        KeyError: no family has this id.
        TaskError: a parameter is not written as NAME=VALUE.
    """
    base, parameters = split_env_id(env_id)
    for family in families().values():
        if base in family.ids:
            merged = dict(family.ids[base]) | parameters | keywords
            return TaskSource(family, tuple(sorted(merged.items())))
    raise KeyError(f"no tasks behind {base!r}; {offer(base, env_ids())}")


def sample_task(env_id: str, seed: int = 0, **keywords: Any) -> TabularMDP:
    """Samples the task that `gym.make(env_id, task_seed=seed, **keywords)` plays.

    Args:
        env_id: an environment id, with or without parameters.
        seed: the task seed.
        **keywords: those of `gym.make`.

    Raises:
        KeyError: no family has this id.
        TaskError: `seed` or the keywords make no task.
    """
    return task_source(env_id, **keywords).sample(seed)


def sample_tasks(
    env_id: str, seeds: Iterable[int], *, workers: int | None = None, **keywords: Any
) -> list[TabularMDP]:
    """Samples the tasks of several seeds in parallel threads. They are the same as one by one.

    Args:
        env_id: an environment id, with or without parameters.
        seeds: task seeds.
        workers: the number of threads, by default the number of cores. Samplers release Python's lock.
        **keywords: those of `gym.make`.

    Raises:
        KeyError: no family has this id.
        TaskError: a seed or the keywords make no task.
    """
    return task_source(env_id, **keywords).sample_many(seeds, workers)
