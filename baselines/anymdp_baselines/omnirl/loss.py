"""The losses of the sequence models.

The oracle labels every step. The target of the policy is softmax(advantage / softness): near-ties are no
errors, and a model that knows only part of the task learns how probable it is that an action is best. The
losses of the other heads are auxiliary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    one_hot,
    smooth_l1_loss,
)

from anymdp_baselines.omnirl.model import PolicyOutput, Prediction

RAMP = 6.4
"""Visits per slot (512 steps of tau(16,5)) over which the oracle's labels of a run come to count in full."""
LEAST_WEIGHT = 1e-3
LOSSES = ("policy", "value", "following", "reward", "ends", "total", "agree")
SHARES = {"value": 0.2, "following": 0.1, "reward": 0.1, "ends": 0.1}


class Targets(NamedTuple):
    """What the outputs of a segment are compared with, [B, T] each but for the first."""

    advantage: Tensor  # [B, T, A]  the oracle's, of the current state
    action: Tensor  # the action taken
    reward: Tensor  # its reward
    following: Tensor  # the observation that the step led to
    ends: Tensor  # 1.0 where the episode terminated there
    age: Tensor  # visits per slot, S * A of them, since the run began

    def to(self, device: str) -> Targets:
        """Returns the same on `device`."""
        return Targets(*(x.to(device) for x in self))


def compute_losses(
    output: PolicyOutput,
    prediction: Prediction,
    targets: Targets,
    softness: float,
    label: str = "oracle",
) -> dict[str, Tensor]:
    """Returns scalars by the names of LOSSES.

    `total` is what is minimised, and `agree` the share of steps with the oracle's action. With the `label`
    "actor" the target is the action taken, every step counts alike, since a learner learns in its first
    steps, and nothing of the oracle's counts.
    """
    advantage = targets.advantage
    if label == "oracle":
        weight = (targets.age / RAMP).clamp(LEAST_WEIGHT, 1.0)
        goal = torch.softmax(advantage / softness, -1)
    else:
        weight = torch.ones_like(targets.age)
        goal = one_hot(targets.action, advantage.shape[-1]).float()
    weight = weight / weight.sum()
    predicted = log_softmax(output.logit, -1)
    divergence = (goal * (torch.log(goal + 1e-9) - predicted)).sum(-1)
    value = smooth_l1_loss(output.value, torch.log1p(-advantage), reduction="none").mean(-1)
    following = cross_entropy(prediction.following.flatten(0, 1), targets.following.flatten())
    out = {
        "policy": (weight * divergence).sum(),
        "value": (weight * value).sum(),
        "following": following,
        "reward": smooth_l1_loss(prediction.reward, torch.asinh(targets.reward)),
        "ends": binary_cross_entropy_with_logits(prediction.ends, targets.ends),
    }
    known = [k for k in SHARES if k != "value" or label == "oracle"]
    out["total"] = out["policy"] + sum(SHARES[k] * out[k] for k in known)
    with torch.no_grad():
        is_best = output.logit.argmax(-1) == advantage.argmax(-1)
        out["agree"] = (weight * is_best).sum()
    return out
