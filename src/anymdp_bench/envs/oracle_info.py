"""The options of `reset` that choose a task, and what the oracle knows about a task."""

from __future__ import annotations

from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import ORACLE_GAMMA, oracle_advantages
from anymdp_bench.tasks.source import TaskSource

OUTSIDE = -1  # the recorded task seed of a task that the caller gives


def parse_task_options(
    source: TaskSource, options: dict[str, Any]
) -> tuple[TabularMDP | None, int]:
    """Reads the task that the options of `reset` choose.

    Args:
        source: the family of the environment, with its keywords.
        options: the options of `reset`; "task_seed" or "task" chooses a task.

    Returns:
        (task, its recorded seed), or (None, 0) if the options choose no task.

    Raises:
        TaskError: the seed makes no task.
        ValueError: both "task" and "task_seed" are given, or "task" is no TabularMDP.
    """
    if "task" not in options and "task_seed" not in options:
        return None, 0
    if "task" in options and "task_seed" in options:
        raise ValueError("options has both 'task' and 'task_seed'; give one of them")
    if "task_seed" in options:
        seed = options["task_seed"]
        return source.sample(seed), source.recorded_seed(seed)
    task = options["task"]
    if not isinstance(task, TabularMDP):
        raise ValueError(f"options['task'] is a {type(task).__name__}; give a TabularMDP")
    return task, OUTSIDE


class OracleInfo:
    """What the oracle knows about a task: its action in each state, and the exact regret of each action.

    Args:
        task: the task.
    """

    def __init__(self, task: TabularMDP) -> None:
        self._policy: Int64s = solve(task, ORACLE_GAMMA).policy
        self._advantage: Float64s = oracle_advantages(task, self._policy)
        live = ~task.terminal
        self._by_id: Int64s = np.zeros(task.n_observations, np.int64)
        self._by_id[task.observation[live]] = self._policy[live]

    def action(self, state: np.int64) -> np.int64:
        """Returns the oracle's action in an inner state, and 0 in a terminal state."""
        return np.int64(self._policy[state])

    def action_at(self, observation: np.int64) -> np.int64:
        """Returns the oracle's action in the live state that shows `observation`."""
        return np.int64(self._by_id[observation])

    def regret(self, left: int, state: np.int64, action: np.int64 | int) -> float:
        """Returns the expected return that `action` loses against the oracle, with `left` steps left."""
        return float(-self._advantage[left, state, action])
