"""PPO's rate against SB3's own: same task, settings, number of streams and scaling of rewards, in one run.

    pytest tests/benchmarks/test_ppo.py --benchmark-timer=time.process_time --benchmark-json=ppo.json

SB3 learns on its `DummyVecEnv` and on Gymnasium's `SyncVectorEnv`, both of `gym.make`. `extra_info` holds the
rates (steps a second; the agent's with its exact tests) and the agent's ratio to each: the median over rounds
in which the rivals take turns, with the lowest and highest. All is one thread, so the seconds are those of
the processor: work beside it on the machine hardly counts.
"""

import time

import gymnasium as gym
import numpy as np
import pytest
import stable_baselines3 as sb3
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

import anymdp_bench  # noqa: F401
from anymdp_baselines.ppo.agent import PPO, PPOSettings
from anymdp_baselines.ppo.vector_env import SB3VecEnv
from anymdp_bench.evaluation import Budget, Run, play_training
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks

ENV = "AnyMDP-64s5a-v0"
SETTINGS = PPOSettings()
STEPS = 32 * SETTINGS.n_steps * SETTINGS.n_envs
ROUNDS = 5


def sb3_learns(envs):
    torch.set_num_threads(1)
    if SETTINGS.norm_reward:
        envs = VecNormalize(envs, norm_obs=False, gamma=SETTINGS.gamma)
    sb3.PPO(
        "MlpPolicy", envs, learning_rate=SETTINGS.learning_rate, n_steps=SETTINGS.n_steps,
        ent_coef=SETTINGS.ent_coef, gamma=SETTINGS.gamma, gae_lambda=SETTINGS.gae_lambda,
        batch_size=SETTINGS.batch_size, n_epochs=SETTINGS.n_epochs, device="cpu",
    ).learn(STEPS)  # fmt: skip


@pytest.fixture(scope="module")
def rivals():
    task = select_tasks(task_source(ENV), 1)[0][0]
    makers = [lambda: gym.make(ENV, task_seed=task.seed)] * SETTINGS.n_envs
    sync = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    native = SB3VecEnv(ENV, SETTINGS.n_envs, task_seeds=task.seed)
    dummy, synchronous = DummyVecEnv(makers), SB3VecEnv(sync)
    return {
        "ours": lambda: play_training(PPO(SETTINGS), Run(ENV, task, 0), Budget(steps=STEPS)),
        "SB3 on DummyVecEnv": lambda: sb3_learns(dummy),
        "SB3 on SyncVectorEnv": lambda: sb3_learns(synchronous),
        "SB3 on the native environment": lambda: sb3_learns(native),
    }


def test_against_sb3(benchmark, rivals):
    seconds = {name: [] for name in rivals}

    def everybody():
        for name, learn in rivals.items():
            begin = time.process_time()
            learn()
            seconds[name].append(time.process_time() - begin)

    benchmark.pedantic(everybody, rounds=ROUNDS, warmup_rounds=1)
    taken = {name: np.array(each[1:]) for name, each in seconds.items()}
    for name, each in taken.items():
        benchmark.extra_info[f"{name}, steps/s"] = round(STEPS / float(np.median(each)))
        if name != "ours":
            ratio = np.sort(each / taken["ours"])
            low, middle, high = (round(float(ratio[k]), 2) for k in (0, len(ratio) // 2, -1))
            benchmark.extra_info[f"times {name}"] = f"{middle} ({low} to {high})"
