"""TorchRL's PPO loss on one AnyMDP task: `python examples/torchrl_ppo.py --steps 50000`.

Needs torchrl.
"""

import argparse

import gymnasium as gym
import torch
from tensordict.nn import (
    ProbabilisticTensorDictModule,
    ProbabilisticTensorDictSequential,
    TensorDictModule,
)
from torch import nn
from torchrl.envs import GymWrapper
from torchrl.modules import OneHotCategorical, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import anymdp_bench
from anymdp_bench.scoring import compute_references

LENGTH, EPOCHS = 512, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="AnyMDP-16s5a-v0")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=50_000)
    args = parser.parse_args()
    torch.manual_seed(0)
    env = GymWrapper(
        gym.make(args.env, task_seed=args.task_seed)
    )  # observations are one-hot vectors
    mdp = anymdp_bench.sample_task(args.env, args.task_seed)

    class Table(nn.Linear):
        """A table over observations: a linear layer on one-hot vectors."""

        def __init__(self, out: int) -> None:
            super().__init__(mdp.n_observations, out, bias=False)
            nn.init.zeros_(self.weight)

        def forward(self, observation: torch.Tensor) -> torch.Tensor:
            return super().forward(observation.float())

    table = Table(mdp.n_actions)
    logits = TensorDictModule(table, in_keys=["observation"], out_keys=["logits"])
    draw = ProbabilisticTensorDictModule(
        in_keys=["logits"],
        out_keys=["action"],
        distribution_class=OneHotCategorical,
        return_log_prob=True,
    )
    actor = ProbabilisticTensorDictSequential(logits, draw)
    critic = ValueOperator(Table(1), in_keys=["observation"])
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    loss = ClipPPOLoss(actor, critic)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-2)
    for _ in range(max(args.steps // LENGTH, 1)):
        with torch.no_grad():
            data = env.rollout(LENGTH, actor, break_when_any_done=False)
        for _ in range(EPOCHS):
            advantage(data)
            losses = loss(data)
            total = losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]
            optimizer.zero_grad()
            total.backward()
            optimizer.step()

    policy = table.weight.argmax(0).numpy()[mdp.observation]
    score = compute_references(mdp).score(anymdp_bench.expected_return(mdp, policy))
    print(f"PPO after {args.steps} steps: score {100 * score:.1f}%")


if __name__ == "__main__":
    main()
