"""The optimizer of every network: AdamW, its learning-rate schedule, and averaged weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from anymdp_baselines.training import distributed

_BETAS, _WEIGHT_DECAY, _CLIP, _LAST_SHARE = (0.9, 0.98), 0.01, 1.0, 0.03
_Kind = TypeVar("_Kind")
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class OptimizerSettings:
    """How weights are updated.

    Attributes:
        learning_rate: the peak of the learning rate.
        updates: the number of updates of the whole training.
        warm_up: updates over which the learning rate rises to its peak.
        average_decay: decay of the exponential average of the weights; 0 means that there is none.
    """

    learning_rate: float
    updates: int
    warm_up: int
    average_decay: float = 0.0

    def learning_rate_at(self, update: int) -> float:
        """Returns the learning rate of an update: a linear warm-up, then a cosine to 3% of the peak."""
        if update < self.warm_up:
            return self.learning_rate * (update + 1) / self.warm_up
        done = min((update - self.warm_up) / max(self.updates - self.warm_up, 1), 1.0)
        cosine = 0.5 * (1.0 + math.cos(math.pi * done))
        return self.learning_rate * (_LAST_SHARE + (1.0 - _LAST_SHARE) * cosine)


class Optimizer:
    """AdamW for a model, which decays matrices and no vectors.

    Args:
        model: the model.
        settings: how its weights are updated.
        is_cpu: whether the model is on the CPU; elsewhere AdamW is fused and gradients keep their memory.
    """

    def __init__(self, model: nn.Module, settings: OptimizerSettings, is_cpu: bool = True) -> None:
        self.model, self.settings, self._is_cpu = model, settings, is_cpu
        self.updates = 0
        groups = [
            {
                "params": [p for p in model.parameters() if p.ndim > 1],
                "weight_decay": _WEIGHT_DECAY,
            },
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._adam = torch.optim.AdamW(
            groups, lr=settings.learning_rate, betas=_BETAS, fused=None if is_cpu else True
        )
        self._average: dict[str, Tensor] = {}
        self.reset_average()

    def reset_average(self) -> None:
        """Sets the averaged weights to those of the model."""
        if self.settings.average_decay:
            self._average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def step(self) -> float:
        """Updates the weights by the gradients, and clears these; returns the norm of the gradients.

        Several processes average their gradients first. Gradients that are not finite change nothing.
        """
        for group in self._adam.param_groups:
            group["lr"] = self.settings.learning_rate_at(self.updates)
        distributed.average_gradients(self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        if torch.isfinite(norm):
            self._adam.step()
        self._adam.zero_grad(set_to_none=self._is_cpu)
        self.updates += 1
        if self._average:
            decay = min(self.settings.average_decay, self.updates / (self.updates + 9))
            for name, tensor in self.model.state_dict().items():
                self._average[name].lerp_(tensor, 1.0 - decay)
        return float(norm)

    def weights(self) -> dict[str, Tensor]:
        """Returns the weights to play with: the averaged ones, or those of the model where there are none."""
        return self._average or {k: v.detach() for k, v in self.model.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Returns weights, averaged weights and moments by name, for `restore`."""
        out = {f"model.{k}": v.detach().cpu() for k, v in self.model.state_dict().items()}
        out |= {f"average.{k}": v.cpu() for k, v in self._average.items()}
        names = {id(p): name for name, p in self.model.named_parameters()}
        for parameter, moments in self._adam.state.items():
            for key, moment in moments.items():
                out[f"optimizer.{key}.{names[id(parameter)]}"] = moment.cpu()
        return out

    def restore(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Continues after so many updates from what `state` returned."""
        self.updates = updates
        self.model.load_state_dict(take_prefix("model.", tensors))
        if self._average:
            for name, tensor in take_prefix("average.", tensors).items():
                self._average[name].copy_(tensor)
        for name, parameter in self.model.named_parameters():
            if f"optimizer.exp_avg.{name}" in tensors:
                self._adam.state[parameter] = {
                    key: tensors[f"optimizer.{key}.{name}"].to(parameter.device, copy=True)
                    for key in _MOMENTS
                }


def take_prefix(prefix: str, tensors: dict[str, _Kind]) -> dict[str, _Kind]:
    """Returns the tensors (or arrays) whose names begin with `prefix`, under the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
