"""What every environment takes and refuses, single and vector: keywords, options, seeds, actions."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import anymdp_bench
from anymdp_bench.mdp import TaskError
from registered import GAMES, IDS, SIZES, SOLO, make, make_vec

SOME = ["AnyMDP-16s5a-v0", "DiscretePendulum-g1-v0", *GAMES]
VECTORS = ["AnyMDP-16s5a-v0", "DiscretePendulum-g1-v0"]
NO_SEEDS = [1.5, 3.0, "ab", True, np.True_, -1, np.int64(-1), np.array([1.5]), [[1]], {1: 2}, b"1"]
NO_INTEGERS = [1.0, 0.5, True, np.True_, np.array(True), "1", None, np.float64(1), np.array([1])]


def refuses(error, message, call, *arguments, **keywords):
    with pytest.raises(error, match=message) as caught:
        call(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("env_id", IDS)
def test_an_unknown_keyword_is_a_type_error(env_id):
    """Libraries that try a keyword, as TorchRL does, catch a TypeError with these words and go on."""
    message = "got an unexpected keyword argument 'frameskip'"
    for call in (make, make_vec):
        error = refuses(TypeError, message, call, env_id, frameskip=1)
        assert isinstance(error, TaskError)
    sizes = SIZES.get(env_id, {})
    refuses(TypeError, message, anymdp_bench.sample_task, env_id, **sizes, frameskip=1)


@pytest.mark.parametrize("env_id", SOLO)
def test_the_keyword_of_the_other_function_is_named(env_id):
    hint = "a single environment takes task_seed, and the native vector of gym.make_vec task_seeds"
    refuses(TypeError, hint, make, env_id, task_seeds=3)
    refuses(TypeError, hint, make_vec, env_id, task_seed=3)
    refuses(TypeError, hint, make_vec, env_id, vectorization_mode="sync", task_seeds=[3, 4, 5])


@pytest.mark.parametrize("env_id", IDS)
def test_an_unknown_option_is_refused(env_id):
    single, vector = make(env_id), make_vec(env_id)
    for env in (single, vector):
        refuses(ValueError, "unknown key 'speed'.*takes '", env.reset, options={"speed": 1})
        refuses(ValueError, "give 'task_seed'", env.reset, options={"task_seeds": 1})
        refuses(ValueError, "give a dict or None", env.unwrapped.reset, options=["task_seed"])
        env.reset(options={"task_seed": 1})
        env.reset(options={})
    vector.reset(options={"reset_mask": np.array([True, False, True])})
    refuses(ValueError, "unknown key 'reset_mask'", single.reset, options={"reset_mask": 1})


def test_the_options_of_the_parallel_environment():
    env = anymdp_bench.switch2_parallel_env()
    refuses(ValueError, "unknown key 'speed'", env.reset, options={"speed": 1})
    refuses(ValueError, "give 'task_seed'", env.reset, options={"task_seeds": 1})
    env.reset(options={"task_seed": 1})


@pytest.mark.parametrize("seed", [5, np.int64(5), np.uint8(5), np.array(5), np.uint64(5)], ids=repr)
@pytest.mark.parametrize("env_id", SOME)
def test_every_integer_is_a_seed(env_id, seed):
    env, twin = make(env_id), make(env_id)
    assert np.array_equal(env.reset(seed=seed)[0], twin.reset(seed=5)[0])
    if env_id in SOLO:
        envs, twins = make_vec(env_id), make_vec(env_id)
        assert np.array_equal(envs.reset(seed=seed)[0], twins.reset(seed=5)[0])
        assert envs.np_random_seed == twins.np_random_seed == 5


@pytest.mark.parametrize("env_id", VECTORS)
def test_lists_and_arrays_of_integers_are_seeds(env_id):
    expected = make_vec(env_id).reset(seed=[7, 8, 9])[0]
    lists = [(7, 8, 9), range(7, 10), [np.int64(7), np.uint8(8), np.array(9)]]
    arrays = [np.arange(7, 10, dtype=kind) for kind in (np.int64, np.uint64, np.int32, object)]
    for seed in lists + arrays:
        assert np.array_equal(make_vec(env_id).reset(seed=seed)[0], expected)
    assert make_vec(env_id).reset(seed=[7, None, np.int64(9)])[0][[0, 2]].tolist() == [
        expected[0], expected[2]
    ]  # fmt: skip


@pytest.mark.parametrize("seed", NO_SEEDS, ids=repr)
@pytest.mark.parametrize("env_id", SOME)
def test_nothing_else_is_a_seed(env_id, seed):
    env = make(env_id).unwrapped
    error = refuses(ValueError, "seed is .*; give an integer from 0", env.reset, seed=seed)
    assert isinstance(error, gym.error.Error)  # as Gymnasium's own environments raise
    if env_id in SOLO:
        envs = make_vec(env_id, num_envs=2)
        message = r"seed(\[1\])? is|1 seeds for 2 streams"
        for given in (seed, [0, seed]):
            refuses(gym.error.Error, message, envs.reset, seed=given)
    if env_id in GAMES:
        parallel = anymdp_bench.switch2_parallel_env()
        refuses(ValueError, "seed is", parallel.reset, seed=seed)


@pytest.mark.parametrize("seed", [np.int64(7), np.uint64(7), np.array(7)], ids=repr)
def test_every_integer_is_a_task_seed(seed):
    env_id = "AnyMDP-16s5a-v0"
    task = anymdp_bench.sample_task(env_id, 7)
    env = make(env_id, task_seed=seed).unwrapped
    assert (env.task, env.task_seed, type(env.task_seed)) == (task, 7, int)
    assert make(env_id).reset(options={"task_seed": seed})[1] == {"task_seed": 7}
    for given in (seed, [seed] * 3, np.array([seed] * 3)):
        assert make_vec(env_id, task_seeds=given).task_seeds.tolist() == [7] * 3
        _, info = make_vec(env_id).reset(options={"task_seed": given})
        assert info["task_seed"].tolist() == [7] * 3


def test_the_largest_task_seeds_stay_what_they_are():
    seeds = [1, 2**63, 2**64 - 1]  # NumPy would make floats of such a list
    envs = make_vec("AnyMDP-16s5a-v0", task_seeds=seeds)
    assert envs.tasks == tuple(anymdp_bench.sample_task("AnyMDP-16s5a-v0", k) for k in seeds)
    assert envs.task_seeds.tolist() == seeds
    assert make("AnyMDP-16s5a-v0", task_seed=2**64 - 1).unwrapped.task == envs.tasks[2]


@pytest.mark.parametrize("seed", [1.5, 2.0, "ab", True, np.True_, -1, 2**64, None], ids=repr)
@pytest.mark.parametrize("env_id", SOME)
def test_nothing_else_is_a_task_seed(env_id, seed):
    message = "task_seed is .*; give an integer from 0"
    refuses(TaskError, message, make, env_id, task_seed=seed)
    refuses(TaskError, message, make(env_id).unwrapped.reset, options={"task_seed": seed})
    if env_id in SOLO:
        for given in (seed, [0, 1, seed]):
            refuses(TaskError, message, make_vec, env_id, task_seeds=given)
            envs = make_vec(env_id)
            refuses(TaskError, message, envs.reset, options={"task_seed": given})


@pytest.mark.parametrize("env_id", VECTORS)
def test_integers_are_actions_and_nothing_else_is(env_id):
    env, envs = make(env_id).unwrapped, make_vec(env_id, num_envs=2)
    env.reset(seed=1), envs.reset(seed=1)
    for action in (1, np.int64(1), np.uint8(1), np.array(1)):
        env.step(action)
        envs.step([action, action])
    for action in (*NO_INTEGERS, -1, 5):
        refuses(ValueError, "action is .*; give an integer in 0", env.step, action)
        refuses(ValueError, r"give 2 integers|give 0\.\.4", envs.step, [0, action])
    refuses(ValueError, "give 2 integers", envs.step, np.array([True, False]))


def test_integers_are_actions_of_two_players_and_nothing_else_is():
    env, joint = anymdp_bench.switch2_parallel_env(), make("Switch2-v0").unwrapped
    env.reset(), joint.reset()
    for action in (1, np.int64(1), np.uint8(1), np.array(1)):
        env.step({"agent_1": action, "agent_2": 4})
        joint.step([action, 4])
    for action in (*NO_INTEGERS, -1, 5):
        message = "the action of agent_1 is .*; give an integer in 0"
        refuses(ValueError, message, env.step, {"agent_1": action, "agent_2": 4})
        refuses(ValueError, r"give 2 integers", joint.step, [action, 4])


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("env_id", VECTORS)
def test_no_vector_steps_before_every_stream_was_reset(env_id, mode):
    envs, zeros = make_vec(env_id, autoreset_mode=mode), np.zeros(3, int)
    refuses(gym.error.ResetNeeded, r"no stream was reset; call reset\(\)", envs.step, zeros)
    envs.reset(seed=1, options={"reset_mask": np.array([True, False, True])})
    refuses(gym.error.ResetNeeded, "stream 1 never was reset", envs.step, zeros)
    envs.reset(seed=2, options={"reset_mask": np.array([False, True, False])})
    envs.step(zeros)


@pytest.mark.parametrize("env_id", IDS)
def test_no_environment_steps_before_reset(env_id):
    env = make(env_id).unwrapped
    refuses(gym.error.ResetNeeded, "call reset", env.step, env.action_space.sample())
    envs = make_vec(env_id)
    refuses(gym.error.ResetNeeded, r"reset", envs.step, envs.action_space.sample())
