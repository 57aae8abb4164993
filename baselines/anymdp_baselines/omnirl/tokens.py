"""From steps to tokens: what a sequence model reads of a step, and the layouts of its tokens.

A step t of a run is described by what led to the current state: the state left, the action and reward, how
the episode went on, the state arrived at (the current one, unless an episode ended there and the current
state begins a new one), and who acted. `OneToken` makes one token of it, a sum. `FourTokens` makes the
paper's four, state, tag, action, reward, and reads the action out after the tag. `NamelessTokens` needs no
ids. Where the paper has an extra step at the end of an episode, we have `arrival` and `ending`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from anymdp_baselines.omnirl.codes import CODE, REWARD_FEATURES
from anymdp_bench.datasets.codes import ENDINGS, NOTHING, TAGS, WENT_ON


class StepInputs(NamedTuple):
    """What is read of the steps of runs, [B, T] each: reward and scale float32, the others int64."""

    seen: Tensor  # the current observation
    left: Tensor  # the observation left, 0 where there is none
    action: Tensor  # the action taken there
    reward: Tensor  # its reward
    scale: (
        Tensor  # root mean square of the rewards of the run so far, that one included; 0 for none
    )
    ending: Tensor  # how the episode went on
    arrival: Tensor  # the observation arrived at
    tag: Tensor  # who acted (`datasets.codes`)

    def to(self, device: str) -> StepInputs:
        """Returns the same on `device`."""
        return StepInputs(*(x.to(device) for x in self))


def reward_features(steps: StepInputs) -> Tensor:
    """Returns features [B, T, 6] of rewards, whose scale differs by orders of magnitude between tasks."""
    reward, scale = steps.reward, steps.scale.clamp(min=1e-6)
    return torch.stack(
        [
            (reward / scale).clamp(-4.0, 4.0),
            torch.log(scale) / 2.0,
            reward.clamp(-4.0, 4.0) / 2.0,
            torch.asinh(reward),
            torch.asinh(10.0 * reward) / 2.0,
            torch.tanh(reward),
        ],
        -1,
    )


class NamelessTokens(nn.Module):
    """One token a step that knows no ids: reward, ending, tag, and a fixed code of the state arrived at.

    The hard-addressed memory tells what a state or an action is like.
    """

    per_step, readout = 1, 0

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(REWARD_FEATURES + ENDINGS + TAGS + 1 + CODE, width)

    def forward(self, steps: StepInputs, codes: Tensor) -> Tensor:
        """Returns tokens [B, T, width]; `codes` are those of `state_codes`."""
        features = [
            reward_features(steps),
            one_hot(steps.ending, ENDINGS).float(),
            one_hot(steps.tag, TAGS).float(),
            (steps.seen == steps.left).float()[..., None],
            codes[steps.arrival],
        ]
        out: Tensor = self.embed(torch.cat(features, -1))
        return out


class OneToken(nn.Module):
    """One token a step: learned embeddings of ids, summed."""

    per_step, readout = 1, 0

    def __init__(self, width: int, n_observations: int, n_actions: int) -> None:
        super().__init__()
        self.seen, self.left, self.arrival = (nn.Embedding(n_observations, width) for _ in range(3))
        self.action = nn.Embedding(n_actions, width)
        self.ending, self.tag = nn.Embedding(ENDINGS, width), nn.Embedding(TAGS, width)
        self.reward = nn.Linear(REWARD_FEATURES, width)
        # The key of a memory must tell (state, action) pairs apart, which a sum of embeddings hardly does.
        self.pair = nn.Linear(width, 2 * width)
        for table in self.children():
            if isinstance(table, nn.Embedding):
                nn.init.normal_(table.weight, std=0.5)

    def forward(self, steps: StepInputs, codes: Tensor) -> Tensor:
        """Returns tokens [B, T, width]."""
        known = (steps.ending != NOTHING).float()[..., None]
        before = self.left(steps.left) + self.action(steps.action)
        gate, value = self.pair(before).chunk(2, -1)
        before = before + gate.sigmoid() * value
        before = before + self.reward(reward_features(steps)) + self.arrival(steps.arrival)
        now = self.seen(steps.seen) + self.ending(steps.ending) + self.tag(steps.tag)
        out: Tensor = now + known * before
        return out


class FourTokens(nn.Module):
    """The paper's four tokens a step: reward and action of the step before, then state and tag."""

    per_step, readout = 4, 3

    def __init__(self, width: int, n_observations: int, n_actions: int) -> None:
        super().__init__()
        self.seen, self.arrival = (nn.Embedding(n_observations, width) for _ in range(2))
        self.action, self.tag = nn.Embedding(n_actions, width), nn.Embedding(TAGS, width)
        self.ending = nn.Embedding(ENDINGS, width)
        self.reward = nn.Linear(REWARD_FEATURES, width)
        self.place = nn.Parameter(torch.zeros(4, width))

    def forward(self, steps: StepInputs, codes: Tensor) -> Tensor:
        """Returns tokens [B, 4 T, width], in the order action, reward, state, tag."""
        ended = (steps.ending != WENT_ON).float()[..., None]
        each = [
            self.action(steps.action),
            self.reward(reward_features(steps))
            + self.ending(steps.ending)
            + ended * self.arrival(steps.arrival),
            self.seen(steps.seen),
            self.tag(steps.tag),
        ]
        tokens = torch.stack(each, 2) + self.place
        return tokens.flatten(1, 2)
