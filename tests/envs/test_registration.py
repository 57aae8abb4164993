"""Every registered id is a Gymnasium environment that passes Gymnasium's checks."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import anymdp_bench
from anymdp_bench.mdp import TaskError
from anymdp_bench.tasks.family import task_source
from registered import IDS, SIZES, SOLO, TABLES, make


@pytest.fixture(autouse=True)
def _gymnasium_warnings_are_errors(monkeypatch):
    def refuse(message, *args, **_):
        raise AssertionError(message % args if args else message)

    monkeypatch.setattr(gym.logger, "warn", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_the_published_ids_are_there():
    sizes = [f"AnyMDP-{s}s5a-v0" for s in (1, 16, 32, 64, 128)]
    garnets = [f"Garnet-{s}s5a{b}b-v0" for s in (16, 32, 64, 128) for b in (2, 4)]
    classics = ["CliffWalkingTerminal-v0", "FrozenLake4x4-v0", "FrozenLake4x4Slippery-v0"]
    classics += ["Darkroom-v0", *(f"Darkroom-{d}x{d}-v0" for d in (6, 8, 10))]
    classics += [f"DiscretePendulum-g{g}-v0" for g in ("1", "5", "9.8")]
    published = {"AnyMDP-v0", *sizes, *garnets, *classics, "Switch2-v0"}
    assert published <= set(IDS) <= set(gym.registry)


@pytest.mark.parametrize("env_id", IDS)
def test_check_env_has_no_complaint(env_id):
    check_env(make(env_id, render_mode="rgb_array").unwrapped)
    if env_id in SOLO:
        check_env(make(env_id, render_mode="ansi", privileged_info=True).unwrapped)


@pytest.mark.parametrize("env_id", TABLES)
def test_make_plays_the_sampled_task(env_id):
    env = make(env_id, task_seed=7)
    task = anymdp_bench.sample_task(env_id, seed=7, **SIZES.get(env_id, {}))
    assert env.unwrapped.task == task
    assert make(env_id).unwrapped.task_seed == 0
    assert env.observation_space == gym.spaces.Discrete(task.n_observations)
    assert env.action_space == gym.spaces.Discrete(task.n_actions)


@pytest.mark.parametrize("env_id", IDS)
def test_every_id_gives_its_table_and_is_evaluated(env_id):
    """The exceptions are those that docs/environments.md names."""
    if env_id.startswith("DiscretePendulum"):
        with pytest.raises(TaskError, match=r"no TabularMDP; play it through gym\.make"):
            anymdp_bench.sample_task(env_id)
    elif env_id not in SIZES:
        assert anymdp_bench.sample_task(env_id).max_steps > 0
    if env_id in SIZES:  # what --env says; tests/cli holds the exit code
        with pytest.raises(TaskError, match="by keyword, or take an id of fixed size"):
            task_source(env_id).task(0)
    else:
        assert task_source(env_id).task(0).references.oracle


def test_switch2_is_one_environment_that_moves_both_players():
    env, parallel = gym.make("Switch2-v0"), anymdp_bench.switch2_parallel_env()
    assert env.observation_space == gym.spaces.MultiDiscrete([105, 105])
    assert env.action_space == gym.spaces.MultiDiscrete([5, 5])
    env.action_space.seed(0)
    seen, expected = env.reset(seed=0)[0], parallel.reset()[0]
    while parallel.agents:
        assert seen.tolist() == list(expected.values())
        actions = env.action_space.sample()
        seen, reward, terminated, truncated, info = env.step(actions)
        expected, rewards, *_ = parallel.step(dict(zip(parallel.agents, actions, strict=True)))
        assert info["rewards"].tolist() == list(rewards.values())
        assert reward == pytest.approx(sum(rewards.values()))
    assert terminated or truncated
    assert gym.make_vec("Switch2-v0", num_envs=2).reset(seed=0)[0].shape == (2, 2)


def test_a_size_that_is_no_id_is_made_by_keywords():
    env = gym.make("AnyMDP-v0", n_states=40, n_actions=3)
    assert (env.observation_space.n, env.action_space.n) == (40, 3)
    named = gym.make("AnyMDP-v0", n_states=16, n_actions=5, task_seed=3)
    assert named.unwrapped.task == anymdp_bench.sample_task("AnyMDP-16s5a-v0", 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "n_states"),
        ({"n_states": 7, "n_actions": 5}, "n_states is 7; give an integer from 8"),
        ({"n_states": 16, "n_actions": 5, "colour": 1}, "colour"),
        (
            {"n_states": 16, "n_actions": 5, "task_seed": -1},
            "task_seed is -1; give an integer from 0",
        ),
        ({"n_states": 16, "n_actions": 5, "task_seed": 0.5}, "task_seed is 0.5"),
    ],
)
def test_wrong_keywords_are_refused_in_one_line(wrong, message):
    with pytest.raises(TaskError, match=message) as caught:
        gym.make("AnyMDP-v0", **wrong)
    assert "\n" not in str(caught.value)


def test_the_spec_of_a_single_environment_survives_json():
    env = gym.make("AnyMDP-16s5a-v0", task_seed=7, render_mode="ansi")
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec
    assert again.unwrapped.task == env.unwrapped.task
    assert again.render_mode == "ansi"


def test_the_spec_of_a_vector_environment_survives_json():
    envs = gym.make_vec("AnyMDP-16s5a-v0", num_envs=3, task_seeds=[4, 5, 4])
    again = gym.make_vec(EnvSpec.from_json(envs.spec.to_json()))
    assert again.num_envs == 3
    assert again.tasks == envs.tasks
    assert type(again) is type(envs)


def test_make_vec_is_native_and_gymnasiums_own_vectors_work_too():
    native = gym.make_vec("AnyMDP-16s5a-v0", num_envs=2)
    assert type(native).__name__ == "TabularVectorEnv"
    sync = gym.make_vec("AnyMDP-16s5a-v0", num_envs=2, vectorization_mode="sync")
    assert np.array_equal(native.reset(seed=3)[0], sync.reset(seed=3)[0])
