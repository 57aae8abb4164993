"""What a worker does with one unit: it makes the agent and the tasks, plays, and returns the curves."""

from __future__ import annotations

import copy
import resource
import time
from dataclasses import dataclass
from functools import lru_cache

from anymdp_bench.agents import Agent, AgentError, AgentSpec, CompiledAgent, RefusalError
from anymdp_bench.crash import describe_crash
from anymdp_bench.evaluation import (
    CONTEXTS,
    Budget,
    Curve,
    IndependentLearners,
    Run,
    play_compiled,
    play_in_context,
    play_training,
)
from anymdp_bench.paths import keep_folder
from anymdp_bench.runner.plan import Unit
from anymdp_bench.runner.worker_pool import JobError, RefusedError, ReportShare
from anymdp_bench.suites import OWN
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.task import Task


@dataclass(frozen=True)
class UnitResult:
    """What playing one unit gave.

    Attributes:
        curves: one curve for each run.
        gaps: for each run, the oracle's return less the random policy's on its task.
        seconds: wall-clock seconds.
        processor_seconds: processor seconds of the worker's process, in all its threads.
        peak_mib: peak memory of the worker's process, MiB.
    """

    curves: list[Curve]
    gaps: list[float]
    seconds: float
    processor_seconds: float
    peak_mib: float


@lru_cache(maxsize=8)
def _load_task(env_id: str, seed: int) -> Task:
    return task_source(env_id).task(seed)


def _load_tasks(unit: Unit) -> dict[int, Task]:
    """Returns the tasks of a unit by their seeds."""
    seeds = dict.fromkeys(seed for seed, _ in unit.runs)
    if unit.mdp is None:
        return {seed: _load_task(unit.env_id, seed) for seed in seeds}
    source = task_source(OWN, mdp=unit.mdp)
    return {seed: source.task(seed) for seed in seeds}


def _play_training(
    spec: AgentSpec,
    agent: Agent,
    run: Run,
    budget: Budget,
    report: ReportShare | None,
    exact_tests: bool,
) -> Curve:
    """Plays one run of a learner in plain Python. Each player of a game gets a copy of the agent."""
    if run.task.players > 1:
        others = [
            copy.deepcopy(agent) if spec.is_instance else spec.make(run.env_id)
            for _ in range(run.task.players - 1)
        ]
        agent = IndependentLearners(
            [agent, *(other for other in others if isinstance(other, Agent))]
        )
    return play_training(agent, run, budget, report, exact_tests)


def play_unit(
    spec: AgentSpec,
    budget: Budget,
    unit: Unit,
    report: ReportShare | None = None,
    *,
    exact_tests: bool = True,
) -> UnitResult:
    """Plays one unit with a new agent.

    Args:
        spec: the agent.
        budget: how long each run lasts.
        unit: the runs.
        report: called from time to time.
        exact_tests: whether learners are tested exactly where that is possible.

    Raises:
        JobError: the agent raised an exception, or broke the contract.
        RefusedError: the agent cannot play the unit.
    """
    with keep_folder():
        return _play(spec, budget, unit, report, exact_tests)


def _play(
    spec: AgentSpec, budget: Budget, unit: Unit, report: ReportShare | None, exact_tests: bool
) -> UnitResult:
    """Does the work of `play_unit`."""
    started, processor_started = time.perf_counter(), time.process_time()
    tasks = _load_tasks(unit)
    runs = [Run(unit.env_id, tasks[seed], run_seed) for seed, run_seed in unit.runs]
    try:
        agent = spec.make(unit.env_id)
        if isinstance(agent, CompiledAgent):
            curves = [play_compiled(agent, run, budget, report, exact_tests) for run in runs]
        elif agent.trains:
            curves = [_play_training(spec, agent, run, budget, report, exact_tests) for run in runs]
        else:
            curves = play_in_context(agent, runs, budget, report, CONTEXTS[unit.context])
    except RefusalError as error:
        raise RefusedError(str(error)) from error.__cause__
    except AgentError as error:
        raise JobError(str(error)) from error.__cause__
    except (Exception, SystemExit) as error:  # the agent is a stranger's code
        raise JobError(describe_crash(error)) from error
    return UnitResult(
        curves,
        gaps=[run.task.references.gap for run in runs],
        seconds=time.perf_counter() - started,
        processor_seconds=time.process_time() - processor_started,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
