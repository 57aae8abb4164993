"""A model of recorded runs: any mixer between two tokens a step and two answers, for the studies of contexts.

The first token of a step is the state, with what led to it: from it the oracle's action is told. The second
is the action taken there: from it the next observation is told. What was done where is one feature of both,
so that a memory can be asked with what it was written with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from anymdp_baselines.omnirl.mixers import Stream as Flow
from anymdp_baselines.omnirl.mixers import Where, mixers
from anymdp_baselines.omnirl.model import FeedForward
from anymdp_baselines.omnirl.tokens import TAGS
from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.longcontext.losses import Predict
from anymdp_bench.longcontext.streams import NOTHING, Steps, Stream

_ENDINGS, _REWARDS, _SPREAD = 4, 4, 0.5


@dataclass(frozen=True)
class ContextSize:
    """What a model is made of; `hidden` is the width inside its feed-forward networks."""

    mixer: str
    n_states: int
    n_actions: int
    width: int
    blocks: int
    heads: int
    hidden: int


class ContextModel(nn.Module):
    """See the module; its state is a list of tensors, one a block."""

    def __init__(self, size: ContextSize) -> None:
        super().__init__()
        self.size = size
        S, A, width = size.n_states, size.n_actions, size.width
        self.seen, self.arrival = nn.Embedding(S, width), nn.Embedding(S, width)
        self.where, self.what = nn.Embedding(S, width), nn.Embedding(A, width)
        self.pair = nn.Linear(width, 2 * width)
        self.ending, self.tag = nn.Embedding(_ENDINGS, width), nn.Embedding(TAGS, width)
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

    def fresh(self, n: int) -> list[Tensor]:
        """The state of `n` runs that have seen nothing."""
        size = self.size
        return [mixer.fresh(n, size.n_states, size.n_actions) for mixer in self.mixers]  # type: ignore[operator]

    def forward(self, steps: Steps, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """(Logits of the next observation [B, T, S], of the oracle's action [B, T, A], state after)."""
        main = self._tokens(steps)
        none = torch.zeros(main.shape[:2], dtype=torch.int64, device=main.device)
        flow, where = Flow(main, main.new_zeros(*main.shape[:2], 0, 0)), Where(none, none, none)
        after = []
        for mixer, feed, memory in zip(self.mixers, self.feeds, state, strict=True):
            flow, memory = mixer(flow, where, memory)
            flow = feed(flow)
            after.append(memory)
        states, actions = self.norm(flow.main).unflatten(1, (-1, 2)).unbind(2)
        return self.to_following(actions).float(), self.to_policy(states).float(), after

    def _tokens(self, steps: Steps) -> Tensor:
        """[B, 2 T, width]: a state, the action taken there, the next state, and so on."""
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
        led = self._done(left, did) + self.arrival(arrival) + self.tag(tag)
        led = led + self.reward(torch.stack(rewards, -1))
        now = self.seen(seen) + self.ending(ending) + known * led
        acting = self._done(seen, action) + self.acting
        return torch.stack([now, acting], 2).flatten(1, 2)

    def _done(self, seen: Tensor, action: Tensor) -> Tensor:
        """A feature of (observation, action) pairs that is no sum of theirs."""
        both = self.where(seen) + self.what(action)
        gate, value = self.pair(both).chunk(2, -1)
        out: Tensor = both + gate.sigmoid() * value
        return out

    def losses(self, data: Stream, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Mean loss of the next observation and of the oracle's action, in nats; the state after."""
        following, policy, state = self(data.steps, state)
        answers = (
            torch.as_tensor(x, device=following.device).flatten()
            for x in (data.following, data.label)
        )
        both = (x.flatten(0, 1) for x in (following, policy))
        next_loss, policy_loss = map(cross_entropy, both, answers)
        return next_loss, policy_loss, state


def reader(model: ContextModel) -> Predict:
    """The model as `anymdp_bench.longcontext.score` wants it."""

    def predict(state: Any, steps: Steps) -> tuple[Any, AnyArray, AnyArray]:
        with torch.no_grad():
            memory = model.fresh(len(steps.seen)) if state is None else state
            following, policy, memory = model(steps, memory)
        return memory, following.cpu().numpy(), policy.cpu().numpy()

    return predict


def parameters(size: ContextSize) -> int:
    """Number of parameters of a model of this size."""
    with torch.device("meta"):
        return sum(int(np.prod(p.shape)) for p in ContextModel(size).parameters())
