"""The planner: a weight-tied message-passing network over the slots of the memory.

With x the embedded slot features, P the remembered transitions and B the shares of arrivals, it
repeats K times

    z[o,a] = silu(x[o,a] + U h[o] + W (P h)[o,a])                      what taking a in o leads to
    h[o] <- norm(h[o] + V [max_a z[o,a], mean_a z[o,a], (B' z)[o]])    what being in o is worth, where it lies

which contains value iteration as a special case, and reads out for every (o, a) a logit (how
probable it is that a is the oracle's action; the advantage in the model of what is known, times a trust read
from h[o], is added) and quantiles of the oracle's advantage. Nothing
depends on the ids of observations or actions, or on how many there are: permuting them permutes the
output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, silu

from anymdp_baselines.planner.features import KNOWN, SLOT_FEATURES, STATE_FEATURES
from anymdp_baselines.planner.inference import LEVELS, TRUST


@dataclass(frozen=True)
class PlannerSize:
    """The size of the network.

    Attributes:
        width: width of the vector of a slot and of a state.
        loops: passes of the tied block.
    """

    width: int = 48
    loops: int = 6


class PlanOutput(NamedTuple):
    """The outputs of the planner for every observation and action."""

    logit: Tensor  # [n, O, A]
    quantile: Tensor  # [n, O, A, len(LEVELS)]  of -log1p(-advantage)


class Planner(nn.Module):
    """The network; its input is `features.Features` as tensors."""

    def __init__(self, size: PlannerSize) -> None:
        super().__init__()
        d = size.width
        self.size = size
        self.slot_in = nn.Linear(SLOT_FEATURES, d)
        self.slot_state = nn.Linear(STATE_FEATURES, d)
        self.state_in = nn.Linear(STATE_FEATURES, d)
        self.from_state = nn.Linear(d, d, bias=False)
        self.from_next = nn.Linear(d, d, bias=False)
        self.update = nn.Linear(3 * d, d)
        self.out_slot = nn.Linear(d, d)
        self.out_state = nn.Linear(d, d, bias=False)
        self.out_raw = nn.Linear(SLOT_FEATURES, d, bias=False)
        self.head = nn.Linear(d, 1 + len(LEVELS))
        self.trust = nn.Linear(d, 1)
        nn.init.zeros_(self.trust.weight)
        nn.init.zeros_(self.trust.bias)

    def forward(self, onward: Tensor, inward: Tensor, slot: Tensor, state: Tensor) -> PlanOutput:
        """Returns the plans of n runs; shapes are those of `features.Features`."""
        n, n_observations, n_actions, _ = slot.shape
        d = self.size.width
        x = self.slot_in(slot) + self.slot_state(state).unsqueeze(2)
        h = layer_norm(self.state_in(state), (d,))
        back = inward.transpose(1, 2)
        z = x
        for _ in range(self.size.loops):
            ahead = torch.bmm(onward, self.from_next(h)).view(n, n_observations, n_actions, d)
            z = silu(x + self.from_state(h).unsqueeze(2) + ahead)
            arrived = torch.bmm(back, z.view(n, n_observations * n_actions, d))
            message = torch.cat([z.amax(2), z.mean(2), arrived], -1)
            h = layer_norm(h + self.update(message), (d,))
        hidden = silu(self.out_slot(z) + self.out_state(h).unsqueeze(2) + self.out_raw(slot))
        out = self.head(hidden)
        logit = out[..., 0] + TRUST * self.trust(h) * slot[..., KNOWN]
        return PlanOutput(logit, out[..., 1:])
