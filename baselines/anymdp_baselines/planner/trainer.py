"""The trainer: seats are read, planned, labelled and stepped; one gradient step each time.

Student and data are one loop. An update draws a room, reads the memories of all its seats,
computes their plans, compares them with the oracle in every state, and takes a gradient step; then
every seat plays on by its plan for about `rate` of its age, so that ages are spread evenly on a
logarithmic scale and the training data are the student's own rollouts, always fresh.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad

from anymdp_baselines.planner.checkpoint import load_arrays, save_arrays
from anymdp_baselines.planner.loss import losses, state_weights
from anymdp_baselines.planner.model import Planner, PlannerSize
from anymdp_baselines.planner.presets import Preset
from anymdp_baselines.planner.rollout import Playroom
from anymdp_baselines.planner.schedule import FIRST_TEMPERATURE
from anymdp_baselines.planner.task_pool import SEEN
from anymdp_bench.tasks.family import PUBLIC_SEEDS

_SEEN_FEATURE = 5  # column of a reading's `state`: whether the state was ever acted in
_WARM_UP, _LAST_RATE, _CLIP, _EMA = 100, 0.03, 1.0, 0.998
_ROOM_SEEDS = 2**36  # task seeds set apart for each room of a run


class Trainer:
    """All of a training run; `update` goes on by one step, `save` and `load` make it resumable to the bit.

    Args:
        preset: the settings.
    """

    def __init__(self, preset: Preset) -> None:
        torch.manual_seed(preset.seed)
        self.preset = preset
        self.planner = Planner(PlannerSize(preset.width, preset.loops))
        self.average = {k: v.detach().clone() for k, v in self.planner.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.planner.parameters(), preset.learning_rate, (0.9, 0.98), weight_decay=0.01
        )
        self.numpy = np.random.default_rng(preset.seed)
        first = PUBLIC_SEEDS + preset.seed * 2**40
        self.rooms = [
            Playroom(spec, preset.life, preset.rate, first + k * _ROOM_SEEDS, self.numpy)
            for k, spec in enumerate(preset.rooms)
        ]
        share = np.array([spec.share for spec in preset.rooms])
        self.share = share / share.sum()
        self.updates = 0

    def learning_rate(self) -> float:
        """That of the next update: linear warm-up, then a cosine."""
        done = self.updates / self.preset.updates
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
        share = _LAST_RATE + (1.0 - _LAST_RATE) * cosine
        return self.preset.learning_rate * share * min(1.0, (self.updates + 1) / _WARM_UP)

    def update(self) -> tuple[int, dict[str, float]]:
        """One gradient step on the plans of one room, which then plays on: (room, losses by name)."""
        k = int(self.numpy.choice(len(self.rooms), p=self.share))
        room = self.rooms[k]
        tensors = [torch.from_numpy(array) for array in room.read()]
        plan = self.planner(*tensors)
        weight = state_weights(
            torch.from_numpy(room.visited).float(),
            (tensors[3][..., _SEEN_FEATURE] > 0).float(),
            torch.from_numpy(room.seats.play[:, SEEN]),
        )
        advantage = torch.from_numpy(room.seats.answer).float().clamp(max=0.0)
        result = losses(plan, advantage, weight, self.preset.softness)
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.optimiser.zero_grad()
        result.total.backward()
        torch.nn.utils.clip_grad_norm_(self.planner.parameters(), _CLIP)
        self.optimiser.step()
        self.updates += 1
        follow = 1.0 - min(_EMA, self.updates / (self.updates + 9))
        for name, tensor in self.planner.state_dict().items():
            self.average[name].lerp_(tensor, follow)
        room.play_on(plan.logit.detach().double().numpy())
        return k, {name: float(value.detach()) for name, value in result._asdict().items()}

    def save(self, path: Path) -> None:
        """Writes everything that `load` needs."""
        arrays: dict[str, Any] = {f"net.{k}": v for k, v in self.planner.state_dict().items()}
        arrays |= {f"average.{k}": v for k, v in self.average.items()}
        for k, state in self.optimiser.state_dict()["state"].items():
            arrays |= {f"adam.{k}.{name}": value for name, value in state.items()}
        for k, room in enumerate(self.rooms):
            arrays |= {f"room{k}.{name}": array for name, array in room.arrays().items()}
        numbers = {
            "preset": self.preset.record(),
            "updates": self.updates,
            "next_seeds": [room.next_seed for room in self.rooms],
            "generator": self.numpy.bit_generator.state,
        }
        save_arrays(path, arrays, numbers)

    def load(self, path: Path) -> None:
        """Goes on from where `save` left off.

        Raises:
            ValueError: the file is no state of a training run with this preset.
        """
        arrays, numbers = load_arrays(path)
        if numbers.get("preset") != self.preset.record():
            raise ValueError(f"{path} was trained with other settings; give another --out")
        part = _parts(arrays)
        self.planner.load_state_dict(_tensors(part["net"]))
        self.average = _tensors(part["average"])
        adam = self.optimiser.state_dict()
        adam["state"] = {}
        for name, value in _tensors(part["adam"]).items():
            index, _, field = name.partition(".")
            adam["state"].setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict(adam)
        for k, room in enumerate(self.rooms):
            room.restore(part[f"room{k}"], numbers["next_seeds"][k])
        self.updates = numbers["updates"]
        self.numpy.bit_generator.state = numbers["generator"]

    def start_from(self, path: Path) -> None:
        """Takes over the weights of a checkpoint; features that it did not know weigh 0 at first.

        Raises:
            ValueError: the file is no checkpoint, or of a network of another size.
        """
        arrays, numbers = load_arrays(path)
        if numbers["width"] != self.preset.width:
            raise ValueError(f"{path} holds a network of another width")
        own, given = self.planner.state_dict(), _tensors(arrays)
        for name, tensor in own.items():  # of outputs that it did not know
            given.setdefault(name, tensor.detach().clone())
        for name, tensor in given.items():
            more = own[name].shape[-1] - tensor.shape[-1]
            given[name] = pad(tensor, (0, more)) if more > 0 else tensor
        self.planner.load_state_dict(given)
        self.average = given

    def ship(self, path: Path) -> None:
        """Writes the averaged weights as a checkpoint for the agent."""
        numbers = {
            "width": self.preset.width,
            "loops": self.preset.loops,
            "temperature": FIRST_TEMPERATURE,
            "updates": self.updates,
            "preset": self.preset.record(),
        }
        save_arrays(path, self.average, numbers)


def _tensors(arrays: dict[str, npt.NDArray[Any]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _parts(arrays: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Arrays by the first part of their names."""
    out: dict[str, dict[str, Any]] = {}
    for name, value in arrays.items():
        first, _, rest = name.partition(".")
        out.setdefault(first, {})[rest] = value
    return out
