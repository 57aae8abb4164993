"""anymdp-bench: a Gymnasium benchmark for agents that learn within a task.

Importing this package registers every environment id with Gymnasium. The names below load what they need on
first use, so that the import itself stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anymdp_bench.engine.compile_cache import choose_folder
from anymdp_bench.envs.registration import register_all
from anymdp_bench.lazy_names import load_lazily

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

__getattr__, __dir__ = load_lazily(
    __name__,
    {
        "mdp": ["TabularMDP", "TaskError"],
        "results.results": ["Results"],
        "runner.evaluate": ["evaluate"],
        "envs.make": ["make", "make_vec"],
        "mdp.solution": [
            "Solution",
            "expected_return",
            "return_moments",
            "solve",
            "stationary_distribution",
        ],
        "tasks.switch2.env": ["switch2_parallel_env"],
        "tasks.family": ["sample_task", "sample_tasks"],
        "tasks.hardness": ["task_table"],
    },
)


choose_folder()  # before the first kernel is defined
register_all()
