"""The one interaction protocol: any agent, any task, the environment's own account (SPEC section 3).

A learner that trains is stopped at test points; where its policy is a table, the exact expected score
of that table is taken, free of charge. Of an in-context agent every episode counts, with the
variance-free score.
"""

from anymdp_bench.evaluation.compiled import play_fused
from anymdp_bench.evaluation.demonstrations import CONTEXTS, Demonstrations
from anymdp_bench.evaluation.in_context import play_in_context
from anymdp_bench.evaluation.independent_learners import Company
from anymdp_bench.evaluation.learners import play_training
from anymdp_bench.evaluation.runs import (
    Budget,
    Curve,
    Report,
    Run,
    expected_table_return,
    expected_tables_return,
    test_points,
)
from anymdp_bench.evaluation.simulator import Arena
from anymdp_bench.evaluation.simulators import make_arena
from anymdp_bench.evaluation.stepped import Unfused

__all__ = [
    "CONTEXTS",
    "Arena",
    "Budget",
    "Company",
    "Curve",
    "Demonstrations",
    "Report",
    "Run",
    "Unfused",
    "expected_table_return",
    "expected_tables_return",
    "make_arena",
    "play_fused",
    "play_in_context",
    "play_training",
    "test_points",
]
