"""PPO in one file, as CleanRL writes it: `python examples/cleanrl_ppo.py --steps 100000`.

Needs torch. The native vector environment steps all streams in one compiled call.
"""

import argparse

import gymnasium as gym
import numpy as np
import torch
from torch import nn

import anymdp_bench
from anymdp_bench.scoring import compute_references

ENVS, LENGTH, EPOCHS, BATCHES = 32, 32, 4, 4
GAMMA, LAMBDA, CLIP, ENTROPY, RATE = 0.99, 0.95, 0.2, 0.01, 3e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default="AnyMDP-16s5a-v0")
    parser.add_argument("--task-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=100_000)
    args = parser.parse_args()
    torch.manual_seed(0)
    envs = gym.make_vec(args.env, num_envs=ENVS, task_seeds=args.task_seed)
    n_observations, n_actions = envs.single_observation_space.n, envs.single_action_space.n
    actor, critic = nn.Embedding(n_observations, n_actions), nn.Embedding(n_observations, 1)
    nn.init.zeros_(actor.weight)
    nn.init.zeros_(critic.weight)
    weights = [actor.weight, critic.weight]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    seen, played, over = torch.as_tensor(envs.reset(seed=0)[0]), 0, torch.zeros(ENVS)
    while played < args.steps:
        memory = []
        for _ in range(LENGTH):
            with torch.no_grad():
                choice = torch.distributions.Categorical(logits=actor(seen))
                action = choice.sample()
            after, reward, ended, cut, _ = envs.step(action.numpy())
            kept = 1.0 - over  # after an episode comes a step that only resets
            memory.append((seen, action, choice.log_prob(action), torch.as_tensor(reward), kept))
            seen, over = torch.as_tensor(after), torch.as_tensor(ended | cut).float()
            memory[-1] += (seen, torch.as_tensor(ended).float(), over)
        played += ENVS * LENGTH
        obs, acts, old, rewards, kept, nexts, ended, done = map(
            torch.stack, zip(*memory, strict=True)
        )
        with torch.no_grad():
            value, ahead = critic(obs)[..., 0], critic(nexts)[..., 0]
            delta = rewards.float() + GAMMA * ahead * (1 - ended) - value
            advantage, last = torch.zeros_like(delta), torch.zeros(ENVS)
            for t in reversed(range(LENGTH)):
                last = delta[t] + GAMMA * LAMBDA * (1 - done[t]) * last
                advantage[t] = last
        target, rows = advantage + value, kept.flatten().nonzero()[:, 0]
        for _ in range(EPOCHS):
            for part in rows[torch.randperm(len(rows))].tensor_split(BATCHES):
                at, a = obs.flatten()[part], advantage.flatten()[part]
                a = (a - a.mean()) / (a.std() + 1e-8)
                choice = torch.distributions.Categorical(logits=actor(at))
                ratio = (choice.log_prob(acts.flatten()[part]) - old.flatten()[part]).exp()
                loss = -torch.min(ratio * a, ratio.clamp(1 - CLIP, 1 + CLIP) * a).mean()
                loss += ((critic(at)[:, 0] - target.flatten()[part]) ** 2).mean() / 2
                loss -= ENTROPY * choice.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(weights, 0.5)
                optimizer.step()

    mdp = anymdp_bench.sample_task(args.env, args.task_seed)
    policy = actor.weight.argmax(1).numpy()[mdp.observation]
    score = compute_references(mdp).score(anymdp_bench.expected_return(mdp, np.asarray(policy)))
    print(f"PPO after {played} steps: score {100 * score:.1f}%")


if __name__ == "__main__":
    main()
