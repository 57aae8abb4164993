"""A model of recorded runs for the studies of contexts: any mixer, two tokens and two predictions a step.

The first token of a step is the state, with what led to it; from it the oracle's action is predicted. The
second is the action taken there; from it the next observation is predicted. The pair of state and action is
one feature of both tokens, so that a memory can be read with the key that it was written with.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anymdp_baselines.omnirl.mixers import Addresses, HiddenStreams, mixers
from anymdp_baselines.omnirl.model import FeedForward
from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize
from anymdp_baselines.studies.context_planning import PLANNING, PlanningNetwork
from anymdp_bench.datasets.codes import ENDINGS, NOTHING, TAGS
from anymdp_bench.longcontext.streams import Steps

_REWARDS, _SPREAD = 4, 0.5


class ContextModel(ContextNetwork):
    """The model of a size (see the module); its state is a list of tensors, one for each block."""

    def __init__(self, size: ContextSize) -> None:
        super().__init__(size)
        S, A, width = size.n_states, size.n_actions, size.width
        self.seen, self.arrival = nn.Embedding(S, width), nn.Embedding(S, width)
        self.where, self.what = nn.Embedding(S, width), nn.Embedding(A, width)
        self.pair = nn.Linear(width, 2 * width)
        self.ending, self.tag = nn.Embedding(ENDINGS, width), nn.Embedding(TAGS, width)
        self.reward = nn.Linear(_REWARDS, width)
        self.acting = nn.Parameter(torch.zeros(width))
        self.mixers = nn.ModuleList(
            mixers()[size.mixer](width, size.heads) for _ in range(size.blocks)
        )
        self.feeds = nn.ModuleList(FeedForward(width, size.hidden) for _ in range(size.blocks))
        self.norm = nn.RMSNorm(width)
        self.to_following, self.to_policy = nn.Linear(width, S), nn.Linear(width, A)
        for table in self.children():
            if isinstance(table, nn.Embedding):
                nn.init.normal_(table.weight, std=_SPREAD)

    def initial_state(self, n: int) -> list[Tensor]:
        """Returns the state of `n` runs that have seen nothing."""
        size = self.size
        return [mixer.initial_state(n, size.n_states, size.n_actions) for mixer in self.mixers]  # type: ignore[operator]

    def forward(self, steps: Steps, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Returns (logits of the next observation [B, T, S], of the oracle's action [B, T, A], new state)."""
        main = self._tokens(steps)
        none = torch.zeros(main.shape[:2], dtype=torch.int64, device=main.device)
        hidden = HiddenStreams(main, main.new_zeros(*main.shape[:2], 0, 0))
        addresses = Addresses(none, none, none)
        after = []
        for mixer, feed, memory in zip(self.mixers, self.feeds, state, strict=True):
            hidden, memory = mixer(hidden, addresses, memory)
            hidden = feed(hidden)
            after.append(memory)
        states, actions = self.norm(hidden.main).unflatten(1, (-1, 2)).unbind(2)
        return self.to_following(actions).float(), self.to_policy(states).float(), after

    def _tokens(self, steps: Steps) -> Tensor:
        """Returns tokens [B, 2 T, width]: a state, the action taken there, the next state, and so on."""
        place = self.acting.device
        seen, action, left, did, r, ending, arrival, tag = (
            torch.as_tensor(x, device=place) for x in steps
        )
        known = (ending != NOTHING).float()[..., None]
        rewards = [
            r.clamp(-4.0, 4.0) / 2.0,
            torch.asinh(r),
            torch.asinh(10.0 * r) / 2.0,
            torch.tanh(r),
        ]
        led = self._pair_feature(left, did) + self.arrival(arrival) + self.tag(tag)
        led = led + self.reward(torch.stack(rewards, -1))
        now = self.seen(seen) + self.ending(ending) + known * led
        acting = self._pair_feature(seen, action) + self.acting
        return torch.stack([now, acting], 2).flatten(1, 2)

    def _pair_feature(self, seen: Tensor, action: Tensor) -> Tensor:
        """Returns a feature of (observation, action) pairs that is not the sum of features of each."""
        both = self.where(seen) + self.what(action)
        gate, value = self.pair(both).chunk(2, -1)
        out: Tensor = both + gate.sigmoid() * value
        return out


def make_network(size: ContextSize) -> ContextNetwork:
    """Returns a new model of a size."""
    return PlanningNetwork(size) if size.mixer == PLANNING else ContextModel(size)


def count_parameters(size: ContextSize) -> int:
    """Returns the number of parameters of a model of this size."""
    with torch.device("meta"):
        return sum(int(np.prod(p.shape)) for p in make_network(size).parameters())
