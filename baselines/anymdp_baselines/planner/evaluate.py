"""The online score on unseen public tasks, by the benchmark's protocol and variance-free score."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from anymdp_bench.agents import Agent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.evaluation import Budget, Run, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.task import Task


@cache
def _tasks(n_states: int, n_actions: int, n: int, start: int) -> list[Task]:
    source = task_source("AnyMDP-v0", n_states=n_states, n_actions=n_actions)
    return select_tasks(source, n, start)[0]


def online_scores(
    agent: Agent,
    n_states: int,
    n_actions: int,
    marks: Iterable[int],
    n_tasks: int = 64,
    start: int = 0,
) -> Float64s:
    """Mean score of each task at each mark, float64 [n_tasks, marks].

    At mark m it is the mean score of the episodes that end in the last tenth before step m; NaN
    where none does.

    Args:
        agent: an in-context agent.
        n_states: S of the tasks tau(S, A).
        n_actions: A of them.
        marks: steps.
        n_tasks: number of tasks that count, from task seed `start` upward.
        start: the first task seed.
    """
    ends = list(marks)
    env_id = f"AnyMDP-{n_states}s{n_actions}a-v0"
    tasks = _tasks(n_states, n_actions, n_tasks, start)
    runs = [Run(env_id, task, 0) for task in tasks]
    curves = play_in_context(agent, runs, Budget(steps=max(ends)))
    out = np.full((len(tasks), len(ends)), np.nan)
    for row, curve in zip(out, curves, strict=True):
        for k, end in enumerate(ends):
            inside = (curve.steps > 0.9 * end) & (curve.steps <= end)
            if inside.any():
                row[k] = curve.score[inside].mean()
    return out
