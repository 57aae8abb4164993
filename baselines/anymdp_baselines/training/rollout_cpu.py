"""A room at work: runs of one size of tasks, the student's own and recorded ones, segment by segment.

A round gives a segment of every run, and the memories that the runs had at its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.play import COOLING_DOWN, UNKNOWN, Player, Warmth, temperatures
from anymdp_baselines.training.config import Room
from anymdp_baselines.training.recipes import RECIPES, DataRecipe
from anymdp_baselines.training.segments import Recorded, Segment
from anymdp_baselines.training.task_pool import Seats
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s


def first_ends(n: int, life: int, segment: int) -> Int64s:
    """Ages at which the first runs end: staggered, so that later ones are of all ages at once."""
    out: Int64s = life - np.arange(n) % (life // segment) * segment
    return out


class Round(NamedTuple):
    """What a round gives to learn from."""

    segment: Segment  # the student's runs, then the recorded ones
    memory: list[Tensor]  # before it, one tensor a block


class PlayRoom:
    """A `Room` at work.

    Args:
        room: its settings.
        model: the student.
        seeds: two first task seeds, of the student's runs and of the recorded ones.
        half: whether the student plays in bfloat16.
        recipe: of the recorded runs.
        schedules: how warm the student plays, one a group of its runs.
    """

    def __init__(
        self,
        room: Room,
        model: SequenceModel,
        seeds: tuple[int, int],
        half: bool = False,
        recipe: DataRecipe = RECIPES["omnirl"],
        schedules: Sequence[Warmth] = COOLING_DOWN,
    ) -> None:
        if room.life % room.segment:
            raise ValueError(f"life {room.life} is no multiple of segment {room.segment}")
        self.room, self._model, self.schedules = room, model, schedules
        size = (room.n_states, room.n_actions)
        self.seats = Seats(room.students, *size)
        self.player = Player(model, room.students, *size, half)
        ends = first_ends(room.behaviours, room.life, room.segment)
        self.recorded = Recorded(*size, ends, room.life, seeds[1], recipe)
        self.shown = Player(model, room.behaviours, *size)
        self.next_seed = seeds[0]
        self.seats.sit(np.arange(room.students), self._seeds(room.students))
        self.age = np.zeros(room.students, np.int64)
        self.end = first_ends(room.students, room.life, room.segment)
        self.group = np.arange(room.students) % len(schedules)
        bins = room.life // room.segment
        self.tally = np.zeros((len(schedules), bins, 2))  # scores by group and age: sum, weight

    def _seeds(self, n: int) -> Int64s:
        out = np.arange(self.next_seed, self.next_seed + n)
        self.next_seed += n
        return out

    def go_on(self, rng: np.random.Generator) -> Round:
        """All runs by a segment; `rng` is for the student's choices."""
        if not self.room.behaviours:
            return self.play(rng)
        self.shown.forget(self.recorded.renew())
        before = [memory.clone() for memory in self.shown.state]
        theirs = self.recorded.take(self.room.segment, self.shown)
        if not self.room.students:
            return Round(theirs, before)
        mine = self.play(rng)
        memory = [torch.cat(pair) for pair in zip(mine.memory, before, strict=True)]
        return Round(Segment.join([mine.segment, theirs]), memory)

    def play(self, rng: np.random.Generator) -> Round:
        """The student's segment alone."""
        room, n = self.room, self.room.students
        self._renew()
        start = [memory.clone() for memory in self.player.state]
        labels = (self.seats.advantage, self.seats.entropy)
        segment = Segment.empty(n, room.segment, self.player, *labels)
        segment.age[:] = self.age
        gumbel = rng.gumbel(size=(room.segment, n, room.n_actions))
        slots = room.n_states * room.n_actions
        self._model.eval()
        with torch.no_grad():
            for t in range(room.segment):
                seen = self.seats.seen
                warmth = temperatures(self.schedules, self.group, self.age + t, slots)
                action = (self.player.logits(seen) / warmth[:, None] + gumbel[t]).argmax(1)
                reward, ending, arrival, score, ended = self.seats.step(action)
                self.player.note(seen, action, reward, ending, arrival, UNKNOWN)
                segment.put(t, seen, action, reward, ending, arrival, UNKNOWN)
                counted = np.flatnonzero(ended & self.seats.counts)
                place = (self.group[counted], (self.age[counted] + t) // room.segment)
                np.add.at(self.tally, place, np.stack([score[counted], np.ones(len(counted))], 1))
        self.age += room.segment
        return Round(segment, start)

    def _renew(self) -> None:
        over = np.flatnonzero(self.age >= self.end)
        if len(over):
            self.seats.sit(over, self._seeds(len(over)))
            self.player.forget(over)
            self.age[over], self.end[over] = 0, self.room.life

    def learned(self, memories: list[Tensor]) -> None:
        """Takes over what the recorded runs remember after the segment, of all runs' memories."""
        for own, new in zip(self.shown.state, memories, strict=True):
            own.copy_(new[self.room.students :])

    def scores(self) -> Float64s:
        """Mean score of the student's episodes since the last call, [groups, ages]; NaN where none ended."""
        with np.errstate(invalid="ignore"):
            out: Float64s = self.tally[..., 0] / self.tally[..., 1]
        self.tally[:] = 0.0
        return out

    def state(self) -> dict[str, Tensor]:
        """What `restore` needs to go on exactly."""
        out: dict[str, Tensor] = {}
        for name, player in (("mine", self.player), ("shown", self.shown)):
            out |= {f"{name}.{k}": tensor for k, tensor in player.context().items()}
        arrays: dict[str, AnyArray] = {f"seats.{k}": v for k, v in self.seats.playing().items()}
        arrays |= {"age": self.age, "end": self.end, "tally": self.tally}
        arrays |= {f"recorded.{k}": getattr(self.recorded, k) for k in ("seeds", "age", "end")}
        arrays["next_seeds"] = np.array([self.next_seed, self.recorded.next_seed])
        return out | {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Goes on where `state` was taken."""
        for name, player in (("mine", self.player), ("shown", self.shown)):
            player.resume({k: tensors[f"{name}.{k}"] for k in player.context()})
        arrays = {k: v.numpy() for k, v in tensors.items()}
        self.seats.restore(
            {k.removeprefix("seats."): v for k, v in arrays.items() if k.startswith("seats.")}
        )
        self.age, self.end, self.tally = (arrays[k].copy() for k in ("age", "end", "tally"))
        self.next_seed, theirs = arrays["next_seeds"].tolist()
        seeds, age, end = (arrays[f"recorded.{k}"] for k in ("seeds", "age", "end"))
        self.recorded.restore(seeds, age, end, theirs)
