"""What a task family declares, how families are found, and `sample_task`.

A family is a package that has a `FAMILY` in its `__init__.py`. It is found if it is a folder of
`anymdp_bench.tasks`, or if an entry point in the group `anymdp_bench.tasks` names the package. A new family
changes no other file. A declaration is cheap to import. It names everything that needs the compiled engine
by a string, which is imported at its first use.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import anymdp_bench.tasks
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.spelling import offer
from anymdp_bench.tasks.id_text import join_env_id, split_env_id

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP
    from anymdp_bench.tasks.task import Task

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


@dataclass(frozen=True)
class TaskSource:
    """A family with its keywords. It makes a task from a task seed.

    Attributes:
        family: the family.
        keywords: (name, value) of each keyword, sorted by name.
    """

    family: TaskFamily
    keywords: tuple[tuple[str, Any], ...]

    @property
    def is_sampled(self) -> bool:
        """Whether task seeds give different tasks."""
        return self.family.sampled(dict(self.keywords))

    def sample(self, seed: int) -> TabularMDP:
        """Makes the table of the task with a seed.

        Args:
            seed: the task seed, from 0 to 2**64 - 1.

        Raises:
            TaskError: `seed` or the keywords make no task.
        """
        seed = self.recorded_seed(parse_task_seed(seed))
        task: TabularMDP = self._call(self.family.sampler, seed)
        return task

    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Returns the parameters that the family takes, by name, in the order of its function's signature."""
        if self.family.parameters is not None:
            found: Mapping[str, inspect.Parameter] = _load_object(self.family.parameters)(
                dict(self.keywords)
            )
            return found
        return read_parameters(_load_object(self.family.task or self.family.sampler))

    def settings(self) -> dict[str, Any]:
        """Returns the value of every parameter, defaults included, in the order of `parameters`.

        Raises:
            KeywordError: the family knows no parameter of a keyword's name.
            TaskError: a parameter without a default is missing.
        """
        parameters, given = self.parameters(), dict(self.keywords)
        is_open = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        named = {k: p for k, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
        for name in given:
            if name not in named and not is_open:
                refuse_keyword(self.family.name, name, named)
        missing = [name for name in self.required() if name not in given]
        if missing:
            self._refuse_missing(missing)
        settings = {k: given.get(k, p.default) for k, p in named.items()}
        return settings | {k: v for k, v in given.items() if k not in named}

    def required(self) -> list[str]:
        """Returns the names of the parameters that have no default."""
        closed = [p for p in self.parameters().values() if p.kind is not p.VAR_KEYWORD]
        return [p.name for p in closed if p.default is p.empty]

    def _refuse_missing(self, missing: list[str]) -> NoReturn:
        from anymdp_bench.mdp import TaskError

        example = join_env_id(next(iter(self.family.ids)), dict.fromkeys(self.required(), "..."))
        raise TaskError(
            f"{self.family.name}: give {', '.join(missing)} by keyword, or take an id of fixed size;"
            f" --env takes '{example}', in quotes"
        )

    def sample_many(self, seeds: Iterable[int], workers: int | None = None) -> list[TabularMDP]:
        """Makes the tables of several tasks in parallel threads. They are the same as one by one.

        Args:
            seeds: task seeds.
            workers: the number of threads, by default the number of cores. Samplers release Python's lock.

        Raises:
            TaskError: a seed or the keywords make no task.
        """
        wanted = list(seeds)
        count = 1 if len(wanted) < 2 else min(workers or available_cores(), len(wanted))
        if count == 1:
            return [self.sample(seed) for seed in wanted]
        first = self.sample(wanted[0])  # compiles before the threads start
        with ThreadPoolExecutor(count) as pool:
            return [first, *pool.map(self.sample, wanted[1:])]

    def _call(self, where: str, seed: int) -> Any:
        """Calls the function that "module:function" names, with keywords that fit it."""
        self.settings()
        return _load_object(where)(seed, **dict(self.keywords))

    def task(self, seed: int) -> Task:
        """Makes the task with a seed, together with its references, as the evaluation plays it.

        Args:
            seed: the task seed, from 0 to 2**64 - 1.

        Raises:
            TaskError: `seed` or the keywords make no task.
        """
        from anymdp_bench.scoring import compute_references
        from anymdp_bench.tasks.tabular import TabularTask

        if self.family.task is not None:
            task: Task = self._call(self.family.task, parse_task_seed(seed))
            return task
        mdp = self.sample(seed)
        return TabularTask(seed, mdp, compute_references(mdp), self.shaping(), self.grid())

    def shaping(self) -> Callable[..., Any] | None:
        """Returns the function shape(reward [n], terminated [n]) of the family, or None without shaping."""
        if self.family.shaping is None:
            return None
        return partial(_load_object(self.family.shaping), **dict(self.keywords))

    def grid(self) -> tuple[int, int] | None:
        """Returns (rows, columns) if the states are the cells of a grid, row by row; else None."""
        return None if self.family.grid is None else self.family.grid(dict(self.keywords))

    def recorded_seed(self, seed: int) -> int:
        """Returns the seed that results record: `seed`, or 0 if every seed gives the same task."""
        return int(seed) if self.is_sampled else 0


def _load_object(where: str) -> Any:
    """Imports the object that "module:name" names."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


@lru_cache(maxsize=256)
def read_parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a function after the first one, which is the task seed, by name."""
    found = list(inspect.signature(function).parameters.values())[1:]
    return MappingProxyType({parameter.name: parameter for parameter in found})


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


def refuse_keyword(family: str, name: str, known: Iterable[str] = ()) -> NoReturn:
    """Says that a family knows no keyword of this name.

    Args:
        family: the name of the family.
        name: the keyword.
        known: the keywords that there are.

    Raises:
        KeywordError: always.
    """
    from anymdp_bench.mdp import KeywordError

    names = list(known)
    hint = f"; {offer(name, names)}" if names else ""
    if name in ("task_seed", "task_seeds"):
        hint = ": a single environment takes task_seed, and the native vector of gym.make_vec task_seeds"
    raise KeywordError(f"{family}: got an unexpected keyword argument '{name}'{hint}") from None


def parse_task_seed(seed: Any) -> int:
    """Converts a task seed, an integer of Python or NumPy, to an int.

    Raises:
        TaskError: it is no integer from 0 to 2**64 - 1.
    """
    if getattr(seed, "shape", None) == ():  # a number of NumPy, or an array of no dimensions
        seed = seed.item()
    require_integer("task_seed", seed, 0, 2**64 - 1)
    return int(seed)


def require_integer(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Checks that a keyword is an integer in `least`..`most`.

    Args:
        name: the keyword's name.
        value: its value.
        least: the least value.
        most: the largest value, or None.

    Raises:
        TaskError: it is no such integer.
    """
    import numpy as np

    from anymdp_bench.mdp import TaskError

    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < least or (most is not None and value > most):
        upper = "upward" if most is None else f"to {most}"
        raise TaskError(f"{name} is {value!r}; give an integer from {least} {upper}")
