"""Scores in units of the best policy of each task, which may depend on the steps that are left.

The scale of the score has the best stationary policy at 1. A policy that knows how many steps an episode has
left can pass it. Where a task is a table, its best policy and so its highest score are known exactly.
"""

import math
from functools import cache

import numpy as np
import pandas as pd

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.mdp.solution import optimal_return

_SAME = 1e-6  # of two gaps of one task that were computed apart


def highest_score(env_id: str, task_seed: int) -> float:
    """Computes the score of the best time-dependent policy of a task.

    NaN where the task is no table, and where the environment is none of this package.
    """
    return _solve(env_id, task_seed)[0]


@cache
def _solve(env_id: str, task_seed: int) -> tuple[float, float]:
    """Returns (the highest score of a task, its gap), both NaN where they are not known."""
    from anymdp_bench.tasks.family import task_source  # no other number needs the tasks

    try:
        task = task_source(env_id).task(task_seed)
    except (KeyError, ValueError):
        return math.nan, math.nan
    if task.table is None:
        return math.nan, math.nan
    return task.references.score(optimal_return(task.table)), task.references.gap


def compute_shares(finals: pd.DataFrame) -> Float64s:
    """Computes the final scores of runs, each as a share of the highest score of its task, [runs].

    NaN where the highest score is not known, and where the gap is not that of the task. So it is where the
    rules were others, such as longer episodes.

    Args:
        finals: a row for each run, with the columns `env_id`, `task_seed`, `score` and `gap`; a gap that is
            NaN was not recorded.
    """
    found = [
        _solve(str(env_id), int(seed))
        for env_id, seed in zip(finals["env_id"], finals["task_seed"], strict=True)
    ]
    highest, gaps = np.array(found, dtype=float).reshape(-1, 2).T
    recorded = finals["gap"].to_numpy(dtype=float)
    is_same = np.isnan(recorded) | np.isclose(recorded, gaps, rtol=_SAME)
    out: Float64s = finals["score"].to_numpy() / np.where(is_same, highest, np.nan)
    return out
