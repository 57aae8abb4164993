"""Scores in units of the best policy of each task, which may depend on the steps that are left.

The scale of the score has the best stationary policy at 1. A policy that knows how many steps an episode has
left can pass it. Where a task is a table, its best policy and so its highest score are known exactly.
"""

from functools import cache

import numpy as np
import pandas as pd

from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.mdp.solution import optimal_return


@cache
def highest_score(env_id: str, task_seed: int) -> float:
    """Computes the score of the best time-dependent policy of a task; NaN where the task is no table."""
    from anymdp_bench.tasks.family import task_source  # no other number needs the tasks

    task = task_source(env_id).task(task_seed)
    if task.table is None:
        return float("nan")
    return task.references.score(optimal_return(task.table))


def compute_shares(finals: pd.DataFrame) -> Float64s:
    """Computes the final scores of runs, each as a share of the highest score of its task, [runs].

    Args:
        finals: a row for each run, with the columns `env_id`, `task_seed` and `score`.
    """
    highest = [
        highest_score(str(env_id), int(seed))
        for env_id, seed in zip(finals["env_id"], finals["task_seed"], strict=True)
    ]
    out: Float64s = finals["score"].to_numpy() / np.array(highest, dtype=float)
    return out
