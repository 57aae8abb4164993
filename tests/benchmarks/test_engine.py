"""Rates of the engine: steps a second of every way to step it. Run by name, on a quiet machine.

    pytest tests/benchmarks/test_engine.py --benchmark-columns=min,median,rounds

`extra_info` holds the rate (millions of steps a second, from the fastest round), and where there is a peer,
the ratio to it, measured in the same run. What runs on one core is timed by its process's CPU time, which
other programs lengthen less than the clock on the wall; what runs on all cores needs a machine of its own.
"""

import time

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench  # noqa: F401
from anymdp_baselines.tabular.tql_ucb import BOLTZMANN, BONUS, TQLUCB, TQLSettings
from anymdp_bench.engine.rollout import EPISODES, STEPS, learn_episodes
from anymdp_bench.evaluation import Run, run_batch
from anymdp_bench.evaluation.runs import FOREVER
from anymdp_bench.scoring import oracle_advantages
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

ENV = "AnyMDP-64s5a-v0"
one_core = pytest.mark.benchmark(timer=time.process_time)


def _stepper(envs):
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 5, (16, envs.num_envs))
    calls = iter(range(10**9))
    return lambda: envs.step(actions[next(calls) % 16])


@pytest.mark.parametrize(
    ("streams", "task_seeds"),
    [pytest.param(64, 0, marks=one_core), (1024, 0), (16384, 0), (1024, list(range(1024)))],
    ids=["64", "1024", "16384", "1024-distinct-tasks"],
)
def test_vector_env(benchmark, streams, task_seeds):
    step = _stepper(gym.make_vec(ENV, num_envs=streams, task_seeds=task_seeds))
    step()
    benchmark.pedantic(step, rounds=50, iterations=max(1, 200_000 // streams), warmup_rounds=3)
    benchmark.extra_info["million steps/s"] = streams / benchmark.stats.stats.min / 1e6


@one_core
def test_vector_env_against_sync_vector_env(benchmark):
    """The peer: Gymnasium's SyncVectorEnv over 64 of our own single environments."""
    native = _stepper(gym.make_vec(ENV, num_envs=64))
    peer = _stepper(gym.make_vec(ENV, num_envs=64, vectorization_mode="sync"))
    peer()
    begin = time.process_time()
    for _ in range(200):
        peer()
    seconds = (time.process_time() - begin) / 200
    benchmark.pedantic(native, rounds=50, iterations=1000, warmup_rounds=3)
    benchmark.extra_info["times SyncVectorEnv"] = seconds / benchmark.stats.stats.min


@one_core
def test_single_env(benchmark):
    env = gym.make(ENV).unwrapped
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 5, 1000)

    def thousand():
        for action in actions:
            *_, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    benchmark.pedantic(thousand, rounds=50, warmup_rounds=3)
    benchmark.extra_info["million steps/s"] = 1e3 / benchmark.stats.stats.min / 1e6


@one_core
@pytest.mark.parametrize("variant", [BONUS, BOLTZMANN], ids=["bonus", "boltzmann"])
def test_fused_tql_ucb(benchmark, variant):
    """Learning alone, on one core; the rate counts environment steps, each learned from."""
    task = select_tasks(task_source(ENV), 1)[0][0]
    run, agent = Run(ENV, task, 0), TQLUCB(TQLSettings(variant=variant))
    streams = run_batch([run], privileged=False)
    memory, settings = agent.memory(streams), agent.settings(streams)
    advantage = oracle_advantages(task.mdp, task.references.policy)
    rngs = run.streams("agent"), run.streams("environment")
    counts = np.zeros(2, np.int64)
    rates = []

    def episodes():
        before, begin = counts[STEPS], time.process_time()
        learn_episodes(
            agent.compiled_act, agent.compiled_learn, *task.mdp.step_tables, advantage,
            memory, settings, *rngs, counts, counts[EPISODES] + 500, FOREVER,
        )  # fmt: skip
        rates.append((counts[STEPS] - before) / (time.process_time() - begin) / 1e6)

    benchmark.pedantic(episodes, rounds=20, warmup_rounds=2)
    benchmark.extra_info["million steps/s"] = max(rates)
