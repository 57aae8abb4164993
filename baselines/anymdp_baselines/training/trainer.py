"""On-policy decoupled policy distillation: rounds of play and updates.

In a round every run of every room goes on by one segment: the student's own, and recorded ones of the
behaviour mixture. Then the model is updated on these very segments, from the memories that the runs
had at their start; gradients stop there. Every step is labelled by the oracle and used once, and a run
can last for any length at constant memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.tokens import Steps
from anymdp_baselines.training import distributed
from anymdp_baselines.training.config import Preset
from anymdp_baselines.training.cuda_graph import Captured
from anymdp_baselines.training.loss import LOSSES, Taught, losses
from anymdp_baselines.training.prefetch import processes
from anymdp_baselines.training.recipes import RECIPES
from anymdp_baselines.training.rollout_cpu import PlayRoom, Round
from anymdp_baselines.training.rollout_gpu import Arena
from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.tasks.family import PUBLIC_SEEDS

_ROOM_SEEDS = 2**28  # task seeds of a room, at most; a training seed has 16 rooms
_BEHAVIOUR_SEEDS = 2**27  # recorded runs draw their tasks from here on within the room's
_RANK_SEEDS = 2**44  # task seeds of a process among several, at most; beyond those of exams
_CLIP = 1.0


@dataclass(frozen=True)
class Machine:
    """Where and how the arithmetic is done; nothing of it changes what is learned, but for rounding.

    Attributes:
        device: of torch.
        half: matrix products in bfloat16 (autocast); weights, memories and sums stay float32.
        compiled: the forward and backward pass through torch.compile.
        captured: on CUDA, whether steps of play and updates are captured as graphs.
        workers: processes that make tasks for an accelerator; 0: the trainer makes them itself.
    """

    device: str = "cpu"
    half: bool = False
    compiled: bool = False
    captured: bool = True
    workers: int = 0


class Trainer:
    """Everything a training run consists of; `state` and `restore` make it resumable to the bit."""

    def __init__(self, preset: Preset, machine: Machine | None = None) -> None:
        self.preset, self.machine = preset, machine or Machine()
        self.recipe = RECIPES[preset.recipe]
        if torch.device(self.machine.device).type == "cuda":
            torch.set_float32_matmul_precision("high")  # TF32
        torch.manual_seed(preset.seed)
        self.model = SequenceModel(preset.model).to(self.machine.device)
        self._forward = torch.compile(self.model) if self.machine.compiled else self.model
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        fused = True if self.machine.device != "cpu" else None
        self.optimizer = torch.optim.AdamW(
            groups, lr=preset.learning_rate, betas=(0.9, 0.98), fused=fused
        )
        self._pool = None if self.machine.device == "cpu" else processes(self.machine.workers)
        self.rooms = [self._room(k) for k in range(len(preset.rooms))]
        self._learners = [self._learner(k) for k in range(len(preset.rooms))]
        self.round = self.updates = 0

    def _room(self, k: int) -> PlayRoom | Arena:
        first = (
            PUBLIC_SEEDS
            + (16 * self.preset.seed + k) * _ROOM_SEEDS
            + distributed.rank() * _RANK_SEEDS
        )
        seeds = (first, first + _BEHAVIOUR_SEEDS)
        given = (self.preset.rooms[k], self.model, seeds)
        recipe, schedules = self.recipe, self.preset.schedules
        if self.machine.device == "cpu":  # where a step in bfloat16 is all overhead
            return PlayRoom(*given, recipe=recipe, schedules=schedules)
        half, captured = self.machine.half, self.machine.captured
        return Arena(*given, half, recipe, schedules, self._pool, captured)

    def advance(self) -> list[list[dict[str, float]]]:
        """A round: the losses of its updates, by update and room."""
        own = [distributed.rank()] if distributed.rank() else []
        rng = np.random.default_rng([self.preset.seed, self.round, *own])
        found = [room.go_on(rng) for room in self.rooms]
        after = [[torch.empty_like(m) for m in each.memory] for each in found]
        out = [self._update(found, part, after) for part in range(self.preset.minibatches)]
        for room, memories in zip(self.rooms, after, strict=True):
            room.learned(memories)
        self.round += 1
        return out

    def _update(
        self, found: list[Round], part: int, after: list[list[Tensor]]
    ) -> list[dict[str, float]]:
        """One update on a share of the runs of every room; writes their memories to `after`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.model.train()
        told = []
        for k, (each, memories) in enumerate(zip(found, after, strict=True)):
            rows = np.arange(part, len(each.segment.age), self.preset.minibatches)
            told.append(self._accumulate(k, each, rows, memories))
        distributed.average_gradients(self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=self.machine.device == "cpu")
        self.updates += 1
        return [{k: float(v) for k, v in each.items()} | {"norm": float(norm)} for each in told]

    def _accumulate(
        self, k: int, found: Round, rows: Int64s, after: list[Tensor]
    ) -> dict[str, Tensor]:
        """Adds the gradient of room `k`'s share of the loss of the runs `rows`, in `micro` parts."""
        sums: Tensor | float = 0.0
        device = self.machine.device
        for part in np.array_split(rows, self.preset.micro):
            share = len(part) / len(rows)
            steps = found.segment.steps(part).to(device)
            taught = found.segment.taught(part).to(device)
            weight = torch.tensor(self.preset.rooms[k].share * share)
            given = [*steps, *taught, weight.to(device), *(m[part] for m in found.memory)]
            scalars, *new = self._learners[k](given)
            sums = sums + share * scalars
            for whole, mem in zip(after, new, strict=True):
                whole[part] = mem
        assert isinstance(sums, Tensor)
        return dict(zip(LOSSES, sums, strict=True)) | {"floor": found.segment.floor(rows)}

    def _learner(self, k: int) -> Callable[[list[Tensor]], list[Tensor]]:
        """What adds the gradient of room `k`'s loss; captured as a graph on CUDA."""
        room = self.preset.rooms[k]
        codes = self.model.codes(room.n_states)
        kind, half = torch.device(self.machine.device).type, self.machine.half

        def learn(given: list[Tensor]) -> list[Tensor]:
            """Of steps, what they teach, a weight and memories: the losses, [n], and the memories after."""
            n, m = len(Steps._fields), len(Taught._fields)
            steps, taught = Steps(*given[:n]), Taught(*given[n : n + m])
            weight, *memory = given[n + m :]
            with torch.autocast(kind, torch.bfloat16, enabled=half):
                outlook, new = self._forward(steps, memory, codes, room.n_actions)
                forecast = self.model.forecast(outlook, taught.action, codes)
            found = losses(outlook, forecast, taught, self.preset.softness, self.recipe.label)
            (weight * found["total"]).backward()
            return [
                torch.stack([found[name].detach() for name in LOSSES]),
                *(x.detach() for x in new),
            ]

        if kind != "cuda" or self.machine.compiled or not self.machine.captured:
            return learn
        return Captured(learn, list(self.model.parameters()))

    def _rate(self) -> float:
        """The learning rate of this update: warm-up, then a cosine to 3%."""
        total = self.preset.rounds * self.preset.minibatches
        warm = max(total // 50, 10)
        if self.updates < warm:
            return self.preset.learning_rate * (self.updates + 1) / warm
        done = min((self.updates - warm) / max(total - warm, 1), 1.0)
        return self.preset.learning_rate * (0.03 + 0.97 * 0.5 * (1.0 + math.cos(math.pi * done)))

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """(tensors, numbers) that `restore` needs to go on exactly."""
        out = {f"model.{k}": v.detach().cpu() for k, v in self.model.state_dict().items()}
        names = {id(p): name for name, p in self.model.named_parameters()}
        for parameter, moments in self.optimizer.state.items():
            for key, moment in moments.items():
                out[f"optimizer.{key}.{names[id(parameter)]}"] = moment.cpu()
        for k, room in enumerate(self.rooms):
            out |= {f"room{k}.{name}": tensor for name, tensor in room.state().items()}
        return out, {"round": self.round, "updates": self.updates}

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, int]) -> None:
        """Goes on where `state` was taken."""
        self.round, self.updates = numbers["round"], numbers["updates"]
        self.model.load_state_dict(_under("model.", tensors))
        for name, parameter in self.model.named_parameters():
            if f"optimizer.exp_avg.{name}" in tensors:
                self.optimizer.state[parameter] = {
                    key: tensors[f"optimizer.{key}.{name}"].to(parameter.device, copy=True)
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }
        for k, room in enumerate(self.rooms):
            room.restore(_under(f"room{k}.", tensors))


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
