"""Whether a submission holds all of its suite: every task, run and test point, and nothing besides.

The evaluation decides what a run looks like: see `anymdp_bench.evaluation` and docs/concepts.md.
"""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.evaluation import test_points
from anymdp_bench.leaderboard.submission import Submission
from anymdp_bench.results.schema import RecordError, group_runs
from anymdp_bench.suites import Limits
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.tasks.task import Task

Tasks = dict[tuple[str, int], Task]
"""The suite's tasks by (env_id, task seed)."""

ENVIRONMENTS_AT_ONCE = 64
"""The most copies of a task that a learner may step at once; the steps of all of them count."""


def check_completeness(found: Submission) -> Tasks:
    """Checks that the runs are the suite's, each to the end of its budget; returns the suite's tasks.

    Raises:
        RecordError: one line naming file, line, column and cure.
    """
    frame, suite = found.frame, found.suite
    outside = ~frame["env_id"].isin([row.env_id for row in suite.rows]).to_numpy()
    found.require(outside, "env_id", f"is not in suite {suite.name}", "leave it out")
    tasks: Tasks = {}
    wanted: dict[tuple[str, int, int], None] = {}
    for row in suite.rows:
        if not (frame["env_id"] == row.env_id).any():
            raise RecordError(
                f"{found.path}: column 'env_id': no row of {row.env_id}, which suite {suite.name} has;"
                " run the whole suite"
            )
        kept, _ = select_tasks(task_source(row.env_id), row.tasks)
        tasks |= {(row.env_id, task.seed): task for task in kept}
        wanted |= {(row.env_id, task.seed, k): None for task in kept for k in range(row.runs)}
    _check_measure(found)
    order, starts = group_runs(frame)
    for rows in np.split(order, starts[1:]):
        first = frame.iloc[rows[0]]
        key = (str(first["env_id"]), int(first["task_seed"]), int(first["run_seed"]))
        if key not in wanted:
            _refuse_run(found, int(rows[0]), key, wanted)
        del wanted[key]
        _check_run(found, rows, tasks[key[:2]])
    for env_id, task_seed, run_seed in wanted:
        raise RecordError(
            f"{found.path}: column 'task_seed': no row of {env_id}, task {task_seed}, run {run_seed};"
            " run the whole suite"
        )
    return tasks


def _refuse_run(
    found: Submission, row: int, key: tuple[str, int, int], wanted: dict[tuple[str, int, int], None]
) -> None:
    env_id, task_seed, run_seed = key
    seeds = list(dict.fromkeys(task for env, task, _ in wanted if env == env_id))
    if task_seed not in seeds:
        what = f"{task_seed} is no task of suite {found.suite.name} on {env_id}"
        raise found.fault(row, "task_seed", what, f"run with --task-seed-start 0: {seeds[:9]}...")
    what = f"{run_seed} is no run of suite {found.suite.name} on {env_id}"
    raise found.fault(row, "run_seed", what, "run with --seed 0")


def _check_measure(found: Submission) -> None:
    """Learners that train are tested; of the others every episode counts."""
    counted = (found.frame["measure"] == "episode").to_numpy()
    trains = found.context == "none"
    what = f"does not go with context {found.context}"
    fix = "a learner that trains is tested, of an in-context one every episode counts"
    found.require(counted if trains else ~counted, "measure", what, fix)


def _check_run(found: Submission, rows: Int64s, task: Task) -> None:
    """Checks one run's episodes and steps: those of the protocol, to the end of the budget."""
    limits, horizon = found.limits, task.max_steps
    episode = found.frame["episode"].to_numpy()[rows]
    steps = found.frame["steps"].to_numpy()[rows]
    trains = found.context == "none"
    at_once = ENVIRONMENTS_AT_ONCE if trains else 1
    if limits.steps and steps[-1] >= limits.steps + at_once:
        past = int(rows[np.argmax(steps >= limits.steps + at_once)])
        raise found.fault(past, "steps", f"beyond the budget of {limits.steps}", "run the suite")
    due = _due(found, rows)
    shared = min(len(due), len(episode))
    wrong = np.flatnonzero(episode[:shared] != due[:shared])
    if len(wrong) or len(episode) > len(due):
        k = int(wrong[0]) if len(wrong) else len(due)
        what = f"{episode[k]} where " + (
            f"{due[k]} is due" if k < len(due) else "the budget is over"
        )
        raise found.fault(int(rows[k]), "episode", what, "leave the file as `run` wrote it")
    if not _is_whole(limits, episode, steps, due, horizon, at_once):
        what = f"the run ends at episode {episode[-1]}, step {steps[-1]}, before its budget does"
        raise found.fault(int(rows[-1]), "episode", what, "run the whole suite")
    _check_steps(found, rows, horizon)


def _due(found: Submission, rows: Int64s) -> Int64s:
    """Returns the episodes of a run that have a row, if its steps last: all, or a learner's test points."""
    limits, episode = found.limits, found.frame["episode"].to_numpy()[rows]
    if found.context != "none":
        return np.arange(1, (limits.episodes or episode[-1]) + 1)
    due = test_points(limits.episodes or limits.steps)
    if found.frame["measure"].iloc[rows[0]] != "test":
        return due
    hundreds: Int64s = due[due % 100 == 0]
    if limits.steps and len(episode) == 1 and episode[0] < hundreds[0]:
        return np.concatenate(
            [episode, hundreds]
        )  # cut before its first test, so tested at its end
    return hundreds


def _is_whole(
    limits: Limits, episode: Int64s, steps: Int64s, due: Int64s, horizon: int, at_once: int
) -> bool:
    """Tells whether a run may end here: nothing more is due, or its steps may not last until something is."""
    if len(episode) == len(due) and limits.episodes is not None:
        return True
    if limits.steps is None:
        return False
    missing = due[len(episode)] - episode[-1] if len(episode) < len(due) else 1
    unfinished = (at_once - 1) * horizon  # of other streams
    return bool(steps[-1] + missing * horizon + unfinished > limits.steps)


def _check_steps(found: Submission, rows: Int64s, horizon: int) -> None:
    """An episode takes at least one step and at most the horizon."""
    episode = found.frame["episode"].to_numpy()[rows]
    steps = found.frame["steps"].to_numpy()[rows]
    slack = ENVIRONMENTS_AT_ONCE * horizon if found.context == "none" else 0
    episodes, taken = np.diff(episode, prepend=0), np.diff(steps, prepend=0)
    wrong = (steps < episode) | (steps > episode * horizon + slack)
    if not slack:
        wrong |= (taken < episodes) | (taken > episodes * horizon)
    if wrong.any():
        k = int(wrong.argmax())
        what = f"{steps[k]} steps by episode {episode[k]}, where an episode has 1 to {horizon}"
        raise found.fault(int(rows[k]), "steps", what, "leave the file as `run` wrote it")
