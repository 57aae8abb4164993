"""What execution costs: a second worker, a run, and the memory of many. Run by name, on a quiet machine.

    pytest tests/benchmarks/test_execution.py --benchmark-columns=min,rounds

The clock on the wall tells of this machine and of whatever else it does; processor time (of the driver and of
its workers together) nearly of this command alone. `extra_info` has both.
"""

import json
import time
from itertools import count

import pytest

from anymdp_bench.agents import AgentSpec
from anymdp_bench.evaluation import Run, expected_return
from anymdp_bench.evaluation.compiled import make_compiled_run
from anymdp_bench.evaluation.runs import FOREVER
from anymdp_bench.runner.executor import Executor
from anymdp_bench.runner.plan import make_plan
from anymdp_bench.runner.run import run_plan
from anymdp_bench.suites import Limits, custom_suite
from anymdp_bench.tasks.family import task_source

ROWS = [f"AnyMDP-{S}s5a-v0" for S in (1, 16, 32, 64, 128)]
ROWS += ["Garnet-16s5a2b-v0", "Garnet-64s5a2b-v0"]


def a_plan(rows, tasks, episodes):
    suite = custom_suite(rows).with_overrides(tasks, 1, Limits(episodes, None))
    return make_plan(suite, AgentSpec("tql-ucb"))


def played(plan, folder, workers):
    """Plays a plan: seconds on the wall, processor seconds of the driver, and of its workers."""
    wall, own = time.perf_counter(), time.process_time()
    outcome = run_plan(plan, folder, executor=Executor(workers), command="benchmark")
    wall, own = time.perf_counter() - wall, time.process_time() - own
    timing = json.loads(outcome.csv.with_suffix(".timing.json").read_text())
    return wall, own, 0.0 if workers == 1 else timing["worker_processor_seconds"]


def test_two_workers_against_one(benchmark, tmp_path):
    """The tabular rows of `table1` at their full budget, 8 tasks each.

    Were both cores ours alone, two workers would be as many times faster as processor time says, less
    what they wait for each other at the end.
    """
    plan = a_plan(ROWS, 8, 10_000)
    played(a_plan(ROWS, 1, 20), tmp_path / "warm", 1)  # compiles
    folders = (tmp_path / str(k) for k in count())
    one, two = [], []

    def alone():
        one.append(played(plan, next(folders), 1))

    benchmark.pedantic(lambda: two.append(played(plan, next(folders), 2)), setup=alone, rounds=3)
    (wall, used), (wall2, used2) = (
        (min(x[0] for x in r), min(x[1] + x[2] for x in r)) for r in (one, two)
    )
    benchmark.extra_info |= {
        "times one worker, on the wall": wall / wall2,
        "times one worker, by processor time": 2 * used / used2,
        "processor seconds of one": used,
        "of two and their driver": used2,
    }
    print("\n", benchmark.extra_info)


def engines_own(env_id, seed):
    """What a run of one episode asks of the engine: the task, its references, the episode, its test."""
    task = task_source(env_id).task(seed)
    play = make_compiled_run(AgentSpec("tql-ucb").make(env_id), Run(env_id, task, 0))
    play.learn(1, FOREVER)
    expected_return(task, play.policy())


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("workers", [1, 2])
def test_overhead_of_a_run(benchmark, tmp_path, workers):
    """1,000 runs of one episode, less the engine's own time for them: ms of processor time a run."""
    env_id, n = "AnyMDP-16s5a-v0", 1000
    plan = a_plan([env_id], n, 1)
    seeds = [unit.runs[0][0] for unit in plan.units]
    own = []
    for _ in range(3):
        begin = time.process_time()
        for seed in seeds:
            engines_own(env_id, seed)
        own.append(time.process_time() - begin)
    folders = (tmp_path / str(k) for k in count())
    found = []
    benchmark.pedantic(lambda: found.append(played(plan, next(folders), workers)), rounds=3)
    used = min(driver + others for _, driver, others in found)
    driver = min(driver for _, driver, _ in found)
    benchmark.extra_info |= {
        "ms a run": 1e3 * used / n,
        "of them the engine's": 1e3 * min(own) / n,
        "overhead": 1e3 * (used - min(own)) / n,
        "of them the driver's": 1e3 * driver / n if workers > 1 else float("nan"),
    }
    print("\n", benchmark.extra_info)
