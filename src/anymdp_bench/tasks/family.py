"""What a task family declares, how families are found, and `sample_task`.

A family is a package that has a `FAMILY` in its `__init__.py`. It is found if it is a folder of
`anymdp_bench.tasks`, or if an entry point in the group `anymdp_bench.tasks` names the package. A new family
changes no other file. A declaration is cheap to import. It names everything that needs the compiled engine
by a string, which is imported at its first use.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import anymdp_bench.tasks
from anymdp_bench.spelling import offer
from anymdp_bench.tasks.id_text import split_env_id
from anymdp_bench.tasks.source import TaskSource

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP

GROUP = "anymdp_bench.tasks"
"""The group of the entry points of task families."""

PUBLIC_SEEDS = 2**32
"""Task seeds below this number are public. Training data is drawn from this number upward."""


@dataclass(frozen=True)
class About:
    """A family in words, for its page in the documentation. Each text has a sentence or two.

    Attributes:
        summary: what the tasks are.
        observations: what the observations are.
        actions: what the actions are.
        rewards: what is rewarded.
        start: where an episode starts.
        end: how an episode ends.
        oracle: how the oracle is computed.
        shaping: how the rewards of in-context agents are shaped.
        history: the versions of the environments, one text for each.
    """

    summary: str
    observations: str
    actions: str
    rewards: str
    start: str
    end: str
    oracle: str
    shaping: str = "None: in-context agents are given the reward itself."
    history: tuple[str, ...] = ("v0: the first version (package 0.1.0).",)


@dataclass(frozen=True)
class TaskFamily:
    """The declaration of one kind of task.

    Attributes:
        name: the family's name.
        sampler: "module:function". The function is called as function(seed, **keywords) and returns a
            `TabularMDP`.
        ids: the Gymnasium ids, each with the keywords that it fixes.
        sampled: a function that tells from the keywords whether task seeds give different tasks. If they do
            not, the task seed is recorded as 0.
        env: "module:class" of the Gymnasium environment. A family without one is None, and is not registered.
        vector_env: "module:class", or a function, of the Gymnasium vector environment, or None.
        task: "module:function" for tasks that are more than a `TabularMDP` with one player; else None. The
            function is called as function(seed, **keywords) and returns a `tasks.task.Task`.
        parameters: "module:function" that is called as function(keywords) and returns the parameters that
            the family takes with these keywords, as `TaskSource.parameters` does; None for those in the
            signature of `task` or `sampler`.
        shaping: "module:function" that shapes the rewards of in-context agents; None for no shaping. The
            function is called as function(reward [n], terminated [n], **keywords) and returns the shaped
            rewards.
        grid: a function from the keywords to (rows, columns), if the states are the cells of a grid, row by
            row; else None.
        max_steps: the horizon, if it is the same in every task, for `max_episode_steps` of Gymnasium's specs;
            else None.
        held_out: a function that tells from the keywords whether the tasks are kept for tests, and must not
            be trained on.
        about: the family in words.
    """

    name: str
    sampler: str
    ids: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sampled: Callable[[Mapping[str, Any]], bool] = lambda keywords: True
    env: str | None = "anymdp_bench.envs.single:TabularEnv"
    vector_env: str | None = "anymdp_bench.envs.new_task_vector:make_vector"
    task: str | None = None
    parameters: str | None = None
    shaping: str | None = None
    grid: Callable[[Mapping[str, Any]], tuple[int, int]] | None = None
    max_steps: int | None = None
    held_out: Callable[[Mapping[str, Any]], bool] = lambda keywords: False
    about: About | None = None

    def __reduce__(self) -> tuple[Callable[[str], TaskFamily], tuple[str]]:
        return _find_family, (self.name,)  # functions without a name cannot be pickled


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


def _find_family(name: str) -> TaskFamily:
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
