"""Plays a plan into an output directory.

For a plan with stem X the directory holds:

    X.csv           the result; it appears when all units are there
    X.timing.json   how long it took
    .X/             while it runs: `settings.json`, and one part for each finished unit
    .X.lock         the file that is locked; it stays

Where runs failed, the result holds the other runs, its header names the failed ones, and `.X/` stays: the
same command tries the failed runs again.
"""

from __future__ import annotations

import glob
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anymdp_bench.agents import RefusalError
from anymdp_bench.results.records import RunRecord, read_header, write_rows
from anymdp_bench.results.schema import PROTOCOL
from anymdp_bench.runner.executor import Executor, Report
from anymdp_bench.runner.output import OutputError, check_settings, claim, lock_result, writable
from anymdp_bench.runner.parts import load_part, save_part
from anymdp_bench.runner.plan import Plan, Unit
from anymdp_bench.runner.timing import Timing
from anymdp_bench.runner.unit import UnitResult, play_unit
from anymdp_bench.runner.worker_pool import JobError, JobFailed
from anymdp_bench.suites.protocols import DEFAULT_PROTOCOL

FAILED = "failed"
"""The key of the header line that names the runs which failed."""


class RunError(JobError, ValueError):
    """Every run failed. The message is the reason of the first."""


@dataclass(frozen=True)
class Outcome:
    """What `run_plan` did.

    Attributes:
        csv: the result file.
        played: number of units that were played now.
        seconds: wall-clock seconds.
        failed: for each failed unit, one line that says where and why.
        failed_runs: number of runs in these units.
        runs: number of runs in all units.
    """

    csv: Path
    played: int
    seconds: float
    failed: tuple[str, ...] = ()
    failed_runs: int = 0
    runs: int = 0


def run_plan(
    plan: Plan,
    out: Path,
    *,
    executor: Executor = Executor(),  # noqa: B008 - frozen
    command: str,
    begin: Callable[[int, int], None] = lambda total, done: None,
    report: Report = lambda index, share, score: None,
    debug: bool = False,
) -> Outcome:
    """Plays the units of a plan that are missing, and writes its result.

    Args:
        plan: what to play.
        out: the output directory; it is made if there is none.
        executor: where the units are played.
        command: the command line that makes the result again; it goes into the file's header.
        begin: called once with the number of units, and of those that are there already.
        report: called while units are played.
        debug: whether the traceback of the first exception that an agent raises is printed on stderr.

    Raises:
        ExecutorError: workers cannot be started.
        OutputError: `out` cannot be written, is in use, or holds a result of other settings.
        RunError: every run failed.
        RefusalError: the agent cannot play an environment; the finished units are kept.
    """
    csv, work = out / f"{plan.stem}.csv", out / f".{plan.stem}"
    started = time.perf_counter()
    with writable(out), lock_result(out, plan.stem):
        _remove_torn_files(out, csv.name)
        if csv.exists():
            header = read_header(csv)
            check_settings(csv, header.get("settings"), plan)
            if FAILED not in header:
                shutil.rmtree(work, ignore_errors=True)
                begin(len(plan.units), len(plan.units))
                return Outcome(csv, 0, 0.0)
        claim(work, plan)
        timing = Timing()
        try:
            played, failed = _play_missing_units(plan, work, executor, begin, report, timing, debug)
        except (RunError, RefusalError):
            if not any(work.glob("*.part")):  # nothing to go on from
                shutil.rmtree(work, ignore_errors=True)
            raise
        header = _make_header(plan, command, failed)
        write_rows(csv, _read_rows(plan, work, failed), header)
        timing.write(out / f"{plan.stem}.timing.json")
        if not failed:
            shutil.rmtree(work, ignore_errors=True)
    return Outcome(
        csv,
        played,
        time.perf_counter() - started,
        tuple(_describe_failure(plan, plan.units[k], why) for k, why in sorted(failed.items())),
        sum(len(plan.units[k].runs) for k in failed),
        sum(len(unit.runs) for unit in plan.units),
    )


def _remove_torn_files(out: Path, name: str) -> None:
    """Removes half-written result files of processes that died."""
    for torn in out.glob(f".{glob.escape(name)}.*.tmp"):
        torn.unlink()


def _part_path(work: Path, index: int) -> Path:
    return work / f"{index:06d}.part"


def _play_missing_units(
    plan: Plan,
    work: Path,
    executor: Executor,
    begin: Callable[[int, int], None],
    report: Report,
    timing: Timing,
    debug: bool,
) -> tuple[int, dict[int, str]]:
    """Plays the units that have no part.

    Returns:
        The number of units that were played, and the reason for each unit that failed, by its index.
    """
    units = list(enumerate(plan.units))
    missing = [(k, unit) for k, unit in units if load_part(_part_path(work, k), unit) is None]
    begin(len(units), len(units) - len(missing))
    failed: dict[int, str] = {}
    exact_tests = plan.suite.rules.exact_tests
    play = partial(play_unit, plan.agent, plan.budget, exact_tests=exact_tests)
    with closing(executor.run(play, missing, report)) as answers:  # ends the workers at once
        for k, answer in answers:
            if isinstance(answer, JobFailed):
                if debug and answer.traceback:
                    print(answer.traceback, end="", file=sys.stderr)
                    debug = False
                if answer.refused:
                    raise RefusalError(_describe_failure(plan, plan.units[k], answer.reason))
                failed[k] = answer.reason
                continue
            save_part(_part_path(work, k), plan.units[k], make_records(plan, plan.units[k], answer))
            timing.add(answer)
            report(k, 1.0, _mean_last_score(answer))
    if failed and len(failed) == len(units):
        first = min(failed)
        more = f" (and {len(failed) - 1} more units like it)" if len(failed) > 1 else ""
        raise RunError(_describe_failure(plan, plan.units[first], failed[first]) + more)
    return len(missing), failed


def _describe_failure(plan: Plan, unit: Unit, reason: str) -> str:
    """Says in one line which runs failed, and why."""
    task, run = unit.runs[0]
    n_others = len(unit.runs) - 1
    others = f" and {n_others} other run{'s' if n_others > 1 else ''}" if n_others else ""
    place = f"{unit.env_id}, task seed {task}, run seed {run}{others}"
    return f"agent {plan.agent.name} on {place}: {' '.join(reason.split())}"


def _read_rows(plan: Plan, work: Path, failed: dict[int, str]) -> Iterator[str]:
    """Yields the rows of the result, unit by unit.

    Raises:
        OutputError: a part is gone, or there is no row at all.
    """
    has_rows = False
    for k, unit in enumerate(plan.units):
        if k in failed:
            continue
        rows = load_part(_part_path(work, k), unit)
        if rows is None:
            raise OutputError(
                f"{_part_path(work, k)} was removed or changed; run the same command again"
            )
        has_rows = has_rows or bool(rows)
        yield rows
    if not has_rows:
        raise OutputError(_explain_no_rows(plan))


def _explain_no_rows(plan: Plan) -> str:
    """Says why a plan was played to its end and gave no row."""
    if plan.budget.steps is not None:
        return f"no run reached a scored episode within {plan.budget.steps} steps; raise --steps"
    return (
        f"{plan.budget.episodes} episodes hold no test point of this learner; give --episodes 100"
    )


def _mean_last_score(result: UnitResult) -> float:
    scores = [curve.score[-1] for curve in result.curves if len(curve.score)]
    return float(sum(scores) / len(scores)) if scores else float("nan")


def make_records(plan: Plan, unit: Unit, result: UnitResult) -> list[RunRecord]:
    """Returns the records of a unit's runs, in the order of the unit."""
    return [
        RunRecord(
            suite=plan.suite.name,
            suite_hash=plan.suite.hash,
            agent=plan.agent.name,
            agent_version=plan.agent_version,
            env_id=unit.env_id,
            task_seed=task_seed,
            run_seed=run_seed,
            context=plan.context,
            measure=curve.measure,
            gap=gap,
            episode=curve.episode,
            steps=curve.steps,
            return_=curve.return_,
            return_corrected=curve.return_corrected,
            score=curve.score,
            regret=curve.regret,
        )
        for (task_seed, run_seed), curve, gap in zip(
            unit.runs, result.curves, result.gaps, strict=True
        )
    ]


def _make_header(plan: Plan, command: str, failed: dict[int, str]) -> dict[str, str]:
    skipped = {env: seeds for env, seeds in plan.skipped.items() if seeds}
    header = {"command": command, "settings": json.dumps(plan.settings)} | dict(plan.training)
    if skipped:
        header["skipped task seeds"] = json.dumps(skipped)
    if plan.suite.protocol != DEFAULT_PROTOCOL:
        header[PROTOCOL] = plan.suite.protocol
    if plan.privileged:
        header["privileged"] = "yes: this agent looks at the task; it is no leaderboard entry"
    if plan.tuned:
        header["tuned"] = "yes: this agent's settings were chosen for each environment"
    if failed:
        runs: dict[str, list[tuple[int, int]]] = {}
        for k in sorted(failed):
            runs.setdefault(plan.units[k].env_id, []).extend(plan.units[k].runs)
        header[FAILED] = json.dumps(runs)  # (task seed, run seed) of each
    return header
