"""What a network must provide to be trained: its data, its losses, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from anymdp_baselines.training.optimizer import OptimizerSettings, take_prefix

Losses = Mapping[str, float]


@dataclass(frozen=True)
class TrainingPlan:
    """How a training proceeds.

    Attributes:
        rounds: rounds in all; a round makes data and updates the weights on them.
        updates_a_round: updates in each.
        optimizer: how weights are updated.
        report: rounds between two lines of the log.
        save: rounds between two checkpoints.
        evaluate: rounds between two evaluations on held-out tasks.
    """

    rounds: int
    updates_a_round: int
    optimizer: OptimizerSettings
    report: int
    save: int
    evaluate: int


@dataclass(frozen=True)
class Compute:
    """Where and how the arithmetic is done. It changes nothing of what is learned, but for rounding.

    Attributes:
        device: the device, in PyTorch's words.
        is_half: whether matrix products are in bfloat16 (autocast); weights and sums stay float32.
        uses_graphs: whether steps of play and updates are captured as CUDA graphs, on CUDA.
        workers: processes that make tasks for an accelerator; 0 means that the trainer makes them itself.
        threads: threads of PyTorch. They wait for each other at every product, so on cores that others use
            two of them are many times slower than one.
    """

    device: str = "cpu"
    is_half: bool = False
    uses_graphs: bool = True
    workers: int = 0
    threads: int = 1


class Objective(Protocol):
    """A network in training."""

    @property
    def model(self) -> nn.Module:
        """The network."""

    @property
    def plan(self) -> TrainingPlan:
        """How its training proceeds."""

    @property
    def device(self) -> str:
        """Where it is, in PyTorch's words."""

    def record(self) -> dict[str, Any]:
        """Returns the settings as plain values; a training only resumes with equal ones."""

    def start_round(self, number: int) -> None:
        """Makes the data of round `number`."""

    def backpropagate(self, part: int) -> dict[str, Losses]:
        """Adds the gradients of update `part` of the round; returns losses by task group and name."""

    def finish_round(self) -> None:
        """Puts the data of the round away."""

    def scores(self) -> dict[str, Losses]:
        """Returns what else to report since the last call, by task group and name."""

    def evaluate(self, folder: Path, is_final: bool) -> Iterator[str]:
        """Yields lines about the model on held-out tasks; its latest weights are in `folder`."""

    def save_weights(self, folder: Path, weights: dict[str, Tensor], updates: int) -> None:
        """Writes the weights that are played with to `folder`."""

    def start_from(self, path: Path) -> None:
        """Takes weights over from a checkpoint; raises ValueError where they do not fit."""

    def state(self) -> dict[str, Tensor]:
        """Returns all that `restore` needs, but for the weights."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues where `state` was taken."""


class RolloutObjective:
    """What objectives have in common whose data are rollouts: how they are resumed.

    Attributes:
        preset: the settings.
        rollouts: the rollout of each task group.
    """

    preset: Any
    rollouts: Sequence[Any]

    def record(self) -> dict[str, Any]:
        """Returns the settings as plain values."""
        return dict(self.preset.record())

    def state(self) -> dict[str, Tensor]:
        """Returns the states of the rollouts."""
        pairs = [(k, rollout.state()) for k, rollout in enumerate(self.rollouts)]
        return {f"{k}.{name}": tensor for k, state in pairs for name, tensor in state.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues where `state` was taken."""
        for k, rollout in enumerate(self.rollouts):
            rollout.restore(take_prefix(f"{k}.", tensors))
