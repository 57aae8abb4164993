"""On-policy decoupled policy distillation: rounds of play and updates.

In a round every run goes on by one segment: the student's own, on its seats, and recorded ones of the
behaviour mixture. Then the model is updated on these very segments, from the memories that the runs had
at their start; gradients stop there. Every step is labelled by the oracle and used once, and a run can
last for any length at constant memory.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.sequence.lesson import losses
from anymdp_baselines.sequence.model import SequenceModel
from anymdp_baselines.sequence.play import UNKNOWN, Player, temperature
from anymdp_baselines.sequence.presets import Preset
from anymdp_baselines.sequence.seats import Seats
from anymdp_baselines.sequence.segments import Recorded, Segment
from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.tasks.family import PUBLIC_SEEDS

TEMPERATURES = (0.5, 0.8, 1.2)  # first temperatures, one a group of seats
_BEHAVIOUR_SEEDS = PUBLIC_SEEDS + 2**31  # recorded runs draw their tasks from here on
_CLIP = 1.0


def first_ends(n: int, life: int, segment: int) -> Int64s:
    """Ages at which the first runs end: staggered, so that later ones are of all ages at once."""
    out: Int64s = life - np.arange(n) % (life // segment) * segment
    return out


class Trainer:
    """Everything a training run consists of; `state` and `restore` make it resumable to the bit."""

    def __init__(self, preset: Preset) -> None:
        if preset.life % preset.segment:
            raise ValueError(f"life {preset.life} is no multiple of segment {preset.segment}")
        self.preset = preset
        torch.manual_seed(preset.seed)
        self.model = SequenceModel(preset.model)
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        plain = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=preset.learning_rate, betas=(0.9, 0.98))
        size = (preset.n_states, preset.n_actions)
        self.seats = Seats(preset.students, *size)
        self.player = Player(self.model, preset.students, *size)
        ends = first_ends(preset.behaviours, preset.life, preset.segment)
        self.recorded = Recorded(*size, ends, preset.life, _BEHAVIOUR_SEEDS + preset.seed * 2**24)
        self.shown = Player(self.model, preset.behaviours, *size)
        self.next_seed = PUBLIC_SEEDS + preset.seed * 2**24
        self.seats.sit(np.arange(preset.students), self._seeds(preset.students))
        self.age = np.zeros(preset.students, np.int64)
        self.end = first_ends(preset.students, preset.life, preset.segment)
        self.group = np.arange(preset.students) % len(TEMPERATURES)
        self.round = self.updates = 0
        bins = preset.life // preset.segment
        self.tally = np.zeros((len(TEMPERATURES), bins, 2))  # scores by group and age: sum, weight

    def _seeds(self, n: int) -> Int64s:
        out = np.arange(self.next_seed, self.next_seed + n)
        self.next_seed += n
        return out

    def advance(self) -> list[dict[str, float]]:
        """A round; the losses of its updates."""
        mine, start = self._play()
        theirs, shown_start = self._show()
        everything = Segment.join([mine, theirs])
        memory = [torch.cat(pair) for pair in zip(start, shown_start, strict=True)]
        n, parts = len(everything.age), self.preset.minibatches
        after = [torch.empty_like(m) for m in memory]
        shares = [np.arange(k, n, parts) for k in range(parts)]
        out = [self._update(everything, memory, rows, after) for rows in shares]
        for mem, new in zip(self.shown.state, after, strict=True):
            mem.copy_(new[self.preset.students :])
        self.round += 1
        return out

    def _play(self) -> tuple[Segment, list[Tensor]]:
        """The student's segment, and the memories before it."""
        preset, n = self.preset, self.preset.students
        over = np.flatnonzero(self.age >= self.end)
        if len(over):
            self.seats.sit(over, self._seeds(len(over)))
            self.player.forget(over)
            self.age[over], self.end[over] = 0, preset.life
        start = [memory.clone() for memory in self.player.state]
        segment = Segment.empty(
            n, preset.segment, self.player, self.seats.advantage, self.seats.entropy
        )
        segment.age[:] = self.age
        rng = np.random.default_rng([preset.seed, self.round])
        gumbel = rng.gumbel(size=(preset.segment, n, preset.n_actions))
        slots = preset.n_states * preset.n_actions
        first = np.array(TEMPERATURES)[self.group]
        self.model.eval()
        with torch.no_grad():
            for t in range(preset.segment):
                seen = self.seats.seen
                warmth = temperature(first, self.age + t, slots)
                logits = self.player.logits(seen.copy()).double().numpy()
                action = (logits / warmth[:, None] + gumbel[t]).argmax(1)
                reward, ending, arrival, score, ended = self.seats.step(action)
                self.player.note(seen, action, reward, ending, arrival, UNKNOWN)
                segment.put(t, seen, action, reward, ending, arrival, UNKNOWN)
                for i in np.flatnonzero(ended & self.seats.counts):
                    self.tally[self.group[i], (self.age[i] + t) // preset.segment] += (
                        score[i],
                        1.0,
                    )
        self.age += preset.segment
        return segment, start

    def _show(self) -> tuple[Segment, list[Tensor]]:
        """The segment of the recorded runs, and the memories before it."""
        self.shown.forget(self.recorded.renew())
        start = [memory.clone() for memory in self.shown.state]
        return self.recorded.take(self.preset.segment, self.shown), start

    def _update(
        self, segment: Segment, memory: list[Tensor], rows: Int64s, after: list[Tensor]
    ) -> dict[str, float]:
        """One update on the runs `rows`; writes their memories to `after`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.model.train()
        sums: dict[str, float] = {}
        for part in np.array_split(rows, self.preset.micro):
            share = len(part) / len(rows)
            found, new = self._loss(segment, [m[part] for m in memory], part)
            (share * found["total"]).backward()
            for k, v in found.items():
                sums[k] = sums.get(k, 0.0) + share * float(v.detach())
            for whole, mem in zip(after, new, strict=True):
                whole[part] = mem.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), _CLIP)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.updates += 1
        sums["floor"] = float(segment.floor(rows))
        sums["norm"] = float(norm)
        return sums

    def _loss(
        self, segment: Segment, memory: list[Tensor], rows: Int64s
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        steps, taught = segment.steps(rows), segment.taught(rows)
        codes = self.model.codes(self.preset.n_states)
        outlook, new = self.model(steps, memory, codes, self.preset.n_actions)
        forecast = self.model.forecast(outlook, taught.action, codes)
        return losses(outlook, forecast, taught, self.preset.softness), new

    def _rate(self) -> float:
        """The learning rate of this update: warm-up, then a cosine to 3%."""
        total = self.preset.rounds * self.preset.minibatches
        warm = max(total // 50, 10)
        if self.updates < warm:
            return self.preset.learning_rate * (self.updates + 1) / warm
        done = min((self.updates - warm) / max(total - warm, 1), 1.0)
        return self.preset.learning_rate * (0.03 + 0.97 * 0.5 * (1.0 + math.cos(math.pi * done)))

    def scores(self) -> np.ndarray:
        """Mean score of the student's episodes since the last call, [groups, ages]; NaN where none ended."""
        with np.errstate(invalid="ignore"):
            out = self.tally[..., 0] / self.tally[..., 1]
        self.tally[:] = 0.0
        return out

    def state(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """(tensors, numbers) that `restore` needs to go on exactly."""
        out = {f"model.{k}": v.detach() for k, v in self.model.state_dict().items()}
        names = {id(p): name for name, p in self.model.named_parameters()}
        for parameter, moments in self.optimizer.state.items():
            for key in ("exp_avg", "exp_avg_sq"):
                out[f"optimizer.{key}.{names[id(parameter)]}"] = moments[key]
        for name, player in (("mine", self.player), ("shown", self.shown)):
            out |= {f"{name}.{k}": tensor for k, tensor in player.context().items()}
        arrays = {f"seats.{k}": v for k, v in self.seats.playing().items()}
        arrays |= {"age": self.age, "end": self.end, "tally": self.tally}
        arrays |= {
            "recorded.seeds": self.recorded.seeds,
            "recorded.age": self.recorded.age,
            "recorded.end": self.recorded.end,
        }
        out |= {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()}
        numbers = {
            "round": self.round,
            "updates": self.updates,
            "next_seed": self.next_seed,
            "recorded_next_seed": self.recorded.next_seed,
        }
        return out, numbers

    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, int]) -> None:
        """Goes on where `state` was taken."""
        model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.model.load_state_dict(model)
        for name, parameter in self.model.named_parameters():
            if f"optimizer.exp_avg.{name}" in tensors:
                self.optimizer.state[parameter] = {
                    "step": torch.tensor(float(numbers["updates"])),
                    "exp_avg": tensors[f"optimizer.exp_avg.{name}"].clone(),
                    "exp_avg_sq": tensors[f"optimizer.exp_avg_sq.{name}"].clone(),
                }
        for name, player in (("mine", self.player), ("shown", self.shown)):
            player.resume({k: tensors[f"{name}.{k}"] for k in player.context()})
        arrays = {k: v.numpy() for k, v in tensors.items()}
        self.seats.restore(
            {k.removeprefix("seats."): v for k, v in arrays.items() if k.startswith("seats.")}
        )
        self.age, self.end = arrays["age"].copy(), arrays["end"].copy()
        self.tally = arrays["tally"].copy()
        self.round, self.updates = numbers["round"], numbers["updates"]
        self.next_seed = numbers["next_seed"]
        self.recorded.restore(
            arrays["recorded.seeds"],
            arrays["recorded.age"],
            arrays["recorded.end"],
            numbers["recorded_next_seed"],
        )
