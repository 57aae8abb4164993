"""Plays a plan into `--out`: finished units are kept as parts, the result file appears when all are there.

In the output directory, for a plan with stem X: `X.csv`, the result; `X.timing.json`, how long it took;
and while it runs `.X/`, holding `settings.json` and one part a finished unit. `.X.lock`, which is what
is locked, stays. Where runs failed, the result holds the others, its header names the failed ones, and
`.X/` stays too: the same command tries them again.
"""

from __future__ import annotations

import glob
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anymdp_bench.agents import RefusalError
from anymdp_bench.results.records import RunRecord, read_header, write_rows
from anymdp_bench.runner.executor import Executor, Report
from anymdp_bench.runner.output import OutputError, check_settings, claim, locked, writable
from anymdp_bench.runner.parts import load_part, save_part
from anymdp_bench.runner.plan import Plan, Unit
from anymdp_bench.runner.timing import Timing
from anymdp_bench.runner.unit import Played, play_unit
from anymdp_bench.runner.worker_pool import JobError, Lost

FAILED = "failed"
"""The header line of a result that names the runs which failed."""


class RunError(JobError):
    """Every run failed: the message says why the first did."""


@dataclass(frozen=True)
class Outcome:
    """Where the result is, how many units were played now, for how many seconds, and which failed why.

    `failed` has a line for each failed unit; `failed_runs` of `runs` runs were in them.
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
) -> Outcome:
    """Plays what is missing of `plan` and writes its result.

    Args:
        plan: what to play.
        out: the output directory; made if need be.
        executor: where it is played.
        command: the command line that reproduces the result; goes into its header.
        begin: called once with the number of units and of those that are there already.
        report: called as units get on.

    Raises:
        ExecutorError: workers cannot be had.
        OutputError: `out` cannot be written, is in use, or holds a result of other settings.
        RunError: every run failed.
        RefusalError: the agent cannot play an environment; what is finished is kept.
    """
    csv, work = out / f"{plan.stem}.csv", out / f".{plan.stem}"
    started = time.perf_counter()
    with writable(out), locked(out, plan.stem):
        _sweep(out, csv.name)
        if csv.exists():
            header = read_header(csv)
            check_settings(csv, header.get("settings"), plan)
            if FAILED not in header:
                shutil.rmtree(work, ignore_errors=True)
                begin(len(plan.units), len(plan.units))
                return Outcome(csv, 0, 0.0)
        claim(work, plan)
        timing = Timing()
        played, failed = _play(plan, work, executor, begin, report, timing)
        header = _header(plan, command, failed)
        write_rows(csv, _rows(plan, work, failed), header)
        timing.write(out / f"{plan.stem}.timing.json")
        if not failed:
            shutil.rmtree(work, ignore_errors=True)
    return Outcome(
        csv,
        played,
        time.perf_counter() - started,
        tuple(_where(plan, plan.units[k], why) for k, why in sorted(failed.items())),
        sum(len(plan.units[k].runs) for k in failed),
        sum(len(unit.runs) for unit in plan.units),
    )


def _sweep(out: Path, name: str) -> None:
    """Removes what drivers that died left half-written."""
    for torn in out.glob(f".{glob.escape(name)}.*.tmp"):
        torn.unlink()


def _part(work: Path, index: int) -> Path:
    return work / f"{index:06d}.part"


def _play(
    plan: Plan,
    work: Path,
    executor: Executor,
    begin: Callable[[int, int], None],
    report: Report,
    timing: Timing,
) -> tuple[int, dict[int, str]]:
    """Plays the units without a part; (number played, the failed ones with reasons)."""
    units = list(enumerate(plan.units))
    missing = [(k, unit) for k, unit in units if load_part(_part(work, k), unit) is None]
    begin(len(units), len(units) - len(missing))
    failed: dict[int, str] = {}
    work_on = partial(play_unit, plan.agent, plan.budget)
    with closing(executor.run(work_on, missing, report)) as answers:  # ends workers at once
        for k, answer in answers:
            if isinstance(answer, Lost):
                if answer.refused:
                    raise RefusalError(_where(plan, plan.units[k], answer.reason))
                failed[k] = answer.reason
                continue
            save_part(_part(work, k), plan.units[k], _records(plan, plan.units[k], answer))
            timing.add(answer)
            report(k, 1.0, _last_score(answer))
    if failed and len(failed) == len(units):
        first = min(failed)
        more = f" (and {len(failed) - 1} more units like it)" if len(failed) > 1 else ""
        raise RunError(_where(plan, plan.units[first], failed[first]) + more)
    return len(missing), failed


def _where(plan: Plan, unit: Unit, reason: str) -> str:
    """A failure in one line."""
    task, run = unit.runs[0]
    others = f" and {len(unit.runs) - 1} other runs" if len(unit.runs) > 1 else ""
    where = f"{unit.env_id}, task seed {task}, run seed {run}{others}"
    return f"agent {plan.agent.name} on {where}: {' '.join(reason.split())}"


def _rows(plan: Plan, work: Path, failed: dict[int, str]) -> Iterator[str]:
    """The rows of the result, unit by unit.

    Raises:
        OutputError: a part is gone, or there is no row at all.
    """
    some = False
    for k, unit in enumerate(plan.units):
        if k in failed:
            continue
        rows = load_part(_part(work, k), unit)
        if rows is None:
            raise OutputError(
                f"{_part(work, k)} was removed or changed; run the same command again"
            )
        some = some or bool(rows)
        yield rows
    if not some:
        raise OutputError(_nothing(plan))


def _nothing(plan: Plan) -> str:
    """Why a plan can be played to its end without a row."""
    if plan.budget.steps is not None:
        return f"no run reached a scored episode within {plan.budget.steps} steps; raise --steps"
    return (
        f"{plan.budget.episodes} episodes hold no test point of this learner; give --episodes 100"
    )


def _last_score(played: Played) -> float:
    scores = [curve.score[-1] for curve in played.curves if len(curve.score)]
    return float(sum(scores) / len(scores)) if scores else float("nan")


def _records(plan: Plan, unit: Unit, played: Played) -> list[RunRecord]:
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
            unit.runs, played.curves, played.gaps, strict=True
        )
    ]


def _header(plan: Plan, command: str, failed: dict[int, str]) -> dict[str, str]:
    skipped = {env: seeds for env, seeds in plan.skipped.items() if seeds}
    header = {"command": command, "settings": json.dumps(plan.settings)}
    if skipped:
        header["skipped task seeds"] = json.dumps(skipped)
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
