"""The planner's arithmetic against the machine's: plans of 64 runs, and a training update. Run by name.

    pytest tests/benchmarks/test_planner.py

`extra_info` holds GFLOP/s, the rate of a plain matrix product on the same thread in the same run, and the
share of it that is reached; what a step costs follows from the plan's cadence. Of a plan only the network
counts as arithmetic, and of the network only the products that are done; solving models is extra.
"""

import math
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from anymdp_baselines.planner.agent import NeuralPlanner  # noqa: E402
from anymdp_baselines.planner.features import (  # noqa: E402
    SLOT_FEATURES,
    STATE_FEATURES,
    allocate_features,
    compute_features,
)
from anymdp_baselines.planner.finite_horizon import plan_remaining_steps_of_runs  # noqa: E402
from anymdp_baselines.planner.inference import (  # noqa: E402
    LEVELS,
    _find_distinct_states,
    compute_logits,
    plan_runs,
)
from anymdp_baselines.planner.objective import PlannerObjective  # noqa: E402
from anymdp_baselines.planner.policy import PLAN_GROWTH  # noqa: E402
from anymdp_baselines.planner.presets import PRESETS  # noqa: E402
from anymdp_baselines.training.trainer import Trainer  # noqa: E402
from anymdp_bench.evaluation import (  # noqa: E402
    Interaction,
    Run,
    make_simulator,
    run_batch,
)
from anymdp_bench.tasks.family import task_source  # noqa: E402
from anymdp_bench.tasks.selection import select_tasks  # noqa: E402

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


def plan_flops(size, n_observations, n_actions):
    """Returns the floating-point operations (multiply and add apart) of the matrix products of one plan."""
    d, n, slots = size.width, n_observations, n_observations * n_actions
    products = slots * SLOT_FEATURES * d + 2 * n * STATE_FEATURES * d
    products += size.loops * (2 * slots * n * d + 2 * n * d * d + n * 3 * d * d)
    products += (
        slots * d * d + n * d * d + slots * SLOT_FEATURES * d + slots * d * (1 + len(LEVELS))
    )
    return 2 * products


def network_cost(planned):
    """(Floating-point operations of the products, seconds) of the networks' part of all runs' plans."""
    features, out = allocate_features(STREAMS, *planned.shape[1:]), np.empty(planned.shape[1:])
    compute_features(planned.memory, np.arange(STREAMS), features)
    net, n_actions, products = planned.planner, planned.shape[2], 0
    d = len(net.head)
    for row in range(STREAMS):
        distinct, _, acted = _find_distinct_states(features.state[row])
        k, slots = len(distinct), acted * n_actions + len(distinct) - acted
        edges = np.count_nonzero(features.onward[row]) + np.count_nonzero(features.inward[row])
        products += slots * len(net.slot) * 2 * d + k * len(net.state) * 2 * d
        products += net.loops * (k * d * 2 * d + edges * d + k * 3 * d * d)
        products += slots * d * d + k * d * d + slots * d
    best = math.inf
    for _ in range(10):
        begin = time.process_time()
        for row in range(STREAMS):
            compute_logits(net, features, row, out)
        best = min(best, time.process_time() - begin)
    return 2 * products, best


@one_core
@pytest.mark.parametrize("n_states", [16, 64])
def test_a_plan_of_64_runs(benchmark, n_states):
    env_id = f"AnyMDP-{n_states}s5a-v0"
    tasks, _ = select_tasks(task_source(env_id), STREAMS)
    runs = [Run(env_id, task, 0) for task in tasks]
    agent = NeuralPlanner(assumes_anymdp=True)
    agent.start(run_batch(runs, privileged=False))
    play = Interaction(agent, make_simulator(runs))
    for _ in range(2000):
        play.step()
    planned = agent._by_observation
    benchmark.pedantic(planned.plan, (np.arange(STREAMS),), rounds=10, warmup_rounds=1)
    flops, seconds = network_cost(planned)
    plans = 1 + int(np.log(2000 * PLAN_GROWTH) / np.log1p(PLAN_GROWTH)) + int(1 / PLAN_GROWTH)
    _note(benchmark, flops)
    info = benchmark.extra_info
    info["the network alone, of the matmul rate"] = flops / seconds / 1e9 / info["matmul"]
    info["the network's share of the time"] = seconds / benchmark.stats.stats.min
    info["MFLOP a run and plan"] = flops / STREAMS / 1e6
    info["MFLOP a step, over 2,000 steps"] = flops / STREAMS * plans / 2000 / 1e6
    print("\n" + "\n".join(f"{name}: {value:.3g}" for name, value in info.items()))


@one_core
@pytest.mark.parametrize("n_states", [16, 64, 128])
def test_plans_to_the_end_of_64_runs(benchmark, n_states):
    """`extra_info` holds their time over that of the plans which they follow; only settled runs make them."""
    env_id = f"AnyMDP-{n_states}s5a-v0"
    tasks, _ = select_tasks(task_source(env_id), STREAMS)
    runs = [Run(env_id, task, 0) for task in tasks]
    agent = NeuralPlanner(assumes_anymdp=True)
    agent.start(run_batch(runs, privileged=False))
    play = Interaction(agent, make_simulator(runs))
    for _ in range(2000):
        play.step()
    planned, every = agent._by_observation, np.arange(STREAMS)
    benchmark.pedantic(
        plan_remaining_steps_of_runs,
        (planned.memory, every, planned._episode_limit, planned._timed_action),
        rounds=10,
        warmup_rounds=1,
    )
    best = math.inf
    for _ in range(10):
        begin = time.process_time()
        plan_runs(
            planned.planner,
            planned.memory,
            every,
            planned._features,
            planned._logit,
            planned._advantage,
        )
        best = min(best, time.process_time() - begin)
    benchmark.extra_info["of a plan's time"] = benchmark.stats.stats.min / best
    benchmark.extra_info["ms a run"] = benchmark.stats.stats.min / STREAMS * 1e3
    print("\n", benchmark.extra_info)


@one_core
def test_an_update(benchmark):
    """Forward and backward count as three forwards."""
    trainer = Trainer(PlannerObjective(PRESETS["small"]))
    for _ in range(60):
        trainer.advance()
    benchmark.pedantic(trainer.advance, rounds=20)
    rollout = trainer.objective.rollouts[0]
    _note(benchmark, 3 * rollout.n * plan_flops(trainer.objective.model.size, 16, 5))
    benchmark.extra_info["plans/s"] = rollout.n / benchmark.stats.stats.min


def _note(benchmark, flops):
    rate, peak = flops / benchmark.stats.stats.min / 1e9, matmul_rate()
    benchmark.extra_info |= {"GFLOP/s": rate, "of the matmul rate": rate / peak, "matmul": peak}
