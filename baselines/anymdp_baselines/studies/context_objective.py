"""The objective of the studies of contexts: prediction of recorded runs, segment by segment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anymdp_baselines.studies.context_config import ContextConfig
from anymdp_baselines.studies.context_model import make_network
from anymdp_baselines.studies.context_network import ContextNetwork, ContextSize
from anymdp_baselines.training.objective import Compute, Losses, TrainingPlan
from anymdp_baselines.training.optimizer import OptimizerSettings
from anymdp_baselines.training.resume import has_state
from anymdp_baselines.training.train import train

Watch = Callable[[int, ContextNetwork], None]
_SAVES = 50  # checkpoints of a training


class ContextObjective:
    """A context model in training (see `training.objective.Objective`).

    Args:
        config: how it is trained.
        size: the size of the model.
        device: the device, in PyTorch's words.
        watch: called with the number of updates done and the model, after `every` updates.
        every: updates between two calls, a multiple of those of a round; 0 means that there are none.
    """

    def __init__(
        self,
        config: ContextConfig,
        size: ContextSize,
        device: str = "cpu",
        watch: Watch | None = None,
        every: int = 0,
    ) -> None:
        self.config, self.device, self._watch = config, device, watch
        rounds = config.updates // config.segments
        settings = OptimizerSettings(config.rate, config.updates, max(config.updates // 50, 10))
        between = every // config.segments if watch and every else max(rounds // _SAVES, 1)
        evaluate = between if watch and every else rounds + 1
        self.plan = TrainingPlan(rounds, config.segments, settings, between, between, evaluate)
        torch.manual_seed(config.seed)
        self.model = make_network(size).to(device)
        self.seconds = 0.0  # processor time of the updates
        self._updates = 0

    def record(self) -> dict[str, Any]:
        """Returns the settings as plain values."""
        return {"config": asdict(self.config), "model": asdict(self.model.size)}

    def start_round(self, number: int) -> None:
        """Makes new runs."""
        self._updates = number * self.config.segments
        self._data = self.config.make_data(number)
        self._state = self.model.initial_state(self.config.runs)
        self._begun = time.process_time()

    def backpropagate(self, part: int) -> dict[str, Losses]:
        """Adds the gradients of segment number `part` of all runs."""
        segment = self.config.segment
        data = self._data.part(part * segment, (part + 1) * segment)
        following, policy, state = self.model.losses(data, self._state)
        (self.config.following_share * following + policy).backward()
        self._state = [memory.detach() for memory in state]
        self._updates += 1
        return {"runs": {"following": following.item(), "policy": policy.item()}}

    def finish_round(self) -> None:
        """Counts the time of the round."""
        self.seconds += time.process_time() - self._begun

    def scores(self) -> dict[str, Losses]:
        """Returns nothing: the losses say all."""
        return {}

    def evaluate(self, folder: Path, is_final: bool) -> Iterator[str]:
        """Calls `watch`."""
        if self._watch is not None:
            self._watch(self._updates, self.model)
        yield from ()

    def save_weights(self, folder: Path, weights: dict[str, Tensor], updates: int) -> None:
        """Writes nothing: the state has the weights."""

    def start_from(self, path: Path) -> None:
        """Refuses: a study begins with weights of its own."""
        raise ValueError(f"a study does not start from {path}")

    def state(self) -> dict[str, Tensor]:
        """Returns the time, and the number of updates."""
        return {"seconds": torch.tensor(self.seconds, dtype=torch.float64),
                "updates": torch.tensor(self._updates)}  # fmt: skip

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues where `state` was taken."""
        self.seconds, self._updates = float(tensors["seconds"]), int(tensors["updates"])


def train_context_model(
    config: ContextConfig,
    size: ContextSize,
    folder: Path,
    watch: Watch | None = None,
    every: int = 0,
    device: str = "cpu",
) -> ContextObjective:
    """Trains a model, and returns its objective; the same call continues a training that was stopped.

    Args:
        config: how it is trained.
        size: the size of the model.
        folder: where the training is kept.
        watch: called with the number of updates done and the model, before the first and after every `every`.
        every: updates between two calls, a multiple of those of a round.
        device: the device, in PyTorch's words.

    Raises:
        ValueError: the folder holds a training of another config or size.
    """

    def make(compute: Compute) -> ContextObjective:
        objective = ContextObjective(config, size, compute.device, watch, every)
        if watch is not None and not has_state(folder):
            watch(0, objective.model)
        return objective

    trainer = train(make, folder, resume=True, compute=Compute(device))
    assert isinstance(trainer.objective, ContextObjective)
    return trainer.objective


def find_device() -> str:
    """Returns the device that models are trained on: the GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"
