"""The trainer: seats are read, planned, labelled and stepped; one gradient step each time.

Student and data are one loop. An update reads the memories of all seats, computes their plans,
compares them with the oracle in every state, and takes a gradient step; then every seat plays on by
its plan for about `rate` of its age, so that ages are spread evenly on a logarithmic scale and the
training data are the student's own rollouts, always fresh.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anymdp_baselines.omnirl.checkpoint import load_arrays, save_arrays
from anymdp_baselines.omnirl.classroom import AGE, SEEN, new_task, play, seats, training_stream
from anymdp_baselines.omnirl.lesson import TEMPERATURES, losses, state_weights
from anymdp_baselines.omnirl.memory import empty_memory
from anymdp_baselines.omnirl.model import Planner, PlannerSize
from anymdp_baselines.omnirl.presets import Preset
from anymdp_baselines.omnirl.reading import empty_reading, read
from anymdp_baselines.omnirl.schedule import temperature
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.tasks.family import PUBLIC_SEEDS

_SEEN_FEATURE = 5  # column of a reading's `state`: whether the state was ever acted in
_WARM_UP, _LAST_RATE, _CLIP, _EMA = 100, 0.03, 1.0, 0.995
_RUN_ARRAYS = ("tally", "heat", "visited", "group", "life", "seed")
_PLAY_ARRAYS = ("play", "score", "rng", "taste")  # what of a seat its task's seed does not give


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
        shape = (preset.seats, preset.n_states, preset.n_actions)
        self.room, self.memory = seats(*shape), empty_memory(*shape)
        self.reading = empty_reading(*shape)
        self.numpy = np.random.default_rng(preset.seed)
        self.updates = 0
        self.edges = np.array([preset.life * k // 12 for k in (1, 2, 3, 4, 6, 8, 12)])
        self.heat = np.zeros((len(TEMPERATURES), 2))  # scores by temperature, second half
        self.tally = np.zeros((len(TEMPERATURES), len(self.edges) + 1, 2))
        self.visited = np.zeros(shape[:2])
        self.group = np.zeros(preset.seats, np.int64)
        self.life = np.zeros(preset.seats, np.int64)
        self.seed = np.zeros(preset.seats, np.int64)
        self.next_seed = PUBLIC_SEEDS + preset.seed * 2**32
        for i in range(preset.seats):
            self._replace(i)
            low, high = math.log(50.0), math.log(preset.life)
            self.life[i] = int(math.exp(self.numpy.uniform(low, high)))

    def _replace(self, i: int) -> None:
        """Gives seat `i` a fresh task."""
        self.seed[i], self.next_seed = self.next_seed, self.next_seed + 1
        self.group[i] = self.numpy.integers(len(TEMPERATURES))
        self.life[i] = self.preset.life
        self._seat(i)

    def _seat(self, i: int) -> None:
        sizes = (self.preset.n_states, self.preset.n_actions)
        new_task(self.room, self.memory, i, training_stream(*sizes, int(self.seed[i])))

    def learning_rate(self) -> float:
        """That of the next update: linear warm-up, then a cosine."""
        done = self.updates / self.preset.updates
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))
        share = _LAST_RATE + (1.0 - _LAST_RATE) * cosine
        return self.preset.learning_rate * share * min(1.0, (self.updates + 1) / _WARM_UP)

    def update(self) -> dict[str, float]:
        """One gradient step on the plans of all seats, then the seats play on; the losses by name."""
        read(self.memory, np.arange(self.preset.seats), self.reading)
        tensors = [torch.from_numpy(array) for array in self.reading]
        plan = self.planner(*tensors)
        weight = state_weights(
            torch.from_numpy(self.visited).float(),
            (tensors[3][..., _SEEN_FEATURE] > 0).float(),
            torch.from_numpy(self.room.play[:, SEEN]),
        )
        advantage = torch.from_numpy(self.room.answer).float().clamp(max=0.0)
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
        self._play_on(plan.logit.detach().double().numpy())
        return {name: float(value.detach()) for name, value in result._asdict().items()}

    def _play_on(self, logit: Any) -> None:
        """Steps the seats by their plans, and replaces the tasks that have had their time."""
        age = self.room.play[:, AGE]
        warmth = temperature(np.array(TEMPERATURES)[self.group], age, self.room.answer[0].size)
        share = self.preset.rate * self.numpy.uniform(0.5, 1.5, len(age))
        steps = np.maximum(1, (age * share).astype(np.int64))
        play(
            self.room, self.memory, logit / warmth[:, None, None], steps, self.group,
            self.edges, self.tally, self.visited,
        )  # fmt: skip
        for i in np.flatnonzero(self.room.play[:, AGE] >= self.life):
            self._replace(int(i))

    def scores(self) -> Float64s:
        """Mean score on training tasks by age bin since the last call, [bins]; NaN where no episode ended."""
        counted = self.tally[:, :-1]
        if 2 * self.updates > self.preset.updates:
            self.heat += counted.sum(1)
        with np.errstate(invalid="ignore"):
            out: Float64s = counted[..., 0].sum(0) / counted[..., 1].sum(0)
        self.tally[:] = 0.0
        return out

    def save(self, path: Path) -> None:
        """Writes everything that `load` needs."""
        arrays: dict[str, Any] = {f"net.{k}": v for k, v in self.planner.state_dict().items()}
        arrays |= {f"average.{k}": v for k, v in self.average.items()}
        for k, state in self.optimiser.state_dict()["state"].items():
            arrays |= {f"adam.{k}.{name}": value for name, value in state.items()}
        arrays |= {f"memory.{k}": torch.from_numpy(v) for k, v in self.memory._asdict().items()}
        for name in _PLAY_ARRAYS:
            value = getattr(self.room, name)
            arrays[f"room.{name}"] = torch.from_numpy(value.view(np.int64))
        for name in _RUN_ARRAYS:
            arrays[f"run.{name}"] = torch.from_numpy(getattr(self, name))
        numbers = {
            "preset": self.preset.record(),
            "updates": self.updates,
            "next_seed": self.next_seed,
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
        self.planner.load_state_dict(part["net"])
        self.average = part["average"]
        adam = self.optimiser.state_dict()
        adam["state"] = {}
        for name, value in part["adam"].items():
            k, _, field = name.partition(".")
            adam["state"].setdefault(int(k), {})[field] = value
        self.optimiser.load_state_dict(adam)
        for name, value in part["run"].items():
            getattr(self, name)[:] = value.numpy()
        for i in range(self.preset.seats):
            self._seat(i)
        for name, value in part["memory"].items():
            getattr(self.memory, name)[:] = value.numpy()
        for name, value in part["room"].items():
            array = getattr(self.room, name)
            array[:] = value.numpy().view(array.dtype)
        self.updates, self.next_seed = numbers["updates"], numbers["next_seed"]
        self.numpy.bit_generator.state = numbers["generator"]

    def ship(self, path: Path) -> None:
        """Writes the averaged weights, with the best temperature so far, as a checkpoint for the agent."""
        best = int(np.argmax(self.heat[:, 0] / np.maximum(self.heat[:, 1], 1.0)))
        numbers = {
            "width": self.preset.width,
            "loops": self.preset.loops,
            "temperature": TEMPERATURES[best],
            "updates": self.updates,
            "preset": self.preset.record(),
        }
        save_arrays(path, self.average, numbers)


def _parts(arrays: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Arrays by the first part of their names."""
    out: dict[str, dict[str, Any]] = {}
    for name, value in arrays.items():
        first, _, rest = name.partition(".")
        out.setdefault(first, {})[rest] = value
    return out
