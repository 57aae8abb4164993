"""What the student is taught: the losses, and where the next-state loss could at best be.

The oracle labels every step. Its action is taught as a soft target, softmax(advantage / softness):
near-ties are no errors, and a student that knows only part of the task learns how probable it is that
an action is best. The other heads are auxiliary.
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

from anymdp_baselines.omnirl.model import Forecast, Outlook

RAMP = (
    6.4  # visits per slot (512 steps of tau(16,5)) over which a run's labels come to count in full
)
LEAST_WEIGHT = 1e-3
LOSSES = ("policy", "value", "following", "reward", "ends", "total", "agree")
SHARES = {"value": 0.2, "following": 0.1, "reward": 0.1, "ends": 0.1}


class Taught(NamedTuple):
    """What a segment teaches, [B, T] each but for the first."""

    advantage: Tensor  # [B, T, A]  the oracle's, of the current state
    action: Tensor  # taken
    reward: Tensor
    following: Tensor  # the observation arrived at
    ends: Tensor  # 1.0 where the episode terminated there
    age: Tensor  # visits per slot, S * A of them, since the run began

    def to(self, device: str) -> Taught:
        """The same on `device`."""
        return Taught(*(x.to(device) for x in self))


def losses(
    outlook: Outlook, forecast: Forecast, taught: Taught, softness: float, label: str = "oracle"
) -> dict[str, Tensor]:
    """Scalars by name; `total` is what is minimised, `agree` the share of steps with the oracle's action.

    With the `label` "actor" what is taught is the action taken, and nothing of the oracle's.
    """
    weight = (taught.age / RAMP).clamp(LEAST_WEIGHT, 1.0)
    weight = weight / weight.sum()
    advantage = taught.advantage
    if label == "oracle":
        target = torch.softmax(advantage / softness, -1)
    else:
        target = one_hot(taught.action, advantage.shape[-1]).float()
    predicted = log_softmax(outlook.logit, -1)
    divergence = (target * (torch.log(target + 1e-9) - predicted)).sum(-1)
    value = smooth_l1_loss(outlook.value, torch.log1p(-advantage), reduction="none").mean(-1)
    following = cross_entropy(forecast.following.flatten(0, 1), taught.following.flatten())
    out = {
        "policy": (weight * divergence).sum(),
        "value": (weight * value).sum(),
        "following": following,
        "reward": smooth_l1_loss(forecast.reward, torch.asinh(taught.reward)),
        "ends": binary_cross_entropy_with_logits(forecast.ends, taught.ends),
    }
    known = [k for k in SHARES if k != "value" or label == "oracle"]
    out["total"] = out["policy"] + sum(SHARES[k] * out[k] for k in known)
    with torch.no_grad():
        right = outlook.logit.argmax(-1) == advantage.argmax(-1)
        out["agree"] = (weight * right).sum()
    return out
