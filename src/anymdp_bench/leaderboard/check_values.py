"""Whether a submission's numbers are possible: each is compared with its task, sampled again from its seed.

- The score is the corrected return on the task's own scale, and `gap` is the task's gap.
- An exact test is the expected return of a stationary policy: it lies between the least and the most that
  any policy earns in H steps, by dynamic programming.
- Of a played episode, the corrected return lies between the oracle's and the least and largest sum of the
  oracle's advantages over any possible trajectory, again by dynamic programming. (On the Pendulum both are
  returns from the same start, and the bound is loose.)
- The regret of an in-context run is the sum of what its episodes fell short of the oracle.

None of this proves that an agent played. `verify` plays it again.
"""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.leaderboard.check_completeness import Tasks
from anymdp_bench.leaderboard.submission import Submission
from anymdp_bench.results.schema import group_runs
from anymdp_bench.tasks.task import Task

_RELATIVE = 1e-7  # of the numbers themselves: other platforms differ in the last digits


def check_values(found: Submission, tasks: Tasks) -> None:
    """Recomputes what can be recomputed.

    Raises:
        RecordError: one line naming file, line, column and cure.
    """
    order, starts = group_runs(found.frame)
    ranges: dict[tuple[str, int, str], tuple[float, float]] = {}
    for rows in np.split(order, starts[1:]):
        first = found.frame.iloc[rows[0]]
        env_id, seed, measure = str(first["env_id"]), int(first["task_seed"]), str(first["measure"])
        task = tasks[env_id, seed]
        if (env_id, seed, measure) not in ranges:
            ranges[env_id, seed, measure] = task.corrected_range(measure)
        _check_scale(found, rows, task)
        _check_range(found, rows, task, ranges[env_id, seed, measure])
        _check_regret(found, rows, task)


def _tolerance(task: Task, value: Float64s) -> Float64s:
    """Returns how far two computations of `value`, in units of return, may lie apart."""
    scale = task.references
    size = np.maximum(abs(value), max(abs(scale.oracle), abs(scale.random), scale.gap))
    out: Float64s = _RELATIVE * size
    return out


def _check_scale(found: Submission, rows: Int64s, task: Task) -> None:
    frame, scale = found.frame, task.references
    corrected = frame["return_corrected"].to_numpy()[rows]
    score, gap = frame["score"].to_numpy()[rows], frame["gap"].to_numpy()[rows]
    tolerance = _tolerance(task, corrected)
    wrong = np.flatnonzero(abs(scale.random + score * scale.gap - corrected) > tolerance)
    if len(wrong):
        k = int(wrong[0])
        expected = scale.score(float(corrected[k]))
        what = f"{score[k]:.9g}, but return_corrected is {expected:.9g} on this task's scale"
        raise found.fault(int(rows[k]), "score", what, "leave the file as `run` wrote it")
    if not np.isnan(gap[0]) and abs(gap[0] - scale.gap) > _tolerance(task, gap[:1])[0]:
        what = f"{gap[0]:.9g}, but this task's gap is {scale.gap:.9g}"
        raise found.fault(int(rows[0]), "gap", what, "leave the file as `run` wrote it")


def _check_range(found: Submission, rows: Int64s, task: Task, limits: tuple[float, float]) -> None:
    frame, (low, high) = found.frame, limits
    corrected, plain = (frame[name].to_numpy()[rows] for name in ("return_corrected", "return"))
    tolerance = _tolerance(task, corrected)
    wrong = np.flatnonzero((corrected < low - tolerance) | (corrected > high + tolerance))
    if len(wrong):
        k = int(wrong[0])
        what = f"{corrected[k]:.9g}, but on this task it lies in {low:.9g}..{high:.9g}"
        raise found.fault(int(rows[k]), "return_corrected", what, "no agent can do that")
    if frame["measure"].iloc[rows[0]] == "exact" and (abs(plain - corrected) > tolerance).any():
        k = int(np.argmax(abs(plain - corrected) > tolerance))
        what = f"{plain[k]:.9g}, but an exact test has no noise to correct ({corrected[k]:.9g})"
        raise found.fault(int(rows[k]), "return", what, "leave the file as `run` wrote it")


def _check_regret(found: Submission, rows: Int64s, task: Task) -> None:
    regret = found.frame["regret"].to_numpy()[rows]
    if found.context == "none" or np.isnan(regret[0]):
        return
    lost = task.references.oracle - found.frame["return_corrected"].to_numpy()[rows]
    expected = np.cumsum(lost)
    tolerance = _tolerance(task, np.cumsum(abs(lost))) * np.sqrt(len(rows))
    wrong = np.flatnonzero(abs(regret - expected) > tolerance)
    if len(wrong):
        k = int(wrong[0])
        what = f"{regret[k]:.9g}, but the episodes so far fell short by {expected[k]:.9g}"
        raise found.fault(int(rows[k]), "regret", what, "leave the file as `run` wrote it")
