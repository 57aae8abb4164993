"""What a task family declares.

A declaration is cheap to import. It names everything that needs the compiled engine by a string, which is
imported at its first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


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
        # functions without a name cannot be pickled
        return load_object("anymdp_bench.tasks.family:find_family"), (self.name,)


def load_object(where: str) -> Any:
    """Imports the object that "module:name" names."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)
