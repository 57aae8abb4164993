"""How many times faster than the authors' package, xenoverse: both sides timed in turn, in the same run.

Timed is this process's CPU time, which other programs lengthen less than the clock on the wall. Run by name,
with every thread pool at one thread:

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 pytest tests/benchmarks/test_xenoverse.py

The table of pytest-benchmark shows our side; the printed line and `extra_info` of its JSON show both.
Compilation is left out on both sides. The only thing asserted is that we are not slower.
"""

import os
import time
import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # theirs imports pygame, and that what is deprecated
    xenoverse = pytest.importorskip("xenoverse.anymdp", reason="needs the extra `xeno`")

import gymnasium as gym

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from anymdp_bench.tasks.family import sample_task

pytestmark = pytest.mark.filterwarnings("ignore")  # xenoverse's, not ours
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
GAMMA = 0.994


@pytest.fixture(autouse=True)
def single_thread():
    if any(os.environ.get(pool) != "1" for pool in POOLS):
        pytest.skip(
            f"set {', '.join(pool + '=1' for pool in POOLS)}: single thread against single thread"
        )


@pytest.fixture
def compare(benchmark, capsys):
    """compare(ours, theirs, rounds, ours_per_call, theirs_per_call): prints and keeps seconds and ratios.

    `ours` and `theirs` are called once a round, with the round's number.
    """

    def timed(function, k):
        begin = time.process_time()
        function(k)
        return time.process_time() - begin

    def run(ours, theirs, rounds, ours_per_call=1, theirs_per_call=1):
        ours(0)  # compiles; theirs has nothing to compile
        pairs = [(timed(ours, k), timed(theirs, k)) for k in range(rounds)]
        pairs = np.array(pairs) / (ours_per_call, theirs_per_call)
        (fast, slow), ratios = pairs.mean(axis=0), (pairs[:, 1] / pairs[:, 0]).tolist()
        calls = {"calls of ours": rounds * ours_per_call, "of theirs": rounds * theirs_per_call}
        benchmark.extra_info.update(
            ours=fast, theirs=slow, ratio=slow / fast, ratios=ratios, **calls
        )
        benchmark.pedantic(ours, args=(0,), rounds=1)
        with capsys.disabled():
            print(
                f"\n  ours {fast:.3g} s, theirs {slow:.3g} s ({rounds * theirs_per_call} calls), ratio"
                f" {slow / fast:,.1f}, by round {min(ratios):,.1f} to {max(ratios):,.1f}"
            )
        assert slow > fast

    return run


def our_task(theirs):
    """A task of theirs as a TabularMDP."""
    size = len(theirs["state_mapping"])
    start, terminal = np.zeros(size), np.zeros(size, bool)
    start[theirs["s_0"]] = theirs["s_0_prob"]
    terminal[np.asarray(theirs["s_e"], int)] = True
    return TabularMDP(
        theirs["transition"],
        theirs["reward"],
        reward_noise=theirs["reward_noise"],
        start=start / start.sum(),
        terminal=terminal,
        max_steps=int(np.ceil(theirs["max_steps"])),
    )


def their_env(task):
    env = xenoverse.AnyMDPEnv(max_steps=5000)
    env.set_task(task)
    return env


@pytest.mark.parametrize(("size", "ours", "theirs", "rounds"), [(16, 100, 10, 4), (128, 20, 1, 6)])
def test_sampling_a_task(compare, size, ours, theirs, rounds):
    """Mean time of one task; tasks need unequal numbers of attempts, so each round takes new seeds."""

    def sample(k):
        for seed in range(k * ours, (k + 1) * ours):
            sample_task(f"AnyMDP-{size}s5a-v0", seed)

    def their_sample(k):
        for seed in range(k * theirs, (k + 1) * theirs):
            xenoverse.AnyMDPTaskSampler(state_space=size, action_space=5, seed=seed)

    compare(sample, their_sample, rounds, ours, theirs)


def test_solving_a_task(compare):
    """The oracle of tasks of theirs with 128 states: constructed, policy iteration; theirs, sweeps."""
    tasks = [
        xenoverse.AnyMDPTaskSampler(state_space=128, action_space=5, seed=seed) for seed in range(3)
    ]
    envs, mdps = [their_env(task) for task in tasks], [our_task(task) for task in tasks]
    solver = xenoverse.AnyMDPSolverOpt(envs[0], gamma=GAMMA)
    live = ~mdps[0].terminal
    q, theirs = solve(mdps[0], GAMMA).q, solver.value_matrix
    assert np.allclose(q[live], theirs[live], rtol=1e-2, atol=0.1)  # they stop at 1e-4 a sweep

    def our_solve(k):
        for _ in range(20):
            solve(mdps[k], GAMMA)

    compare(our_solve, lambda k: xenoverse.AnyMDPSolverOpt(envs[k], gamma=GAMMA), 3, 20)


def test_stepping_one_environment(compare):
    """One step of the bare environment at 64 states, resets included where an episode ends."""
    steps = 20_000
    ours = gym.make("AnyMDP-64s5a-v0").unwrapped
    theirs = their_env(xenoverse.AnyMDPTaskSampler(state_space=64, action_space=5, seed=0))
    actions = np.random.default_rng(0).integers(5, size=steps).tolist()

    def play(env):
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    compare(lambda _: play(ours), lambda _: play(theirs), 5, steps, steps)
