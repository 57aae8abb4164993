"""The online score of an agent on unseen tasks, by the benchmark's evaluation and variance-free score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from anymdp_bench.agents import Agent
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.evaluation import Budget, Run, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.task import Task

HELD_OUT = 2**40  # the first task seed of evaluations, which are neither public nor trained on


@cache
def _tasks(n_states: int, n_actions: int, branching: int, n: int, start: int) -> list[Task]:
    size = {"n_states": n_states, "n_actions": n_actions}
    if branching:
        return select_tasks(task_source("Garnet-v0", **size, branching=branching), n, start)[0]
    return select_tasks(task_source("AnyMDP-v0", **size), n, start)[0]


def online_scores(
    agent: Agent,
    n_states: int,
    n_actions: int,
    ends: Sequence[int],
    n_tasks: int = 64,
    start: int = 0,
    branching: int = 0,
) -> Float64s:
    """Returns the mean score of each task by the steps played, float64 [n_tasks, len(ends)].

    For the entry m of `ends` it is the mean score of the episodes that end in the last tenth of the steps
    before m, and NaN where none does.

    Args:
        agent: an in-context agent.
        n_states: S of the tasks tau(S, A).
        n_actions: A of them.
        ends: numbers of steps.
        n_tasks: number of scorable tasks, from task seed `start` upward.
        start: the first task seed.
        branching: of Garnet's tasks; 0 for AnyMDP's.
    """
    env_id = "Garnet-v0" if branching else f"AnyMDP-{n_states}s{n_actions}a-v0"
    tasks = _tasks(n_states, n_actions, branching, n_tasks, start)
    runs = [Run(env_id, task, 0) for task in tasks]
    curves = play_in_context(agent, runs, Budget(steps=max(ends)))
    out = np.full((len(tasks), len(ends)), np.nan)
    for row, curve in zip(out, curves, strict=True):
        for k, end in enumerate(ends):
            inside = (curve.steps > 0.9 * end) & (curve.steps <= end)
            if inside.any():
                row[k] = curve.score[inside].mean()
    return out


def describe_scores(score: Float64s, ends: Sequence[int]) -> str:
    """Returns `online_scores` of held-out tasks in words."""
    parts = [
        f"{mean:.3f} (median {median:.3f}) at {end}"
        for mean, median, end in zip(
            np.nanmean(score, 0), np.nanmedian(score, 0), ends, strict=True
        )
    ]
    return f"online score on {len(score)} unseen tasks {', '.join(parts)} steps"
