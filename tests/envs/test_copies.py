"""A copy of an environment, pickled or deep, goes on with the trajectory of the original."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import anymdp_bench
from registered import GAMES, IDS, SOLO, make, make_vec

STEPS = 50


def unpickle(env):
    return pickle.loads(pickle.dumps(env))


COPIES = pytest.mark.parametrize("copied", [unpickle, copy.deepcopy])
DEEP = {"AnyMDP-16s5a-v0", "Darkroom-8x8-v0", "DiscretePendulum-g1-v0", *GAMES}  # one of each kind
SINGLE, VECTOR = (
    [(env_id, unpickle) for env_id in ids]
    + [(env_id, copy.deepcopy) for env_id in ids if env_id in DEEP]
    for ids in (IDS, SOLO)
)


def trajectory(env, n, seed):
    """n steps with actions of that seed, single or vector; a single environment resets by itself."""
    rng, out = np.random.default_rng(seed), []
    space = env.action_space
    size = space.nvec if hasattr(space, "nvec") else int(space.n)
    for _ in range(n):
        step = env.step(rng.integers(size))
        out.append(step[:4])
        if isinstance(env, gym.Env) and (step[2] or step[3]):
            out.append(env.reset()[:1])
    return out


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            assert type(x) is type(y)
            assert np.array_equal(x, y)


@pytest.mark.parametrize(("env_id", "copied"), SINGLE)
def test_a_single_environment_goes_on(env_id, copied):
    keywords = {"privileged_info": True} if env_id in SOLO else {}
    for env in (make(env_id), make(env_id, render_mode="rgb_array", **keywords).unwrapped):
        env.reset(seed=3)
        trajectory(env, 5, seed=1)
        twin = copied(env)
        assert_same(trajectory(twin, STEPS, seed=2), trajectory(env, STEPS, seed=2))
        assert twin.spec == env.spec


@pytest.mark.parametrize(("env_id", "copied"), VECTOR)
def test_a_vector_environment_goes_on(env_id, copied):
    for mode in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        env = make_vec(env_id, autoreset_mode=mode, max_episode_steps=20, privileged_info=True)
        env.reset(seed=3)
        trajectory(env, 5, seed=1)
        twin = copied(env)
        assert_same(trajectory(twin, STEPS, seed=2), trajectory(env, STEPS, seed=2))
        assert twin.autoreset_mode is mode
        assert np.array_equal(twin.reset(seed=8)[0], env.reset(seed=8)[0])


@COPIES
def test_a_copy_leaves_the_original_alone(copied):
    for env in (make("AnyMDP-16s5a-v0"), make_vec("AnyMDP-16s5a-v0"), make(*GAMES)):
        env.reset(seed=1)
        twin = copied(env)
        trajectory(twin, STEPS, seed=3)
        fresh = copied(env)
        assert_same(trajectory(env, STEPS, seed=2), trajectory(fresh, STEPS, seed=2))


@COPIES
def test_the_parallel_environment_goes_on(copied):
    env = anymdp_bench.switch2_parallel_env()
    env.reset()
    env.step({"agent_1": 0, "agent_2": 4})
    twin = copied(env)
    assert twin.joint_state == env.joint_state
    while env.agents:
        actions = {"agent_1": 3, "agent_2": 0}
        assert twin.step(actions) == env.step(actions)


@COPIES
def test_a_copied_task_is_the_task_and_cannot_be_changed(copied):
    task = anymdp_bench.sample_task("AnyMDP-16s5a-v0", 3)
    tables = task.step_tables
    twin = copied(task)
    assert twin == task
    for array in (*twin.bands, twin.start, twin.terminal, twin.observation):
        assert not array.flags.writeable
    assert all(map(np.array_equal, twin.step_tables[:2], tables[:2]))
    env = make("AnyMDP-16s5a-v0")
    env.reset(options={"task": twin})
    assert env.unwrapped.task is twin


def test_the_values_of_copied_tables_are_their_cells():
    tables = unpickle(anymdp_bench.sample_task("AnyMDP-16s5a-v0").step_tables)
    assert np.shares_memory(tables.cells, tables.values)


@pytest.mark.parametrize("env_id", ["AnyMDP-16s5a-v0", "DiscretePendulum-g1-v0"])
def test_no_kernel_is_pickled(env_id):
    """It would be compiled anew in every process that reads it."""
    assert b"numba" not in pickle.dumps(make_vec(env_id))
