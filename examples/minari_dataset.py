"""A Minari data set of an AnyMDP task, and a policy cloned from it: `python examples/minari_dataset.py`.

Needs minari[create,hdf5]. Minari keeps the data set in its own folder, or in $MINARI_DATASETS_PATH.
"""

import argparse
import os

import gymnasium as gym
import minari
import numpy as np

import anymdp_bench
from anymdp_bench.scoring import compute_references

DATASET = "anymdp/16s5a-half-oracle-v0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=5_000)
    args = parser.parse_args()
    if folder := os.environ.get("MINARI_DATASETS_PATH"):  # Minari takes absolute ones only
        os.environ["MINARI_DATASETS_PATH"] = os.path.abspath(folder)

    # The behaviour: the oracle's action with probability 1/2, else a random one.
    env = gym.make("AnyMDP-16s5a-v0", task_seed=args.task_seed, privileged_info=True)
    recorder, rng, steps = minari.DataCollector(env), np.random.default_rng(0), 0
    while steps < args.steps:
        _, info = recorder.reset(seed=steps)
        over = False
        while not over:
            random = rng.integers(env.action_space.n)
            action = info["optimal_action"] if rng.random() < 0.5 else random
            _, _, terminated, truncated, info = recorder.step(action)
            over, steps = terminated or truncated, steps + 1
    if DATASET in minari.list_local_datasets():
        minari.delete_dataset(DATASET)
    recorder.create_dataset(
        DATASET,
        algorithm_name="half oracle, half random",
        eval_env=env,
        description="An AnyMDP task, played half by its oracle",
    )

    # The cloned policy: the action that was played most often after each observation.
    data = minari.load_dataset(DATASET)
    mdp = anymdp_bench.sample_task("AnyMDP-16s5a-v0", args.task_seed)
    counts = np.zeros((mdp.n_observations, mdp.n_actions), int)
    for episode in data.iterate_episodes():
        np.add.at(counts, (episode.observations[:-1], episode.actions), 1)
    policy = counts.argmax(axis=1)[mdp.observation]
    score = compute_references(mdp).score(anymdp_bench.expected_return(mdp, policy))
    print(
        f"{data.total_episodes} episodes, {data.total_steps} steps; cloned score {100 * score:.1f}%"
    )


if __name__ == "__main__":
    main()
