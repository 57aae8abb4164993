"""The interface of rollouts: runs of one task group, the model's own and recorded ones, segment by segment.

A rollout advances all of its runs by a segment at a time, and says which memories they had at its start.
There is one on the CPU (`rollout_cpu`) and one on an accelerator (`rollout_gpu`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from anymdp_baselines.omnirl.presets import TaskGroup
from anymdp_baselines.omnirl.segments import Segment
from anymdp_bench.engine.arrays import Float64s, Int64s


class SegmentBatch(NamedTuple):
    """What is learned from in a round."""

    segment: Segment  # the model's own runs, then the recorded ones
    memory: list[Tensor]  # before the segment, one tensor for each block


class Rollout(Protocol):
    """The runs of one task group."""

    @property
    def group(self) -> TaskGroup:
        """The settings of the group."""

    def advance(self, rng: np.random.Generator) -> SegmentBatch:
        """Advances all runs by a segment; where choices are made on the CPU, `rng` draws them."""

    def keep_memories(self, memories: list[Tensor]) -> None:
        """Takes over, for the recorded runs, the memories of all runs after the segment."""

    def scores(self) -> Float64s:
        """Returns mean scores of the own runs since the last call, [schedules, ages]; NaN for none."""

    def state(self) -> dict[str, Tensor]:
        """Returns what `restore` needs."""

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues where `state` was taken."""


def first_ends(n: int, group: TaskGroup) -> Int64s:
    """Returns the ages at which the first of `n` runs end: staggered, so that later runs are of all ages."""
    length, segment = group.context_length, group.segment
    out: Int64s = length - np.arange(n) % (length // segment) * segment
    return out


class ScoreTally:
    """Sums of scores by temperature schedule and age.

    Args:
        n_schedules: number of schedules.
        n_ages: number of ages, in segments.
    """

    def __init__(self, n_schedules: int, n_ages: int) -> None:
        self.sums = np.zeros((n_schedules, n_ages, 2))

    def add(self, schedule: Int64s, age: Int64s, score: Float64s) -> None:
        """Adds scores, [k] each, at their schedules and ages."""
        np.add.at(self.sums, (schedule, age), np.stack([score, np.ones(len(score))], 1))

    def take_means(self) -> Float64s:
        """Returns the means since the last call, [schedules, ages]; NaN where nothing was added."""
        with np.errstate(invalid="ignore"):
            out: Float64s = self.sums[..., 0] / self.sums[..., 1]
        self.sums[:] = 0.0
        return out
