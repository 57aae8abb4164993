"""Other people's libraries on our environments: `pip install 'anymdp-bench[integration]'`, else skipped."""

import gymnasium as gym
import numpy as np
import pytest

import anymdp_bench
from registered import IDS, SIZES, SOLO, make

# The libraries' own warnings, on being imported and of what they deprecate, are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")
SOME = ["AnyMDP-16s5a-v0", "Darkroom-8x8-v0", "DiscretePendulum-g1-v0", "Switch2-v0"]


@pytest.mark.parametrize("env_id", IDS)
def test_minari_records_infos(env_id):
    minari = pytest.importorskip("minari")
    pytest.importorskip("jax")  # without which Minari cannot put infos together
    keywords = {"privileged_info": True} if env_id in SOLO else {}
    env = minari.DataCollector(make(env_id, **keywords), record_infos=True)
    env.action_space.seed(0)
    env.reset(seed=0, options={"task_seed": 1, "minari_autoseed": False})
    while not any(env.step(env.action_space.sample())[2:4]):
        pass  # Minari refuses a step whose keys are not those of reset


def test_minaris_data_set_makes_the_environment_again(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    pytest.importorskip("jax")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = minari.DataCollector(gym.make("Darkroom-8x8-v0", task_seed=3), record_infos=True)
    for seed in range(2):
        env.reset(seed=seed)
        while not any(env.step(0)[2:4]):
            pass
    data = env.create_dataset("darkroom/test-v0", algorithm_name="down")
    again = data.recover_environment()
    assert again.spec.max_episode_steps == 200
    assert len(data) == 2
    for seed, episode in enumerate(data.iterate_episodes()):
        assert again.reset(seed=seed)[0] == episode.observations[0]
        assert [again.step(0)[0] for _ in episode.actions] == list(episode.observations[1:])
        assert episode.infos["task_seed"].tolist() == [0] * len(episode.observations)


@pytest.mark.parametrize("env_id", SOME)
def test_torchrl_rolls_out(env_id):
    pytest.importorskip("torchrl")
    from torchrl.envs import GymEnv
    from torchrl.envs.utils import check_env_specs

    for keywords in ({}, {"categorical_action_encoding": True}, {"frame_skip": 2}):
        env = GymEnv(env_id, **keywords)
        check_env_specs(env)
        assert env.rollout(20).batch_size[0] <= 20
    free = GymEnv("AnyMDP-v0", **SIZES["AnyMDP-v0"], task_seed=7)
    task = anymdp_bench.sample_task("AnyMDP-v0", 7, **SIZES["AnyMDP-v0"])
    assert free._env.unwrapped.task == task


def test_rllib_trains():
    pytest.importorskip("ray.rllib")
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.connectors.env_to_module import FlattenObservations

    config = PPOConfig().environment("anymdp_bench:AnyMDP-16s5a-v0").learners(num_learners=0)
    config = config.env_runners(
        num_env_runners=0,
        rollout_fragment_length=64,
        env_to_module_connector=lambda env, spaces, device: FlattenObservations(),
    ).training(train_batch_size=64, minibatch_size=32, num_epochs=1)
    algorithm = config.build_algo()
    assert algorithm.train()["env_runners"]["num_env_steps_sampled"] == 64
    algorithm.stop()
    ray.shutdown()


@pytest.mark.parametrize("processes", [0, 2])
def test_supersuit_makes_vectors_of_the_parallel_environment(processes):
    supersuit = pytest.importorskip("supersuit")
    env = supersuit.pettingzoo_env_to_vec_env_v1(anymdp_bench.switch2_parallel_env())
    vector = supersuit.concat_vec_envs_v1(env, 2, num_cpus=processes, base_class="gymnasium")
    expected, _ = anymdp_bench.switch2_parallel_env().reset()
    assert vector.reset(seed=0)[0].tolist() == list(expected.values()) * 2
    assert vector.step(np.full(4, 4))[1] == pytest.approx([-0.1] * 4)
    vector.close()


@pytest.mark.parametrize(
    ("wrapper", "argument"), [("frame_stack_v2", 3), ("sticky_actions_v0", 0.5)]
)
def test_supersuits_wrappers_of_the_parallel_environment(wrapper, argument):
    supersuit = pytest.importorskip("supersuit")
    env = getattr(supersuit, wrapper)(anymdp_bench.switch2_parallel_env(), argument)
    env.reset(seed=1)
    steps = 0
    while env.agents:
        env.step(dict.fromkeys(env.agents, 4))
        steps += 1
    assert steps == 50


def test_supersuit_makes_gymnasium_vectors():
    supersuit = pytest.importorskip("supersuit")
    vector = supersuit.gym_vec_env_v0(gym.make("AnyMDP-16s5a-v0"), 3)
    assert vector.reset()[0].shape == (3,)
    assert vector.step(np.zeros(3, int))[1].shape == (3,)


@pytest.mark.parametrize("env_id", SOLO)
def test_stable_baselines3_has_no_complaint(env_id):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.env_checker import check_env

    check_env(make(env_id))
