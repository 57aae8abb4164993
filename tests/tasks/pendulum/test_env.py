"""The Discrete-Pendulum against Gymnasium's Pendulum-v1, and as a Gymnasium environment."""

import math

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

import anymdp_bench  # noqa: F401  registers the ids
from anymdp_bench.engine.threads import fixed_threads
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.pendulum.dynamics import advance, observe

IDS = {
    "DiscretePendulum-g1-v0": 1.0,
    "DiscretePendulum-g5-v0": 5.0,
    "DiscretePendulum-g9.8-v0": 9.8,
}
TORQUES = (-2.0, -1.0, 0.0, 1.0, 2.0)


def binned(theta, speed):
    """The observation in plain words: bins of 30 degrees from upright, bins of 3.2 rad/s from -8."""
    angle = math.floor(math.degrees(theta % (2 * math.pi)) / 30)
    return 5 * min(angle, 11) + min(math.floor((speed + 8) / 3.2), 4)


@pytest.mark.parametrize(("env_id", "gravity"), IDS.items())
def test_every_step_of_whole_episodes_is_gymnasiums(env_id, gravity):
    """From the same state and torque: the same next state, reward, and end. The state is set anew at
    every step, so that differences in the last digit do not grow."""
    ours = gym.make(env_id, privileged_info=True)
    theirs = gym.make("Pendulum-v1", g=gravity)
    rng = np.random.default_rng(0)
    for seed in range(5):
        seen, _ = ours.reset(seed=seed)
        theirs.reset(seed=seed)
        truncated = False
        for t in range(1, 201):
            assert not truncated
            theta, speed = ours.unwrapped.true_state
            assert seen == binned(theta, speed)
            theirs.unwrapped.state = np.array([theta, speed])
            action = int(rng.integers(5))
            seen, reward, terminated, truncated, _ = ours.step(action)
            _, expected, ended, cut, _ = theirs.step(np.array([TORQUES[action]]))
            assert ours.unwrapped.true_state == pytest.approx(theirs.unwrapped.state, abs=1e-13)
            assert reward == pytest.approx(expected, abs=1e-12)
            assert (terminated, truncated) == (ended, cut) == (False, t == 200)


@given(st.floats(-20, 20), st.floats(-8, 8), st.integers(0, 4), st.floats(0, 20))
def test_any_state_moves_as_gymnasiums(theta, speed, action, gravity):
    theirs = gym.make("Pendulum-v1", g=gravity).unwrapped
    theirs.state = np.array([theta, speed])
    _, expected, _, _, _ = theirs.step(np.array([TORQUES[action]]))
    *state, reward = advance(theta, speed, action, gravity)
    assert state == pytest.approx(theirs.state, abs=1e-12)
    assert reward == pytest.approx(expected, abs=1e-10)


def test_the_bins_by_hand():
    """Upright is the edge of bins 0 and 11; standing still is in the middle bin of five."""
    assert observe(0.0, 0.0) == 2
    assert observe(-1e-9, 0.0) == 5 * 11 + 2
    assert observe(math.pi + 1e-9, 8.0) == 5 * 6 + 4
    assert observe(math.radians(29.9) + 2 * math.pi, -8.0) == 0
    assert {
        observe(math.radians(15 + 30 * a), -6.4 + 3.2 * k) for a in range(12) for k in range(5)
    } == set(range(60))


def test_starts_are_gymnasiums_distribution():
    """Angle uniform on the turn, speed uniform on [-1, 1): the quartiles of 40,000 starts."""
    envs = gym.make_vec("DiscretePendulum-g1-v0", num_envs=40_000)
    envs.reset(seed=1)
    theta, speed = envs.unwrapped.true_states.T
    assert np.quantile(theta, [0.25, 0.5, 0.75]) == pytest.approx(
        np.pi * np.array([-0.5, 0, 0.5]), abs=0.06
    )
    assert np.quantile(speed, [0.25, 0.5, 0.75]) == pytest.approx([-0.5, 0, 0.5], abs=0.02)
    assert abs(theta).max() <= np.pi
    assert abs(speed).max() <= 1


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(("n", "threads"), [(3, 1), (1500, 3)])
def test_the_vector_plays_what_single_environments_play(mode, n, threads):
    """Stream i with seed s is a single environment with seed s + i, through its resets too."""
    env_id = "DiscretePendulum-g5-v0"
    envs = gym.make_vec(env_id, num_envs=n, autoreset_mode=mode)
    envs.unwrapped._threads = fixed_threads(threads)
    watched = [0, 1, 2, n - 1]
    singles = {i: gym.make(env_id) for i in watched}
    seen, _ = envs.reset(seed=7)
    for i, env in singles.items():
        assert env.reset(seed=7 + i)[0] == seen[i]
    rng = np.random.default_rng(0)
    over = np.zeros(n, bool)
    for _ in range(403):
        if mode is AutoresetMode.DISABLED and over.any():
            seen, _ = envs.reset(options={"reset_mask": over})
            for env in singles.values():
                env.reset()
        actions = rng.integers(5, size=n)
        restart = mode is AutoresetMode.NEXT_STEP and over.any()
        seen, reward, terminated, over, info = envs.step(actions)
        assert not terminated.any()
        for i, env in singles.items():
            if restart:
                assert (env.reset()[0], 0.0, False) == (seen[i], reward[i], over[i])
                continue
            mine, paid, _, cut, _ = env.step(actions[i])
            assert (paid, cut) == (reward[i], over[i])
            if cut and mode is AutoresetMode.SAME_STEP:
                assert info["final_obs"][i] == mine
                mine, _ = env.reset()
            assert mine == seen[i]


def test_the_task_seed_changes_nothing_and_is_recorded_as_0():
    first, second = (gym.make("DiscretePendulum-g1-v0", task_seed=k) for k in (0, 9))
    assert first.reset(seed=3) == second.reset(seed=3, options={"task_seed": 5})
    assert second.reset(seed=3)[1] == {"task_seed": 0}
    assert gym.make_vec(
        "DiscretePendulum-g1-v0", num_envs=2, task_seeds=[3, 4]
    ).task_seeds.tolist() == [0, 0]


def test_the_oracle_holds_the_pendulum_up():
    env = gym.make("DiscretePendulum-g9.8-v0", privileged_info=True)
    for seed in range(3):
        _, info = env.reset(seed=seed)
        for _ in range(200):
            *_, truncated, info = env.step(info["optimal_action"])
        theta, speed = env.unwrapped.true_state
        assert truncated
        assert abs(math.remainder(theta, 2 * math.pi)) < 0.2
        assert abs(speed) < 0.5


def test_bad_calls_are_refused():
    env = gym.make("DiscretePendulum-g1-v0").unwrapped
    with pytest.raises(gym.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    for wrong in (5, -1, 0.5):
        with pytest.raises(ValueError, match=r"give an integer in 0\.\.4"):
            env.step(wrong)
    with pytest.raises(ValueError, match="no TabularMDP"):
        env.reset(options={"task": 1})
    with pytest.raises(TaskError, match="gravity is 'moon'"):
        gym.make("DiscretePendulum-g1-v0", gravity="moon")
    envs = gym.make_vec("DiscretePendulum-g1-v0", num_envs=2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="action 7 of stream 1"):
        envs.step([0, 7])
    with pytest.raises(ValueError, match="give 2 integers"):
        envs.step([0.0, 1.0])


def test_pictures():
    env = gym.make("DiscretePendulum-g1-v0", render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    env.step(4)
    after = env.render()
    assert before.shape == after.shape == (384, 384, 3)
    assert before.dtype == np.uint8
    assert (before != after).any()
    text = gym.make("DiscretePendulum-g1-v0", render_mode="ansi")
    text.reset(seed=0)
    assert text.render().startswith("step 0/200  angle")
