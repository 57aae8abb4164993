"""Stable-Baselines3's DQN on a Darkroom of any size: `python examples/sb3_dqn.py --steps 30000`.

Needs stable-baselines3. DQN takes one environment; its network gets the observation as a one-hot vector.
"""

import argparse

import numpy as np
import torch
from stable_baselines3 import DQN

import anymdp_bench
from anymdp_bench.scoring import compute_references


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="Darkroom-v0?size=5")
    parser.add_argument("--steps", type=int, default=30_000)
    args = parser.parse_args()
    torch.set_num_threads(1)  # the networks are small: threads would wait for each other

    env = anymdp_bench.make(args.env)
    model = DQN(
        "MlpPolicy", env, learning_starts=500, train_freq=4, target_update_interval=500,
        exploration_fraction=0.5, gamma=0.95, seed=0, device="cpu",
    )  # fmt: skip
    model.learn(args.steps)

    mdp = anymdp_bench.sample_task(args.env)
    actions, _ = model.predict(np.arange(mdp.n_observations), deterministic=True)
    value = anymdp_bench.expected_return(mdp, actions[mdp.observation])
    score = compute_references(mdp).score(value)
    print(f"DQN after {model.num_timesteps} steps: return {value:.2f}, score {100 * score:.1f}%")


if __name__ == "__main__":
    main()
