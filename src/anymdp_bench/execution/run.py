"""Plays a plan into `--out`: finished units are kept as parts, the result file appears when all are there.

In the output directory, for a plan with stem X: `X.csv`, the result; `X.timing.json`, how long it took;
and while it runs `.X/`, holding `settings.json` and one part a finished unit. `.X.lock`, which is what
is locked, stays.
"""

from __future__ import annotations

import glob
import json
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from anymdp_bench.execution.local import Report, play_all
from anymdp_bench.execution.plan import Plan, Unit
from anymdp_bench.execution.play import Played
from anymdp_bench.records import (
    RecordError,
    RunRecord,
    load_part,
    read_header,
    save_part,
    write_csv,
)


class OutputError(ValueError):
    """An output directory that cannot be used: the message says why, and how to mend it."""


@dataclass(frozen=True)
class Outcome:
    """Where the result is, how many units were played now, and for how many seconds."""

    csv: Path
    played: int
    seconds: float


def run_plan(
    plan: Plan,
    out: Path,
    *,
    workers: int,
    command: str,
    begin: Callable[[int, int], None] = lambda total, done: None,
    report: Report = lambda index, share, score: None,
) -> Outcome:
    """Plays what is missing of `plan` and writes its result.

    Args:
        plan: what to play.
        out: the output directory; made if need be.
        workers: number of worker processes, 1: this process.
        command: the command line that reproduces the result; goes into its header.
        begin: called once with the number of units and of those that are there already.
        report: called as units get on.

    Raises:
        OutputError: `out` cannot be written, is in use, or holds a result of other settings.
        RunError: the agent raised or broke the contract; what is finished is kept.
        RefusalError: the agent cannot play an environment; what is finished is kept.
    """
    csv, work = out / f"{plan.stem}.csv", out / f".{plan.stem}"
    started = time.perf_counter()
    with writable(out), _locked(out, plan.stem):
        for torn in out.glob(
            f".{glob.escape(csv.name)}.*.tmp"
        ):  # of a driver that died while it wrote
            torn.unlink()
        if csv.exists():
            _same_settings(csv, read_header(csv).get("settings"), plan)
            shutil.rmtree(work, ignore_errors=True)
            begin(len(plan.units), len(plan.units))
            return Outcome(csv, 0, 0.0)
        _claim(work, plan)
        parts = {k: work / f"{k:06d}.part" for k in range(len(plan.units))}
        missing = [(k, plan.units[k]) for k in parts if not _is_part(parts[k], plan.units[k])]
        begin(len(parts), len(parts) - len(missing))
        spent: dict[int, Played] = {}
        for k, played in play_all(plan.agent, missing, plan.budget, workers, report):
            save_part(parts[k], _records(plan, plan.units[k], played))
            spent[k] = played
        records = [record for path in parts.values() for record in load_part(path)]
        if not records:
            raise OutputError(_nothing(plan))
        write_csv(csv, records, _header(plan, command))
        _write_timing(out / f"{plan.stem}.timing.json", spent, time.perf_counter() - started)
        shutil.rmtree(work, ignore_errors=True)
    return Outcome(csv, len(missing), time.perf_counter() - started)


def _nothing(plan: Plan) -> str:
    """Why a plan can be played to its end without a row."""
    if plan.budget.steps is not None:
        return f"no run reached a scored episode within {plan.budget.steps} steps; raise --steps"
    return (
        f"{plan.budget.episodes} episodes hold no test point of this learner; give --episodes 100"
    )


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


def _header(plan: Plan, command: str) -> dict[str, str]:
    skipped = {env: seeds for env, seeds in plan.skipped.items() if seeds}
    header = {"command": command, "settings": json.dumps(plan.settings)}
    if skipped:
        header["skipped task seeds"] = json.dumps(skipped)
    if plan.privileged:
        header["privileged"] = "yes: this agent looks at the task; it is no leaderboard entry"
    return header


def _same_settings(where: Path, found: str | None, plan: Plan) -> None:
    try:
        old = json.loads(found or "")
    except ValueError:
        raise OutputError(
            f"{where} names no settings; move it away, or give another --out"
        ) from None
    differ = [k for k, v in plan.settings.items() if old.get(k) != v]
    if differ:
        k = differ[0]
        raise OutputError(
            f"{where} has {k} {old.get(k)!r}, this command {plan.settings[k]!r};"
            " give another --out, or remove it"
        )


def _claim(work: Path, plan: Plan) -> None:
    """Makes the work directory this plan's, or checks that it is."""
    work.mkdir(exist_ok=True)
    settings = work / "settings.json"
    if settings.exists():
        _same_settings(settings, settings.read_text(encoding="utf-8"), plan)
        return
    fresh = work / "settings.new"
    fresh.write_text(json.dumps(plan.settings), encoding="utf-8")
    fresh.replace(settings)


def _is_part(path: Path, unit: Unit) -> bool:
    """Whether `path` holds the unit's finished runs; a broken part is played again."""
    if not path.exists():
        return False
    try:
        found = [(record.task_seed, record.run_seed) for record in load_part(path)]
    except RecordError:
        return False
    return found == list(unit.runs)


def _write_timing(path: Path, spent: dict[int, Played], wall: float) -> None:
    steps = sum(int(c.steps[-1]) for p in spent.values() for c in p.curves if len(c.steps))
    seconds = sum(p.seconds for p in spent.values())
    timing = {
        "wall_seconds": round(wall, 3),
        "worker_seconds": round(seconds, 3),
        "steps": steps,
        "steps_per_worker_second": round(steps / seconds) if seconds else None,
        "driver_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "worker_peak_mib": round(max((p.peak_mib for p in spent.values()), default=0)),
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(timing, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


@contextmanager
def writable(out: Path) -> Iterator[None]:
    """Makes the directory `out`; turns the operating system's refusals there into an `OutputError`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write to {error.filename or out}: {error.strerror}; give another --out"
        ) from None


@contextmanager
def _locked(out: Path, stem: str) -> Iterator[None]:
    """Holds the result's lock; the operating system frees a dead driver's."""
    lock = FileLock(out / f".{stem}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"another command is writing {stem} in {out}; wait for it, or give another --out"
        ) from None
    try:
        yield
    finally:
        lock.release()
