"""Vector environments on a machine that others use: steps a second against those of one thread. Run by name:

    pytest tests/benchmarks/test_shared_machine.py -s

One thread and the environment's own choice take turns of a third of a second. `free` is the ratio of their
fastest turns, on cores that nothing else may use. `shared` is the ratio of all their steps a second, beside
busy processes, one for each core, that the benchmark starts itself.
"""

import contextlib
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench  # noqa: F401
from anymdp_bench.engine.processors import available_cores
from anymdp_bench.engine.threads import ThreadChoice

SECONDS, TURNS = 0.33, 15


@contextlib.contextmanager
def competitors(n):
    """Keeps `n` cores busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    time.sleep(0.5)
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def take_turns(envs):
    """Returns the rates of each turn, in million steps a second: of one thread, and of the choice."""
    actions = np.random.default_rng(0).integers(0, 5, envs.num_envs)
    env = envs.unwrapped
    choices = [ThreadChoice(1), ThreadChoice(envs.num_envs)]  # the first never takes more than one
    rates = [], []
    envs.reset(seed=0)
    for turn in range(-1, TURNS):
        for choice, found in zip(choices, rates, strict=True):
            env._threads = choice
            begin, calls = time.perf_counter(), 0
            while time.perf_counter() < begin + SECONDS:
                envs.step(actions)
                calls += 1
            took = time.perf_counter() - begin
            if turn >= 0:
                found.append(calls * envs.num_envs / took / 1e6)
    return rates


@pytest.mark.parametrize("env_id", ["AnyMDP-64s5a-v0", "DiscretePendulum-g9.8-v0"])
@pytest.mark.parametrize("streams", [1_024, 4_096, 16_384, 65_536])
def test_against_one_thread(env_id, streams):
    envs = gym.make_vec(env_id, num_envs=streams)
    cores = available_cores()
    one, chosen = take_turns(envs)
    with competitors(cores):
        shared_one, shared = take_turns(envs)
    print(
        f"\n{env_id}, {streams:,} streams, {cores} cores, million steps/s of one thread and of the choice:"
        f"\n  free   {max(one):6.1f} {max(chosen):6.1f}   ratio {max(chosen) / max(one):.2f}"
        f"\n  shared {np.mean(shared_one):6.1f} {np.mean(shared):6.1f}"
        f"   ratio {np.mean(shared) / np.mean(shared_one):.2f}"
    )
