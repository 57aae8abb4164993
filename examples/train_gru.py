"""Trains a GRU that learns bandits in context, and evaluates it: python examples/train_gru.py [UPDATES]"""

import sys

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot, pad

import anymdp_bench
from anymdp_bench.agents import Agent
from anymdp_bench.datasets import Mixture, TorchDataset, TrainingRuns

ENV, OBSERVATIONS, ACTIONS = "AnyMDP-1s5a-v0", 1, 5
EXPLORERS = Mixture.of({"random": 1, "model-based": 1})  # behaviours that do not know the task


class Model(nn.Module):
    """Reads the last step and the current observation, and gives the logits of the actions."""

    def __init__(self, width=64):
        super().__init__()
        self.gru = nn.GRU(2 * OBSERVATIONS + ACTIONS + 2, width, batch_first=True)
        self.head = nn.Linear(width, ACTIONS)

    def forward(self, observation, last, memory=None):
        seen = one_hot(observation, OBSERVATIONS)
        hidden, memory = self.gru(torch.cat([seen, last], -1), memory)
        return self.head(hidden), memory


def encode(observation, action, reward, over):
    """Turns steps [n, T] into vectors [n, T, OBSERVATIONS + ACTIONS + 2]."""
    numbers = torch.stack([reward, over], -1).float()
    return torch.cat([one_hot(observation, OBSERVATIONS), one_hot(action, ACTIONS), numbers], -1)


def train(updates):
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, updates)
    runs = TrainingRuns(ENV, length=64, batch_size=64, mixture=EXPLORERS)
    for _, batch in zip(range(updates), TorchDataset(runs), strict=False):
        over = batch.terminated | batch.truncated
        steps = encode(batch.observation, batch.action, batch.reward, over)
        logits, _ = model(batch.observation, pad(steps[:, :-1], (0, 0, 1, 0)))
        target = torch.softmax(batch.advantage / 0.1, -1)  # the oracle's, whoever acted
        loss = cross_entropy(logits.flatten(0, 1), target.flatten(0, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


class GRUAgent(Agent):
    def __init__(self, model):
        self.model = model

    def start(self, batch):
        self.memory, self.last = None, torch.zeros(batch.n, 1, OBSERVATIONS + ACTIONS + 2)
        self.rngs = [np.random.default_rng(int(seed)) for seed in batch.seeds]

    @torch.no_grad()
    def act(self, observation, test=False):
        seen = torch.from_numpy(observation)[:, None]
        logits, self.memory = self.model(seen, self.last, self.memory)
        noise = [rng.gumbel(size=ACTIONS) for rng in self.rngs]  # samples from the softmax
        return (logits[:, 0].numpy() + noise).argmax(1)

    def learn(self, step):
        arrays = step.observation, step.action, step.reward, step.terminated | step.truncated
        self.last = encode(*(torch.from_numpy(x)[:, None] for x in arrays))


if __name__ == "__main__":
    agent = GRUAgent(train(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
    print(anymdp_bench.evaluate(agent, ENV, tasks=64, steps=500).table())
