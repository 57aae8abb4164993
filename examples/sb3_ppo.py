"""Stable-Baselines3's PPO on one AnyMDP task: `python examples/sb3_ppo.py --steps 50000`.

Needs stable-baselines3. SB3 steps eight environments one after another, in its `DummyVecEnv`.
"""

import argparse

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import anymdp_bench
from anymdp_bench.scoring import compute_references


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="AnyMDP-16s5a-v0")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50_000)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small: threads would wait for each other

    keywords = {"task_seed": args.task_seed}
    envs = make_vec_env(lambda: gym.make(args.env, **keywords), n_envs=8, seed=0)
    model = PPO("MlpPolicy", envs, n_steps=64, gamma=0.99, seed=0, device="cpu")
    model.learn(args.steps)

    # The score of the learnt policy is exact: no test episodes are needed.
    mdp = anymdp_bench.sample_task(args.env, args.task_seed)
    actions, _ = model.predict(np.arange(mdp.n_observations), deterministic=True)
    value = anymdp_bench.expected_return(mdp, actions[mdp.observation])
    score = compute_references(mdp).score(value)
    print(f"PPO after {model.num_timesteps} steps: return {value:.2f}, score {100 * score:.1f}%")


if __name__ == "__main__":
    main()
