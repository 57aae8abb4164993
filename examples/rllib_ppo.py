"""RLlib's PPO on one AnyMDP task: `python examples/rllib_ppo.py --steps 20000`.

Needs ray[rllib] and torch. RLlib pins Gymnasium to a version of its own. `anymdp_bench:` in the name makes
RLlib's processes import the package, which registers the ids.
"""

import argparse

import numpy as np
import ray
import torch
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.connectors.env_to_module import FlattenObservations

import anymdp_bench
from anymdp_bench.scoring import compute_references


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="AnyMDP-16s5a-v0")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=20_000)
    args = parser.parse_args()

    batch = min(args.steps, 2_000)
    config = (
        PPOConfig()
        .environment(f"anymdp_bench:{args.env}", env_config={"task_seed": args.task_seed})
        .env_runners(
            num_env_runners=0,
            env_to_module_connector=lambda env, spaces, device: FlattenObservations(),
        )
        .learners(num_learners=0)
        .training(train_batch_size=batch, minibatch_size=min(batch, 256), lr=1e-3, gamma=0.99)
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    for _ in range(max(args.steps // batch, 1)):
        result = algorithm.train()

    # The learnt policy as a table: the network's best action for each observation.
    mdp = anymdp_bench.sample_task(args.env, args.task_seed)
    one_hot = torch.eye(mdp.n_observations)
    with torch.no_grad():
        logits = algorithm.get_module().forward_inference({"obs": one_hot})["action_dist_inputs"]
    policy = np.asarray(logits).argmax(axis=1)[mdp.observation]
    score = compute_references(mdp).score(anymdp_bench.expected_return(mdp, policy))
    steps = int(result["num_env_steps_sampled_lifetime"])
    print(f"PPO after {steps} steps: score {100 * score:.1f}%")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main()
