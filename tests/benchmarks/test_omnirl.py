"""OmniRL's arithmetic against the machine's: plans of 64 runs, and a training update. Run by name.

    pytest tests/benchmarks/test_omnirl.py

`extra_info` holds GFLOP/s, the rate of a plain matrix product on the same thread in the same run, and the
share of it that is reached; what a step costs follows from the plan's cadence.
"""

import math
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.omnirl.agent import OmniRL  # noqa: E402
from anymdp_baselines.omnirl.mind import RATE  # noqa: E402
from anymdp_baselines.omnirl.model import plan_flops  # noqa: E402
from anymdp_baselines.omnirl.presets import PRESETS  # noqa: E402
from anymdp_baselines.omnirl.trainer import Trainer  # noqa: E402
from anymdp_bench.protocol import Run  # noqa: E402
from anymdp_bench.protocol.arenas import make_arena  # noqa: E402
from anymdp_bench.protocol.runs import told  # noqa: E402
from anymdp_bench.scoring import tasks_that_count  # noqa: E402
from anymdp_bench.tasks.family import task_source  # noqa: E402

one_core = pytest.mark.benchmark(timer=time.process_time)
STREAMS = 64


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def matmul_rate():
    """GFLOP/s of a float32 product of two 1024 x 1024 matrices: the best of ten."""
    a, b = torch.rand(2, 1024, 1024)
    best = math.inf
    for _ in range(10):
        begin = time.process_time()
        a @ b
        best = min(best, time.process_time() - begin)
    return 2 * 1024**3 / best / 1e9


@one_core
@pytest.mark.parametrize("n_states", [16, 64])
def test_a_plan_of_64_runs(benchmark, n_states):
    env_id = f"AnyMDP-{n_states}s5a-v0"
    tasks, _ = tasks_that_count(task_source(env_id), STREAMS)
    runs = [Run(env_id, task, 0) for task in tasks]
    agent, arena = OmniRL(), make_arena(runs, shaped=True)
    agent.start(told(runs, privileged=False))
    for _ in range(2000):
        arena.step(arena.actions(agent.act(arena.observation)), agent)
    mind = agent._mind
    benchmark.pedantic(mind.plan, (np.arange(STREAMS),), rounds=10, warmup_rounds=1)
    flops = STREAMS * plan_flops(mind.planner.size, n_states, 5)
    plans = 1 + int(np.log(2000 * RATE) / np.log1p(RATE)) + int(1 / RATE)
    _note(benchmark, flops)
    benchmark.extra_info["MFLOP a run and plan"] = flops / STREAMS / 1e6
    benchmark.extra_info["MFLOP a step, over 2,000 steps"] = flops / STREAMS * plans / 2000 / 1e6


@one_core
def test_an_update(benchmark):
    """Forward and backward count as three forwards."""
    trainer = Trainer(PRESETS["small"])
    for _ in range(60):
        trainer.update()
    benchmark.pedantic(trainer.update, rounds=20)
    room = trainer.rooms[0]
    _note(benchmark, 3 * room.n * plan_flops(trainer.planner.size, 16, 5))
    benchmark.extra_info["plans/s"] = room.n / benchmark.stats.stats.min


def _note(benchmark, flops):
    rate, peak = flops / benchmark.stats.stats.min / 1e9, matmul_rate()
    benchmark.extra_info |= {"GFLOP/s": rate, "of the matmul rate": rate / peak, "matmul": peak}
