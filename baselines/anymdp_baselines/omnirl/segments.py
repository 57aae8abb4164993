"""Segments of runs: the steps that the model reads, and the targets of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.loss import Targets
from anymdp_baselines.omnirl.play import Player
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_bench.datasets.codes import NOTHING, TERMINATED
from anymdp_bench.engine.arrays import AnyArray, Int64s

Array: TypeAlias = Any  # of NumPy or PyTorch


def root_mean_square(power: Tensor) -> Tensor:
    """Returns `play.root_mean_square`, of tensors."""
    return (power[..., 0] / power[..., 1].clamp(min=1.0)).sqrt().float()


@dataclass(frozen=True)
class Segment:
    """Some steps of n runs, int64 [n, length] each but `reward` (float32), and what came before them.

    The fields are arrays while they are written step by step, and tensors where an accelerator made them.

    Attributes:
        before: the step before the segment, [n, 5]: the state left, action, ending, arrival, tag.
        reward_before: its reward, [n].
        power_before: sum of squared rewards and number of steps up to it, [n, 2].
        age: steps of the run before the segment, [n].
        advantage: labels, float32 [n, O, A].
        entropy: entropy of the next observation, float32 [n, O, A].
    """

    seen: Array
    action: Array
    reward: Array
    ending: Array
    arrival: Array
    tag: Array
    before: Array
    reward_before: Array
    power_before: Array
    age: Array
    advantage: Array
    entropy: Array

    @classmethod
    def empty(
        cls, n: int, length: int, player: Player, advantage: AnyArray, entropy: AnyArray
    ) -> Segment:
        """Returns a segment after the last step of `player`, to be filled by `write`."""
        seen, action, ending, arrival, tag = (np.zeros((n, length), np.int64) for _ in range(5))
        reward, age = np.zeros((n, length), np.float32), np.zeros(n, np.int64)
        before = player.last.copy(), player.reward.copy(), player.power.copy()
        labels = advantage.copy(), entropy.copy()
        return cls(seen, action, reward, ending, arrival, tag, *before, age, *labels)

    @classmethod
    def join(cls, segments: Sequence[Segment]) -> Segment:
        """Returns one segment with the runs of several of equal length."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(s, name) for s in segments]) for name in names))

    def write(
        self, t: int, seen: Int64s, action: Int64s, reward: AnyArray, ending: Int64s, arrival: Int64s,
        tag: Int64s | int,
    ) -> None:  # fmt: skip
        """Writes step `t` of every run."""
        self.seen[:, t], self.action[:, t], self.reward[:, t] = seen, action, reward
        self.ending[:, t], self.arrival[:, t], self.tag[:, t] = ending, arrival, tag

    def inputs(self, rows: Int64s) -> StepInputs:
        """Returns what the model reads of the runs `rows`."""
        of = self._take(rows)
        columns = (of(x) for x in (self.seen, self.action, self.ending, self.arrival, self.tag))
        before, seen = of(self.before), of(self.seen)
        left, action, ending, arrival, tag = (
            torch.cat([before[:, k : k + 1], whole[:, :-1]], 1) for k, whole in enumerate(columns)
        )
        reward = torch.cat([of(self.reward_before)[:, None], of(self.reward)[:, :-1]], 1)
        arrival = torch.where(ending == NOTHING, seen, arrival)
        scale = root_mean_square(self.power(rows)[:, :-1])
        return StepInputs(seen, left, action, reward, scale, ending, arrival, tag)

    def power(self, rows: Int64s) -> Tensor:
        """Returns (sum of squared rewards, steps) before the segment and after each step [rows, T + 1, 2]."""
        of = self._take(rows)
        squares = of(self.reward).double() ** 2
        each = torch.stack([squares, torch.ones_like(squares)], -1)
        return torch.cat([of(self.power_before)[:, None], each], 1).cumsum(1)

    def targets(self, rows: Int64s) -> Targets:
        """Returns the targets of the runs `rows`."""
        of = self._take(rows)
        seen, advantage = of(self.seen), of(self.advantage)
        slots = advantage[0].numel()
        place = torch.arange(len(seen), device=seen.device)[:, None]
        age = of(self.age)[:, None] + torch.arange(seen.shape[1], device=seen.device)
        return Targets(
            advantage[place, seen],
            of(self.action),
            of(self.reward),
            of(self.arrival),
            (of(self.ending) == TERMINATED).float(),
            (age.double() / slots).float(),
        )

    def entropy_floor(self, rows: Int64s) -> Tensor:
        """Returns the mean entropy of the next observation, in nats: no prediction has a lower mean loss."""
        of = self._take(rows)
        place = torch.arange(len(rows), device=of(self.seen).device)[:, None]
        return of(self.entropy)[place, of(self.seen), of(self.action)].mean()

    def _take(self, rows: Int64s) -> Callable[[Array], Tensor]:
        """Returns a function from an array of the segment to its `rows`, as a tensor."""
        chosen = torch.as_tensor(rows, device=torch.as_tensor(self.seen).device)
        return lambda array: torch.as_tensor(array)[chosen]
