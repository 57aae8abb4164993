"""What a worker does: makes the agent and the tasks afresh, plays one unit, gives back its curves."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from functools import lru_cache

from anymdp_bench.agents import Agent, AgentError, AgentSpec, CompiledAgent, RefusalError
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
from anymdp_bench.runner.plan import Unit
from anymdp_bench.runner.worker_pool import JobError, RefusedError, Tell
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.task import Task


@dataclass(frozen=True)
class Played:
    """A unit's curves, the gaps of its tasks, the seconds it took, and its process's peak memory.

    `seconds` are those of a clock on the wall, `processor_seconds` the process's own, in all its threads.
    """

    curves: list[Curve]
    gaps: list[float]
    seconds: float
    processor_seconds: float
    peak_mib: float


@lru_cache(maxsize=8)
def _task(env_id: str, seed: int) -> Task:
    return task_source(env_id).task(seed)


def _train(spec: AgentSpec, agent: Agent, run: Run, budget: Budget, report: Tell | None) -> Curve:
    """One run of a learner in plain Python; a game of several players gets a copy for each."""
    if run.task.players > 1:
        others = [spec.make(run.env_id) for _ in range(run.task.players - 1)]
        agent = IndependentLearners(
            [agent, *(other for other in others if isinstance(other, Agent))]
        )
    return play_training(agent, run, budget, report)


def play_unit(spec: AgentSpec, budget: Budget, unit: Unit, tell: Tell | None = None) -> Played:
    """Plays one unit with a new agent.

    Raises:
        JobError: the agent raised, or broke the contract.
        RefusedError: the agent cannot play the unit.
    """
    begin, used = time.perf_counter(), time.process_time()
    known = {seed: _task(unit.env_id, seed) for seed, _ in dict.fromkeys(unit.runs)}
    runs = [Run(unit.env_id, known[seed], run_seed) for seed, run_seed in unit.runs]
    try:
        agent = spec.make(unit.env_id)
        if isinstance(agent, CompiledAgent):
            curves = [play_compiled(agent, run, budget, tell) for run in runs]
        elif agent.trains:
            curves = [_train(spec, agent, run, budget, tell) for run in runs]
        else:
            curves = play_in_context(agent, runs, budget, tell, CONTEXTS[unit.context])
    except RefusalError as error:
        raise RefusedError(str(error)) from None
    except AgentError as error:
        raise JobError(str(error)) from None
    except (Exception, SystemExit) as error:  # whatever a stranger's code does
        raise JobError(f"{type(error).__name__}: {error}") from error
    gaps = [run.task.references.gap for run in runs]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Played(curves, gaps, time.perf_counter() - begin, time.process_time() - used, peak)
