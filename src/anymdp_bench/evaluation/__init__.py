"""Evaluation: any agent plays any task, and the evaluation keeps the scores and the counts.

A learner that trains is stopped at test points. If its policy is a table, the exact expected score of the
table is computed, and this costs no steps. For an in-context agent every episode is scored, with the
control variate of `anymdp_bench.scoring`.
"""

from anymdp_bench.evaluation.compiled import play_compiled
from anymdp_bench.evaluation.demonstrations import CONTEXTS, Demonstrations
from anymdp_bench.evaluation.in_context import play_in_context
from anymdp_bench.evaluation.independent_learners import IndependentLearners
from anymdp_bench.evaluation.learners import play_training
from anymdp_bench.evaluation.loop import FinishedEpisode, Interaction
from anymdp_bench.evaluation.renumbered import RenumberedTask, renumber
from anymdp_bench.evaluation.runs import (
    Budget,
    Curve,
    Report,
    Run,
    expected_return,
    make_simulator,
    run_batch,
    test_points,
)
from anymdp_bench.evaluation.stepped import SteppedAgent

__all__ = [
    "CONTEXTS",
    "Budget",
    "Curve",
    "Demonstrations",
    "FinishedEpisode",
    "IndependentLearners",
    "Interaction",
    "RenumberedTask",
    "Report",
    "Run",
    "SteppedAgent",
    "expected_return",
    "make_simulator",
    "play_compiled",
    "play_in_context",
    "play_training",
    "renumber",
    "run_batch",
    "test_points",
]
