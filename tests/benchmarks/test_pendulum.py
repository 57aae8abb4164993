"""Rates of the Pendulum: the native vector env against Gymnasium's SyncVectorEnv. Run by name.

pytest tests/benchmarks/test_pendulum.py --benchmark-columns=min,median,rounds
"""

import time

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench  # noqa: F401

ENV = "DiscretePendulum-g9.8-v0"


def _stepper(envs, actions):
    envs.reset(seed=0)
    calls = iter(range(10**9))
    return lambda: envs.step(actions[next(calls) % 16])


@pytest.mark.parametrize("streams", [64, 16384])
def test_vector_env_against_sync_vector_envs(benchmark, streams):
    """The peers, over 64 streams: our own single environments, and Gymnasium's Pendulum-v1."""
    rng = np.random.default_rng(0)
    native = _stepper(gym.make_vec(ENV, num_envs=streams), rng.integers(0, 5, (16, streams)))
    ours = gym.make_vec(ENV, num_envs=64, vectorization_mode="sync")
    theirs = gym.make_vec("Pendulum-v1", num_envs=64, vectorization_mode="sync")
    peers = {
        "times SyncVectorEnv": _stepper(ours, rng.integers(0, 5, (16, 64))),
        "times Pendulum-v1": _stepper(theirs, rng.uniform(-2, 2, (16, 64, 1)).astype(np.float32)),
    }
    native()
    seconds = {}
    for name, peer in peers.items():
        peer()
        begin = time.perf_counter()
        for _ in range(100):
            peer()
        seconds[name] = (time.perf_counter() - begin) / 100 / 64
    benchmark.pedantic(native, rounds=50, iterations=max(1, 50_000 // streams), warmup_rounds=3)
    a_step = benchmark.stats.stats.min / streams
    benchmark.extra_info["million steps/s"] = 1e-6 / a_step
    for name, each in seconds.items():
        benchmark.extra_info[name] = each / a_step
