"""The environment for Stable-Baselines3: the native one's steps, and that SB3 learns on it."""

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

import gymnasium as gym
import stable_baselines3 as sb3
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from anymdp_baselines.ppo.vector_env import SB3VecEnv


def test_the_sb3_environment_is_the_native_one():
    """Same seeds, same actions: same observations and rewards; final observations where episodes end."""
    ours = SB3VecEnv("AnyMDP-16s5a-v0", 4, task_seeds=1)
    native = gym.make_vec(
        "AnyMDP-16s5a-v0", num_envs=4, task_seeds=1, autoreset_mode=AutoresetMode.SAME_STEP
    )
    ours.seed(5)
    assert (ours.reset() == native.reset(seed=5)[0]).all()
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(300):
        action = rng.integers(5, size=4)
        seen, reward, done, infos = ours.step(action)
        want, paid, terminated, truncated, info = native.step(action)
        assert (seen == want).all()
        assert reward == pytest.approx(paid, rel=1e-6)
        assert (done == (terminated | truncated)).all()
        for i in np.flatnonzero(done):
            ended += 1
            assert infos[i]["terminal_observation"] == info["final_obs"][i]
            assert infos[i]["TimeLimit.truncated"] == truncated[i]
    assert ended


def test_an_episode_that_terminates_at_the_time_limit_is_not_truncated_for_sb3():
    """SB3 adds the value of the last observation to a truncated return, where nothing follows."""
    envs = SB3VecEnv("AnyMDP-1s5a-v0", 2, max_episode_steps=1)
    envs.reset()
    *_, done, infos = envs.step(np.zeros(2, np.int64))
    assert done.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [False, False]


def test_gymnasiums_vector_environments_serve_too():
    """A `SyncVectorEnv` steps as it does without SB3; one that resets a step later is refused."""
    makers = [lambda: gym.make("AnyMDP-16s5a-v0", task_seed=1)] * 3
    plain = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    ours = SB3VecEnv(SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP))
    ours.seed(5)
    assert (ours.reset() == plain.reset(seed=5)[0]).all()
    ended = 0
    for _ in range(150):
        seen, reward, done, infos = ours.step(np.zeros(3, np.int64))
        want, paid, terminated, truncated, info = plain.step(np.zeros(3, np.int64))
        assert (seen == want).all()
        assert reward == pytest.approx(paid, rel=1e-6)
        assert (done == (terminated | truncated)).all()
        for i in np.flatnonzero(done):
            ended += 1
            assert infos[i]["terminal_observation"] == info["final_obs"][i]
    assert ended
    with pytest.raises(ValueError, match="SAME_STEP"):
        SB3VecEnv(SyncVectorEnv(makers))


def test_sb3_learns_on_it():
    model = sb3.PPO("MlpPolicy", SB3VecEnv("AnyMDP-16s5a-v0", 4), n_steps=8, batch_size=32)
    model.learn(64)
    assert model.num_timesteps == 64
