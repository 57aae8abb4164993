"""The choice between one thread and several, and the life of the helper threads."""

import subprocess
import sys
import textwrap
import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_bench.engine import threads
from anymdp_bench.engine.shared_step import step_shared
from anymdp_bench.engine.threads import ThreadChoice, fixed_threads
from anymdp_bench.envs.vector import TabularVectorEnv

N = 6_000


@pytest.fixture
def four_cores(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 4)


def play(choice, steps, alone, several):
    """Plays steps; `alone` and `several` give the seconds of the next one.

    Returns (seconds of all steps, the number of threads of most steps).
    """
    total, threads = 0.0, Counter()
    for _ in range(steps):
        threads[choice.threads] += 1
        seconds = alone() if choice.threads == 1 else several()
        choice.record(seconds)
        total += seconds
    return total, threads.most_common(1)[0][0]


@pytest.mark.parametrize(
    ("streams", "expected"), [(2_047, 1), (2_048, 2), (12_287, 2), (12_288, 3), (10**6, 4)]
)
@pytest.mark.usefixtures("four_cores")
def test_several_threads_go_on_where_they_are_faster(streams, expected):
    choice = ThreadChoice(streams)
    assert choice.threads == 1
    took, threads = play(choice, 20_000, lambda: 200e-6, lambda: 100e-6)
    assert threads == expected
    if expected > 1:
        assert 20_000 * 200e-6 / took > 1.9


@pytest.mark.usefixtures("four_cores")
@settings(max_examples=20)
@given(slowdown=st.floats(1.0, 100.0), step=st.floats(1e-5, 1e-2))
def test_little_time_is_lost_where_several_threads_are_slower(slowdown, step):
    choice = ThreadChoice(100_000)
    took, _ = play(choice, 20_000, lambda: step, lambda: step * slowdown)
    assert took < 20_000 * step / 0.7


@pytest.mark.usefixtures("four_cores")
def test_little_time_is_lost_beside_a_busy_process():
    """Its slices of 4 ms hit one step in ten on one thread, and every second one on several."""
    rng = np.random.default_rng(0)

    def step(mean, share):
        return lambda: mean + 4e-3 * (rng.random() < share)

    one, several = step(200e-6, 0.05), step(100e-6, 0.5)
    expected = sum(one() for _ in range(20_000))
    assert play(ThreadChoice(16_384), 20_000, one, several)[0] < expected / 0.85


@pytest.mark.usefixtures("four_cores")
def test_it_follows_when_cores_become_busy_and_free_again():
    choice = ThreadChoice(16_384)
    assert play(choice, 10_000, lambda: 200e-6, lambda: 100e-6)[1] == 4
    assert play(choice, 10_000, lambda: 200e-6, lambda: 2e-3)[1] == 1
    assert play(choice, 30_000, lambda: 200e-6, lambda: 100e-6)[1] == 4


def test_one_core_means_one_thread(monkeypatch):
    monkeypatch.setattr(threads, "available_cores", lambda: 1)
    choice = ThreadChoice(100_000)
    assert play(choice, 5_000, lambda: 1e-3, pytest.fail)[1] == 1


def vector(seed, n=N, on=2):
    envs = TabularVectorEnv(n, family="Garnet", n_states=9, n_actions=2, branching=2)
    envs._threads = fixed_threads(on)
    envs.reset(seed=seed)
    return envs


def roll(envs, steps=30, seed=0):
    """The observations and rewards of random actions, [steps, n] each."""
    rng = np.random.default_rng(seed)
    columns = [envs.step(rng.integers(2, size=envs.num_envs))[:2] for _ in range(steps)]
    return tuple(np.stack(column) for column in zip(*columns, strict=True))


def assert_same(a, b):
    for left, right in zip(a, b, strict=True):
        assert np.array_equal(left, right)


def test_two_threads_step_two_vectors_at_the_same_time():
    expected = [roll(vector(seed, on=1), 60) for seed in range(3)]
    found = [None] * 3

    def run(k):
        found[k] = roll(vector(k), 60)

    running = [threading.Thread(target=run, args=(k,)) for k in range(3)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    for ours, theirs in zip(found, expected, strict=True):
        assert_same(ours, theirs)


def test_without_helpers_the_numbers_are_the_same(monkeypatch):
    """The operating system may refuse to start more threads."""
    step_shared.dismiss()

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threads._Helper, "start", refuse)
        alone = roll(vector(5))
    assert_same(alone, roll(vector(5)))


def test_an_interrupted_step_is_done_to_its_end(monkeypatch):
    """Nothing writes to the arrays of an environment after `step` has raised."""
    envs, twin = vector(1), vector(1, on=1)
    roll(envs, 1), roll(twin, 1)

    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "_LEADER_PATIENCE", 0)  # so that every step waits by sleeping
    monkeypatch.setattr(threads.time, "sleep", interrupt)
    for _ in range(20):
        with pytest.raises(KeyboardInterrupt):
            envs.step(np.zeros(N, np.int64))
        twin.step(np.zeros(N, np.int64))
        assert np.array_equal(envs._streams, twin._streams)
        assert np.array_equal(envs._rng, twin._rng)


def run_script(code):
    """Runs code in an interpreter of its own, with warnings as errors; returns the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return sorted(done.stdout.splitlines())


def test_a_process_forks_after_threads_have_stepped():
    """The parent's helpers are not in the child, which starts its own; both give the same numbers."""
    printed = run_script("""
        import multiprocessing, threading
        import gymnasium as gym, numpy as np, anymdp_bench
        from anymdp_bench.engine.threads import fixed_threads
        from anymdp_bench.tasks.hardness import hardness

        def play(name):
            envs = gym.make_vec("AnyMDP-16s5a-v0", num_envs=5_000)
            envs.unwrapped._threads = fixed_threads(2)
            envs.reset(seed=3)
            total = sum(envs.step(np.zeros(5_000, int))[1].sum() for _ in range(20))
            for mdp in anymdp_bench.sample_tasks("AnyMDP-16s5a-v0", range(4), workers=2):
                total += hardness(mdp).reciprocal_gaps
            print(name, threading.active_count(), total, flush=True)

        play("parent")
        child = multiprocessing.get_context("fork").Process(target=play, args=("child",))
        child.start()
        print("left", threading.active_count(), flush=True)
        child.join(100)
        print("exit", child.exitcode, flush=True)
        play("again")
    """)
    again, child, exit_code, left, parent = (line.split() for line in printed)
    assert (left, exit_code) == (["left", "1"], ["exit", "0"])
    assert parent[1:] == child[1:] == again[1:]
    assert parent[1] == "2"


def test_a_process_ends_while_helpers_are_awake():
    assert run_script("""
        import gymnasium as gym, numpy as np, anymdp_bench
        from anymdp_bench.engine import threads

        threads._HELPER_PATIENCE = 8_000_000  # a fifth of a second
        envs = gym.make_vec("AnyMDP-16s5a-v0", num_envs=5_000)
        envs.unwrapped._threads = threads.fixed_threads(2)
        envs.reset(seed=3)
        envs.step(np.zeros(5_000, int))
        print("done")
    """) == ["done"]
