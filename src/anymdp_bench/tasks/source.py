"""A family with its keywords makes tasks: the table, or the task with its references."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from anymdp_bench.engine.processors import available_cores
from anymdp_bench.tasks.declaration import TaskFamily, load_object
from anymdp_bench.tasks.id_text import join_env_id
from anymdp_bench.tasks.keywords import parse_task_seed, refuse_keyword

if TYPE_CHECKING:
    from anymdp_bench.mdp import TabularMDP
    from anymdp_bench.tasks.task import Task


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
            found: Mapping[str, inspect.Parameter] = load_object(self.family.parameters)(
                dict(self.keywords)
            )
            return found
        return read_parameters(load_object(self.family.task or self.family.sampler))

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
        return load_object(where)(seed, **dict(self.keywords))

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
        return partial(load_object(self.family.shaping), **dict(self.keywords))

    def grid(self) -> tuple[int, int] | None:
        """Returns (rows, columns) if the states are the cells of a grid, row by row; else None."""
        return None if self.family.grid is None else self.family.grid(dict(self.keywords))

    def recorded_seed(self, seed: int) -> int:
        """Returns the seed that results record: `seed`, or 0 if every seed gives the same task."""
        return int(seed) if self.is_sampled else 0


@lru_cache(maxsize=256)
def read_parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a function after the first one, which is the task seed, by name."""
    found = list(inspect.signature(function).parameters.values())[1:]
    return MappingProxyType({parameter.name: parameter for parameter in found})
