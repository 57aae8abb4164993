"""What the student is taught: targets, their weights, the loss, and the temperatures it tries out.

The oracle is known in every state of a training task, so one plan is labelled in all states at
once. The target is a soft one, softmax(advantage / softness): near-ties are no errors. A network
trained so predicts how probable it is, given the memory, that an action is the best, and sampling
from that prediction is posterior sampling.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from anymdp_baselines.planner.inference import LEVELS
from anymdp_baselines.planner.model import Plan

TEMPERATURES = (2.0, 1.4, 1.0, 0.7)  # at the first step, one a group of seats
_QUANTILE_SHARE = 0.5
_SEEN_SHARE, _HERE_SHARE, _EVERYWHERE_SHARE = 0.3, 0.3, 0.02


class Losses(NamedTuple):
    """Scalars of one update."""

    total: Tensor
    imitation: Tensor  # divergence from the soft target, nats
    quantile: Tensor
    regret: Tensor  # expected advantage of the student's action, in units of gap / H
    agreement: Tensor  # share of states where its likeliest action is the oracle's


def state_weights(visited: Tensor, seen: Tensor, here: Tensor) -> Tensor:
    """Weights [n, O] that sum to 1: where the student just was, is, has been, and a little of everywhere.

    Args:
        visited: visits since the last plan, [n, O].
        seen: whether the state was ever acted in, [n, O].
        here: the current state, int64 [n].
    """
    n, n_observations = visited.shape
    weight = visited / visited.sum(1, keepdim=True).clamp(min=1.0)
    weight = weight + _SEEN_SHARE * seen / seen.sum(1, keepdim=True).clamp(min=1.0)
    weight = weight + _EVERYWHERE_SHARE / n_observations
    weight[torch.arange(n), here] += _HERE_SHARE
    return weight / weight.sum()


def losses(plan: Plan, advantage: Tensor, weight: Tensor, softness: float) -> Losses:
    """The losses of a plan against the oracle's `advantage` [n, O, A] (at most 0); states weigh `weight`."""
    target = torch.softmax(advantage / softness, -1)
    predicted = log_softmax(plan.logit, -1)
    divergence = (target * (torch.log(target + 1e-9) - predicted)).sum(-1)
    imitation = (weight * divergence).sum()
    levels = torch.tensor(LEVELS, dtype=plan.quantile.dtype)
    error = -torch.log1p(-advantage).unsqueeze(-1) - plan.quantile
    pinball = torch.maximum(levels * error, (levels - 1.0) * error).sum(-1).mean(-1)
    quantile = (weight * pinball).sum()
    with torch.no_grad():
        expected = (predicted.exp() * advantage.clamp(min=-20.0)).sum(-1)
        agree = (plan.logit.argmax(-1) == advantage.argmax(-1)).float()
    return Losses(
        imitation + _QUANTILE_SHARE * quantile,
        imitation,
        quantile,
        (weight * expected).sum(),
        (weight * agree).sum(),
    )
