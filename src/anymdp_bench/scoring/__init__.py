"""The scale of a task: its exact references, and the score with its control variate."""

from anymdp_bench.scoring.references import (
    LEAST_GAP_IN_SD,
    ORACLE_GAMMA,
    References,
    compute_references,
    oracle_advantages,
)

__all__ = [
    "LEAST_GAP_IN_SD",
    "ORACLE_GAMMA",
    "References",
    "compute_references",
    "oracle_advantages",
]
