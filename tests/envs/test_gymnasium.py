"""Gymnasium's promises beyond `check_env`, for every id: limits, `info`, vectors, and new processes."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.family import task_source
from registered import FAMILIES, IDS, SIZES, SOLO, make, make_vec

MODES = list(AutoresetMode)
LIMITED = [env_id for family in FAMILIES if family.max_steps for env_id in family.ids]


def episode(env, seed, rng):
    """(observation, reward, terminated, truncated) of each step of one random episode."""
    env.reset(seed=seed)
    out = []
    while not out or not (out[-1][2] or out[-1][3]):
        out.append(env.step(int(rng.integers(env.action_space.n)))[:4])
    return out


def same(ours, theirs):
    """Whether two values of `step` are equal, `info` included where its masks hold."""
    if not isinstance(ours, dict):
        return np.array_equal(ours, theirs)
    if set(ours) != set(theirs):
        return False
    for key in ours:
        held = theirs.get(f"_{key}")
        if held is None or isinstance(ours[key], dict):
            equal = same(ours[key], theirs[key])
        else:
            equal = np.array_equal(ours[key][held], theirs[key][held])
        if not equal:
            return False
    return True


@pytest.mark.parametrize("env_id", IDS)
def test_the_spec_says_a_fixed_horizon(env_id):
    """Not where it belongs to the task: those of AnyMDP and Garnet. A bandit is never truncated."""
    drawn = env_id.startswith(("AnyMDP", "Garnet"))
    horizon = None if drawn else task_source(env_id, **SIZES.get(env_id, {})).task(3).max_steps
    assert gym.spec(env_id).max_episode_steps == horizon
    assert make(env_id).spec.max_episode_steps == horizon


@pytest.mark.parametrize("env_id", [env_id for env_id in LIMITED if env_id in SOLO])
def test_the_limit_of_the_spec_changes_no_episode(env_id):
    limited, free = make(env_id), make(env_id, max_episode_steps=-1)
    assert isinstance(limited, TimeLimit)
    assert not isinstance(free, TimeLimit)
    for seed in range(8):
        ours, theirs = (episode(e, seed, np.random.default_rng(seed)) for e in (limited, free))
        if theirs[-1][2] and len(theirs) == limited.spec.max_episode_steps:
            theirs[-1] = (*theirs[-1][:3], True)  # TimeLimit truncates what terminates in time
        assert ours == theirs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("privileged", [False, True], ids=["blind", "privileged"])
@pytest.mark.parametrize(
    ("env_id", "limit"),
    [
        ("AnyMDP-16s5a-v0", 3),
        ("AnyMDP-16s5a-v0", 110),  # below the horizon of some tasks, above that of others
        ("AnyMDP-1s5a-v0", 1),
        ("FrozenLake4x4Slippery-v0", 7),
        ("FrozenLake4x4Slippery-v0", None),  # the limit of the spec
        ("DiscretePendulum-g5-v0", 9),
    ],
)
def test_the_native_vector_limits_episodes_as_time_limit_does(env_id, limit, privileged, mode):
    """Both flags included, of episodes that terminate in their last step."""
    seeds = [0, 1, 2, 5, 8]
    keywords = {"privileged_info": privileged, "max_episode_steps": limit}
    ours = gym.make_vec(env_id, num_envs=5, task_seeds=seeds, autoreset_mode=mode, **keywords)
    theirs = SyncVectorEnv(
        [lambda k=k: gym.make(env_id, task_seed=k, **keywords) for k in seeds], autoreset_mode=mode
    )
    rng, ends = np.random.default_rng(0), np.zeros(3, int)
    assert all(map(same, ours.reset(seed=4), theirs.reset(seed=4)))
    for _ in range(220):
        actions = rng.integers(ours.single_action_space.n, size=5)
        got, expected = ours.step(actions), theirs.step(actions)
        assert all(map(same, got, expected))
        over = got[2] | got[3]
        ends += got[2].sum(), got[3].sum(), (got[2] & got[3]).sum()
        if mode is AutoresetMode.DISABLED and over.any():
            fresh = ours.reset(options={"reset_mask": over})
            assert all(map(same, fresh, theirs.reset(options={"reset_mask": over})))
    assert ends[:2].sum() > 3
    if limit in (1, 7):
        assert ends[2] > 0


def test_the_limit_of_a_vector_outlasts_a_change_of_task():
    env = make_vec("AnyMDP-16s5a-v0", num_envs=2, max_episode_steps=4)
    horizon = env.tasks[0].max_steps
    for options in (None, {"task_seed": 3}, {"task": env.tasks[0]}):
        env.reset(seed=0, options=options)
        flags = [env.step([0, 0])[2:4] for _ in range(4)]
        assert np.logical_or(*flags[-1]).all() or np.logical_or(*np.any(flags, axis=0)).all()
    assert env.tasks[0].max_steps == horizon
    assert env.tasks[0].step_tables.rows[0, -1] == horizon  # the task's own tables are untouched


@pytest.mark.parametrize("env_id", ["AnyMDP-16s5a-v0", "DiscretePendulum-g1-v0"])
def test_the_limit_is_an_integer_from_1_or_no_limit(env_id):
    for wrong in (0, -2, 2.5, "5", True):
        with pytest.raises(TaskError, match=r"max_episode_steps is .*; give an integer from 1"):
            make_vec(env_id, max_episode_steps=wrong)
    for none in (None, -1, 10**6, np.int64(10**6)):
        env = make_vec(env_id, num_envs=1, max_episode_steps=none)
        env.reset(seed=0)
        steps = 1
        while not any(flag.any() for flag in env.step([0])[2:4]):
            steps += 1
        assert steps <= 200


@pytest.mark.parametrize("env_id", IDS)
def test_info_has_the_same_keys_at_reset_and_at_every_step(env_id):
    """Libraries that record `info`, as Minari does, refuse keys that come and go."""
    for privileged in (False, True) if env_id in SOLO else (False,):
        keywords = {"privileged_info": True} if privileged else {}
        env = make(env_id, max_episode_steps=12, **keywords)
        env.action_space.seed(0)
        _, info = env.reset(seed=0)
        shapes = {key: (type(value), np.shape(value)) for key, value in info.items()}
        assert ("optimal_action" in shapes) == privileged
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(env.action_space.sample())
            assert {key: (type(value), np.shape(value)) for key, value in info.items()} == shapes
            over = terminated or truncated
        envs = make_vec(env_id, max_episode_steps=12, **keywords)
        keys = set(envs.reset(seed=0)[1])
        envs.action_space.seed(0)
        for _ in range(30):
            assert set(envs.step(envs.action_space.sample())[4]) == keys


@pytest.mark.parametrize("env_id", IDS)
def test_vectors_have_what_gymnasiums_vectors_have(env_id):
    env, single = make_vec(env_id), make(env_id)
    assert isinstance(env, VectorEnv)
    assert env.num_envs == 3
    assert env.single_observation_space == single.observation_space
    assert env.single_action_space == single.action_space
    for space in ("observation_space", "action_space"):
        batched = gym.vector.utils.batch_space(getattr(single, space), 3)
        assert getattr(env, space) == batched
    assert env.metadata["autoreset_mode"] is env.autoreset_mode is AutoresetMode.NEXT_STEP
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    env.action_space.seed(0)
    seen, reward, terminated, truncated, _ = env.step(env.action_space.sample())
    assert env.observation_space.contains(seen)
    assert (reward.dtype, terminated.dtype, truncated.dtype) == (float, bool, bool)
    assert {a.shape for a in (reward, terminated, truncated)} == {(3,)}
    assert env.spec.id == env_id
    if env_id in SOLO:
        for mode in MODES:
            for given in (mode, mode.value):
                other = make_vec(env_id, autoreset_mode=given)
                assert other.metadata["autoreset_mode"] is other.autoreset_mode is mode
    env.close()


SPAWNED = """
from functools import partial

import gymnasium as gym
import numpy as np

if __name__ == "__main__":
    env_id = "anymdp_bench:AnyMDP-16s5a-v0"
    assert "AnyMDP-16s5a-v0" not in gym.registry  # nothing has imported the package
    env = gym.make(env_id)
    env.reset(seed=1)
    env.step(1)  # a copy of it, in mid-episode, goes to the second process
    native = gym.make_vec(env_id, num_envs=2)
    spawned = gym.vector.AsyncVectorEnv([partial(gym.make, env_id), lambda: env], context="spawn")
    seen = native.reset(seed=3)[0]
    assert np.array_equal(spawned.reset(seed=3)[0], seen)
    rewards = native.step(np.ones(2, int))[1]
    assert np.array_equal(spawned.step(np.ones(2, int))[1], rewards)
    spawned.close()
    print("fine")
"""


def test_ids_with_the_package_and_copies_are_known_in_spawned_processes(tmp_path):
    script = tmp_path / "spawned.py"
    script.write_text(SPAWNED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.stdout.strip() == "fine", done.stderr
