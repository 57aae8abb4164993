"""PPO's rate against SB3's own loop on DummyVecEnv, same task, settings and number of streams.

    pytest tests/benchmarks/test_ppo.py --benchmark-timer=time.process_time --benchmark-json=ppo.json

`extra_info` holds the rate (steps a second, learning included, fastest round) and the ratio. All is one
thread, so the seconds are those of the processor: work beside it on the machine does not count.
"""

import time

import gymnasium as gym
import pytest
import stable_baselines3 as sb3
import torch
from stable_baselines3.common.vec_env import DummyVecEnv

import anymdp_bench  # noqa: F401
from anymdp_baselines.ppo import PPO, PPOSettings
from anymdp_baselines.sb3_env import SB3VecEnv
from anymdp_bench.protocol import Budget, Run, play_training
from anymdp_bench.scoring import tasks_that_count
from anymdp_bench.tasks.family import task_source

ENV = "AnyMDP-64s5a-v0"
SETTINGS = PPOSettings()
STEPS = 8 * SETTINGS.n_steps * PPO.parallel


def seconds_of_sb3(envs):
    torch.set_num_threads(1)
    model = sb3.PPO(
        "MlpPolicy", envs, learning_rate=SETTINGS.learning_rate, n_steps=SETTINGS.n_steps,
        batch_size=SETTINGS.batch_size, n_epochs=SETTINGS.n_epochs, device="cpu",
    )  # fmt: skip
    begin = time.process_time()
    model.learn(STEPS)
    return time.process_time() - begin


@pytest.fixture(scope="module")
def peer():
    """The fastest of three: seconds for `STEPS` steps of SB3 on DummyVecEnv."""
    makers = [lambda: gym.make(ENV)] * PPO.parallel
    return min(seconds_of_sb3(DummyVecEnv(makers)) for _ in range(3))


def test_the_agent(benchmark, peer):
    task = tasks_that_count(task_source(ENV), 1)[0][0]
    run = Run(ENV, task, 0)
    play = lambda: play_training(PPO(SETTINGS), run, Budget(steps=STEPS))  # noqa: E731
    benchmark.pedantic(play, rounds=3, warmup_rounds=1)
    benchmark.extra_info["steps/s"] = round(STEPS / benchmark.stats.stats.min)
    benchmark.extra_info["times SB3 on DummyVecEnv"] = peer / benchmark.stats.stats.min


def test_sb3_on_the_native_environment(benchmark, peer):
    learn = lambda: seconds_of_sb3(SB3VecEnv(ENV, PPO.parallel))  # noqa: E731
    benchmark.pedantic(learn, rounds=3, warmup_rounds=1)
    benchmark.extra_info["steps/s"] = round(STEPS / benchmark.stats.stats.min)
    benchmark.extra_info["times SB3 on DummyVecEnv"] = peer / benchmark.stats.stats.min
