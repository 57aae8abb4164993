"""The trainer: rounds of data and updates of any objective, resumable to the bit."""

from __future__ import annotations

from torch import Tensor

from anymdp_baselines.training.objective import Losses, Objective
from anymdp_baselines.training.optimizer import Optimizer, take_prefix


class Trainer:
    """An objective with its optimizer and the number of rounds done.

    Args:
        objective: what is trained.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        settings, is_cpu = objective.plan.optimizer, objective.device == "cpu"
        self.optimizer = Optimizer(objective.model, settings, is_cpu)
        self.round = 0

    def advance(self) -> list[dict[str, Losses]]:
        """Trains for a round; returns, for each of its updates, losses by task group and name."""
        self.objective.start_round(self.round)
        out = [self._update(part) for part in range(self.objective.plan.updates_a_round)]
        self.objective.finish_round()
        self.round += 1
        return out

    def _update(self, part: int) -> dict[str, Losses]:
        losses = self.objective.backpropagate(part)
        norm = self.optimizer.step()
        return {group: {**own, "norm": norm} for group, own in losses.items()}

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Returns (tensors, numbers) that `restore` continues from."""
        own = {f"objective.{k}": v for k, v in self.objective.state().items()}
        return self.optimizer.state() | own, {
            "round": self.round,
            "updates": self.optimizer.updates,
        }

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, int]) -> None:
        """Continues where `state` was taken."""
        self.round = numbers["round"]
        self.optimizer.restore(tensors, numbers["updates"])
        self.objective.restore(take_prefix("objective.", tensors))
