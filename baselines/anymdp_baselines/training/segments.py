"""Segments: what runs did in some steps, as tokens to read and as lessons to be taught."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.play import Player, root_mean_square
from anymdp_baselines.omnirl.tokens import NOTHING, Steps
from anymdp_baselines.training.loss import Taught
from anymdp_baselines.training.recipes import RECIPES, DataRecipe
from anymdp_bench.datasets.behaviours import TAG_UNKNOWN
from anymdp_bench.datasets.sequences import TERMINATED, Sequences, synthesise
from anymdp_bench.engine.arrays import AnyArray, Int64s

Array: TypeAlias = Any  # of NumPy or PyTorch


@dataclass(frozen=True)
class Segment:
    """Steps of `n` runs, int64 [n, length] each but `reward` (float32), and what they follow on.

    Arrays while they are written step by step; tensors where they were played on an accelerator.

    Attributes:
        before: the step before, [n, 5]: left, action, ending, arrival, tag.
        reward_before: its reward, [n].
        power_before: sum of squared rewards and number of steps up to it, [n, 2].
        age: steps of the run before the segment, [n].
        advantage: labels, float32 [n, O, A].
        entropy: of the next observation, float32 [n, O, A].
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
        """A segment to be `put`, after the player's last step."""
        seen, action, ending, arrival, tag = (np.zeros((n, length), np.int64) for _ in range(5))
        reward, age = np.zeros((n, length), np.float32), np.zeros(n, np.int64)
        before = player.last.copy(), player.reward.copy(), player.power.copy()
        labels = advantage.copy(), entropy.copy()
        return cls(seen, action, reward, ending, arrival, tag, *before, age, *labels)

    @classmethod
    def join(cls, segments: Sequence[Segment]) -> Segment:
        """Segments of equal length as one, of all their runs."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(s, name) for s in segments]) for name in names))

    def put(
        self, t: int, seen: Int64s, action: Int64s, reward: AnyArray, ending: Int64s, arrival: Int64s,
        tag: Int64s | int,
    ) -> None:  # fmt: skip
        """Writes step `t` of every run."""
        self.seen[:, t], self.action[:, t], self.reward[:, t] = seen, action, reward
        self.ending[:, t], self.arrival[:, t], self.tag[:, t] = ending, arrival, tag

    def steps(self, rows: Int64s) -> Steps:
        """What the model reads of the runs `rows`."""
        of = self._rows(rows)
        columns = (of(x) for x in (self.seen, self.action, self.ending, self.arrival, self.tag))
        before, seen = of(self.before), of(self.seen)
        left, action, ending, arrival, tag = (
            torch.cat([before[:, k : k + 1], whole[:, :-1]], 1) for k, whole in enumerate(columns)
        )
        reward = torch.cat([of(self.reward_before)[:, None], of(self.reward)[:, :-1]], 1)
        arrival = torch.where(ending == NOTHING, seen, arrival)
        scale = root_mean_square(self.power(rows)[:, :-1])
        return Steps(seen, left, action, reward, scale, ending, arrival, tag)

    def power(self, rows: Int64s) -> Tensor:
        """(Sum of squared rewards, steps) before the segment and after each step, [rows, T + 1, 2]."""
        of = self._rows(rows)
        squares = of(self.reward).double() ** 2
        each = torch.stack([squares, torch.ones_like(squares)], -1)
        return torch.cat([of(self.power_before)[:, None], each], 1).cumsum(1)

    def taught(self, rows: Int64s) -> Taught:
        """What it is taught there."""
        of = self._rows(rows)
        seen, advantage = of(self.seen), of(self.advantage)
        slots = advantage[0].numel()
        place = torch.arange(len(seen), device=seen.device)[:, None]
        age = of(self.age)[:, None] + torch.arange(seen.shape[1], device=seen.device)
        return Taught(
            advantage[place, seen],
            of(self.action),
            of(self.reward),
            of(self.arrival),
            (of(self.ending) == TERMINATED).float(),
            (age.double() / slots).float(),
        )

    def floor(self, rows: Int64s) -> Tensor:
        """Mean entropy of the next observation, in nats: no forecast of it has a lower loss on average."""
        of = self._rows(rows)
        place = torch.arange(len(rows), device=of(self.seen).device)[:, None]
        return of(self.entropy)[place, of(self.seen), of(self.action)].mean()

    def _rows(self, rows: Int64s) -> Callable[[Array], Tensor]:
        chosen = torch.as_tensor(rows, device=torch.as_tensor(self.seen).device)
        return lambda array: torch.as_tensor(array)[chosen]


class Recorded:
    """Runs of a recipe's behaviours, recorded ahead for a life, and read segment by segment."""

    def __init__(
        self,
        n_states: int,
        n_actions: int,
        ends: Int64s,
        life: int,
        first_seed: int,
        recipe: DataRecipe = RECIPES["omnirl"],
    ) -> None:
        self._size, self._life, self._recipe = (n_states, n_actions), life, recipe
        self.next_seed = first_seed
        n = len(ends)
        self.seeds = np.full(n, -1, np.int64)
        self.age: Int64s = np.full(n, life)
        self.end = np.full(n, -1, np.int64)  # the age at which a run is over
        self._first_ends = ends
        self._runs: list[Sequences | None] = [None] * n

    def renew(self) -> Int64s:
        """Replaces the runs that are over, and says which."""
        over = np.flatnonzero(self.age >= self.end)
        for i in over:
            self.seeds[i] = self.next_seed
            self.next_seed += 1
            self._record(int(i))
        first = self.end[over] < 0
        self.end[over] = np.where(first, self._first_ends[over], self._life)
        self.age[over] = 0
        return over

    def _record(self, i: int) -> None:
        seed = int(self.seeds[i])
        mixture = self._recipe.mixture
        run = synthesise(*self._size, range(seed, seed + 1), self._life, mixture)
        if not self._recipe.tags:
            run.tag[:] = TAG_UNKNOWN
        self._runs[i] = run

    def take(self, length: int, player: Player) -> Segment:
        """The next `length` steps of every run; the player's last step moves on with them."""
        n = len(self.seeds)
        runs = [run for run in self._runs if run is not None]
        advantage = np.concatenate([run.advantage for run in runs])
        entropy = np.concatenate([run.entropy for run in runs])
        segment = Segment.empty(n, length, player, advantage, entropy)
        segment.age[:] = self.age
        for i, run in enumerate(runs):
            part = slice(int(self.age[i]), int(self.age[i]) + length)
            for name in ("seen", "action", "reward", "ending", "arrival", "tag"):
                getattr(segment, name)[i] = getattr(run, name)[0, part]
        last = (segment.seen, segment.action, segment.ending, segment.arrival, segment.tag)
        player.last = np.stack([column[:, -1] for column in last], 1)
        player.reward = segment.reward[:, -1].copy()
        player.power = segment.power(np.arange(n))[:, -1].numpy()
        self.age += length
        return segment

    def restore(self, seeds: Int64s, age: Int64s, end: Int64s, next_seed: int) -> None:
        """Goes on where these were taken from the attributes of their names."""
        self.seeds, self.age, self.end = seeds.copy(), age.copy(), end.copy()
        self.next_seed = next_seed
        for i in np.flatnonzero(seeds >= 0).tolist():
            self._record(i)
