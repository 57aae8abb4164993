"""The loss of the planner: its plans against the oracle, in every state at once.

The oracle is known in every state of a training task, so one plan is labelled in all states. The target is
softmax(advantage / softness): near-ties are no errors. A network trained so predicts how probable it is,
given the memory, that an action is the best, and sampling from that prediction is posterior sampling.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from anymdp_baselines.planner.inference import LEVELS
from anymdp_baselines.planner.model import PlanOutput

_QUANTILE_SHARE = 0.5
_SEEN_SHARE, _HERE_SHARE, _EVERYWHERE_SHARE = 0.3, 0.3, 0.02


class PlanLosses(NamedTuple):
    """Scalars of one update."""

    total: Tensor
    imitation: Tensor  # divergence from the soft target, nats
    quantile: Tensor
    regret: Tensor  # expected advantage of the planner's action, in units of gap / H
    agreement: Tensor  # share of states where its likeliest action is the oracle's


def state_weights(visited: Tensor, seen: Tensor, here: Tensor) -> Tensor:
    """Returns weights [n, O] that sum to 1: for states just visited, ever seen, the current one, and all.

    Args:
        visited: visits since the last plan, [n, O].
        seen: 1 where the state was ever acted in, [n, O].
        here: the current state, int64 [n].
    """
    n, n_observations = visited.shape
    weight = visited / visited.sum(1, keepdim=True).clamp(min=1.0)
    weight = weight + _SEEN_SHARE * seen / seen.sum(1, keepdim=True).clamp(min=1.0)
    weight = weight + _EVERYWHERE_SHARE / n_observations
    weight[torch.arange(n), here] += _HERE_SHARE
    return weight / weight.sum()


def compute_losses(
    plans: PlanOutput, advantage: Tensor, weight: Tensor, softness: float
) -> PlanLosses:
    """Returns the losses of plans against the oracle's advantages.

    Args:
        plans: the outputs of the network for n runs.
        advantage: the labels, [n, O, A], at most 0.
        weight: the weight of each state, [n, O].
        softness: temperature of the labels.
    """
    target = torch.softmax(advantage / softness, -1)
    predicted = log_softmax(plans.logit, -1)
    divergence = (target * (torch.log(target + 1e-9) - predicted)).sum(-1)
    imitation = (weight * divergence).sum()
    levels = torch.tensor(LEVELS, dtype=plans.quantile.dtype)
    error = -torch.log1p(-advantage).unsqueeze(-1) - plans.quantile
    pinball = torch.maximum(levels * error, (levels - 1.0) * error).sum(-1).mean(-1)
    quantile = (weight * pinball).sum()
    with torch.no_grad():
        expected = (predicted.exp() * advantage.clamp(min=-20.0)).sum(-1)
        is_best = (plans.logit.argmax(-1) == advantage.argmax(-1)).float()
    return PlanLosses(
        imitation + _QUANTILE_SHARE * quantile,
        imitation,
        quantile,
        (weight * expected).sum(),
        (weight * is_best).sum(),
    )
