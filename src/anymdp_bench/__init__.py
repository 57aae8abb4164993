"""anymdp-bench: a Gymnasium benchmark for agents that learn within a task.

Importing this package registers every environment id with Gymnasium. The names below load what they need on
first use, so that the import itself stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from anymdp_bench.engine.compile_cache import choose_folder
from anymdp_bench.envs.registration import register_all

if TYPE_CHECKING:
    from anymdp_bench.envs.make import make, make_vec
    from anymdp_bench.mdp import TabularMDP, TaskError
    from anymdp_bench.mdp.solution import (
        Solution,
        expected_return,
        return_moments,
        solve,
        stationary_distribution,
    )
    from anymdp_bench.results.results import Results
    from anymdp_bench.runner.evaluate import evaluate
    from anymdp_bench.tasks.family import sample_task, sample_tasks
    from anymdp_bench.tasks.hardness import task_table
    from anymdp_bench.tasks.switch2.env import switch2_parallel_env

__version__ = "0.1.0"

__all__ = [
    "Results",
    "Solution",
    "TabularMDP",
    "TaskError",
    "__version__",
    "evaluate",
    "expected_return",
    "make",
    "make_vec",
    "return_moments",
    "sample_task",
    "sample_tasks",
    "solve",
    "stationary_distribution",
    "switch2_parallel_env",
    "task_table",
]

_HOME = {
    "TabularMDP": "mdp",
    "TaskError": "mdp",
    "Results": "results.results",
    "evaluate": "runner.evaluate",
    "make": "envs.make",
    "make_vec": "envs.make",
    "Solution": "mdp.solution",
    "expected_return": "mdp.solution",
    "return_moments": "mdp.solution",
    "solve": "mdp.solution",
    "stationary_distribution": "mdp.solution",
    "switch2_parallel_env": "tasks.switch2.env",
    "sample_task": "tasks.family",
    "sample_tasks": "tasks.family",
    "task_table": "tasks.hardness",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))


choose_folder()  # before the first kernel is defined
register_all()
