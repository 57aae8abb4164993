"""What every model of the studies of contexts is: two predictions at each step of recorded runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from anymdp_bench.engine.arrays import AnyArray
from anymdp_bench.longcontext.losses import Predict
from anymdp_bench.longcontext.streams import Steps, Stream


@dataclass(frozen=True)
class ContextSize:
    """The sizes of a model; `hidden` is the width inside its feed-forward networks."""

    mixer: str
    n_states: int
    n_actions: int
    width: int
    blocks: int
    heads: int
    hidden: int


class ContextNetwork(nn.Module):
    """A model of recorded runs; its state is a list of tensors.

    Args:
        size: its size.
    """

    def __init__(self, size: ContextSize) -> None:
        super().__init__()
        self.size = size

    def initial_state(self, n: int) -> list[Tensor]:
        """Returns the state of `n` runs that have seen nothing."""
        raise NotImplementedError

    def forward(self, steps: Steps, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Returns (logits of the next observation [B, T, S], of the oracle's action [B, T, A], new state)."""
        raise NotImplementedError

    def losses(self, data: Stream, state: list[Tensor]) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Returns (mean loss of the next observation, of the oracle's action, in nats, state after)."""
        following, policy, state = self(data.steps, state)
        answers = (
            torch.as_tensor(x, device=following.device).flatten()
            for x in (data.following, data.label)
        )
        both = (x.flatten(0, 1) for x in (following, policy))
        next_loss, policy_loss = map(cross_entropy, both, answers)
        return next_loss, policy_loss, state


def reader(model: ContextNetwork) -> Predict:
    """Returns the model as the function that `anymdp_bench.longcontext.score` takes."""

    def predict(state: Any, steps: Steps) -> tuple[Any, AnyArray, AnyArray]:
        with torch.no_grad():
            memory = model.initial_state(len(steps.seen)) if state is None else state
            following, policy, memory = model(steps, memory)
        return memory, following.cpu().numpy(), policy.cpu().numpy()

    return predict
