"""A rollout on the CPU: exact dynamics, variance-free scores, and a state that resumes to the bit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.play import Player
from anymdp_baselines.omnirl.play_torch import network_of
from anymdp_baselines.omnirl.presets import COOLING, TaskGroup
from anymdp_baselines.omnirl.recipes import RECIPES, DataRecipe
from anymdp_baselines.omnirl.rollout import ScoreTally, SegmentBatch, first_ends
from anymdp_baselines.omnirl.segments import Segment
from anymdp_baselines.training.optimizer import take_prefix
from anymdp_baselines.training.task_pool import TaskPool
from anymdp_baselines.training.temperature import (
    TemperatureSchedule,
    choose_bonuses,
    choose_temperatures,
)
from anymdp_bench.datasets.codes import TAG_UNKNOWN
from anymdp_bench.datasets.sequences import Sequences
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s


class RecordedRuns:
    """Runs of the behaviours of a recipe, recorded in whole and read segment by segment.

    Args:
        group: the tasks.
        first_seed: the first task seed.
        recipe: what is recorded.
        reward_spread: of the factors of rewards (`task_pool.reward_factor`).
    """

    def __init__(
        self, group: TaskGroup, first_seed: int, recipe: DataRecipe, reward_spread: float = 0.0
    ) -> None:
        self._length, n = group.context_length, group.recorded_runs
        self._record = partial(
            recipe.record, group.n_states, group.n_actions,
            length=group.context_length, reward_spread=reward_spread,
        )  # fmt: skip
        self.next_seed = first_seed
        self.seeds = np.full(n, -1, np.int64)
        self.age: Int64s = np.full(n, self._length)
        self.end = np.full(n, -1, np.int64)  # the age at which a run is over
        self._first_ends = first_ends(n, group)
        self.runs: list[Sequences | None] = [None] * n

    def renew(self) -> Int64s:
        """Replaces the runs that are over, and returns which they were."""
        over = np.flatnonzero(self.age >= self.end)
        for i in over.tolist():
            self.seeds[i] = self.next_seed
            self.next_seed += 1
            self._load(i)
        is_first = self.end[over] < 0
        self.end[over] = np.where(is_first, self._first_ends[over], self._length)
        self.age[over] = 0
        return over

    def _load(self, i: int) -> None:
        seed = int(self.seeds[i])
        self.runs[i] = self._record(seeds=range(seed, seed + 1))

    def take(self, length: int, player: Player) -> Segment:
        """Returns the next `length` steps of every run, and sets the last step of the player to theirs."""
        n = len(self.seeds)
        runs = [run for run in self.runs if run is not None]
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
        """Continues where these were taken from the attributes of their names."""
        self.seeds, self.age, self.end = seeds.copy(), age.copy(), end.copy()
        self.next_seed = next_seed
        for i in np.flatnonzero(seeds >= 0).tolist():
            self._load(i)


class CpuRollout:
    """The runs of a task group on the CPU (see `rollout.Rollout`).

    Args:
        group: the tasks.
        model: the model.
        seeds: two first task seeds, of the model's own runs and of the recorded ones.
        recipe: what is recorded.
        schedules: the temperatures that the model plays at; its runs are divided evenly among them.
        reward_spread: of the factors of rewards (`task_pool.reward_factor`).
        reward_shift: of what is taken off the rewards of the model's own runs (`task_pool.shift_rewards`).

    Raises:
        ValueError: a seed is public.
    """

    def __init__(
        self,
        group: TaskGroup,
        model: SequenceModel,
        seeds: tuple[int, int],
        recipe: DataRecipe = RECIPES["omnirl"],
        schedules: Sequence[TemperatureSchedule] = COOLING,
        reward_spread: float = 0.0,
        reward_shift: float = 0.0,
    ) -> None:
        self.group, self._model, self.schedules = group, model, schedules
        n, size = group.own_runs, (group.n_states, group.n_actions)
        self.tasks = TaskPool(n, group.source, *size, reward_spread, reward_shift)
        network = network_of(model)
        self.player = Player(network, n, *size)
        self.recorded = RecordedRuns(group, seeds[1], recipe, reward_spread)
        self.recorded_player = Player(network, group.recorded_runs, *size)
        self.next_seed = seeds[0]
        self.tasks.assign(np.arange(n), self._take_seeds(n))
        self.age = np.zeros(n, np.int64)
        self.end = first_ends(n, group)
        self.schedule_of = np.arange(n) % len(schedules)
        self.tally = ScoreTally(len(schedules), group.context_length // group.segment)

    def _take_seeds(self, n: int) -> Int64s:
        out = np.arange(self.next_seed, self.next_seed + n)
        self.next_seed += n
        return out

    def advance(self, rng: np.random.Generator) -> SegmentBatch:
        """Advances all runs by a segment; `rng` draws the choices of the model."""
        if not self.group.recorded_runs:
            return self.play(rng)
        self.recorded_player.forget(self.recorded.renew())
        before = _copies(self.recorded_player)
        recorded = self.recorded.take(self.group.segment, self.recorded_player)
        if not self.group.own_runs:
            return SegmentBatch(recorded, before)
        own = self.play(rng)
        memory = [torch.cat(pair) for pair in zip(own.memory, before, strict=True)]
        return SegmentBatch(Segment.join([own.segment, recorded]), memory)

    def play(self, rng: np.random.Generator) -> SegmentBatch:
        """Plays a segment of the model's own runs."""
        group, tasks, n = self.group, self.tasks, self.group.own_runs
        self._renew()
        self.player.network = network_of(self._model)
        start = _copies(self.player)
        segment = Segment.empty(n, group.segment, self.player, tasks.advantage, tasks.entropy)
        segment.age[:] = self.age
        gumbel = rng.gumbel(size=(group.segment, n, group.n_actions))
        slots = group.n_states * group.n_actions
        for t in range(group.segment):
            seen, age = tasks.observation.copy(), self.age + t
            warm = choose_temperatures(self.schedules, self.schedule_of, age, slots)
            bonus = choose_bonuses(self.schedules, self.schedule_of, age, slots)
            action = (self.player.logits(seen, bonus) / warm[:, None] + gumbel[t]).argmax(1)
            reward, ending, arrival, score, is_over = tasks.step(action)
            self.player.note(seen, action, reward, ending, arrival, TAG_UNKNOWN)
            segment.write(t, seen, action, reward, ending, arrival, TAG_UNKNOWN)
            scored = np.flatnonzero(is_over & tasks.is_scorable)
            place = self.schedule_of[scored], age[scored] // group.segment
            self.tally.add(*place, score[scored])
        self.age += group.segment
        return SegmentBatch(segment, start)

    def _renew(self) -> None:
        over = np.flatnonzero(self.age >= self.end)
        if len(over):
            self.tasks.assign(over, self._take_seeds(len(over)))
            self.player.forget(over)
            self.age[over], self.end[over] = 0, self.group.context_length

    def keep_memories(self, memories: list[Tensor]) -> None:
        """Takes over, for the recorded runs, the memories of all runs after the segment."""
        for own, new in zip(self.recorded_player.state, memories, strict=True):
            own[:] = new[self.group.own_runs :].numpy()

    def scores(self) -> Float64s:
        """Returns mean scores of episodes since the last call, [schedules, ages]; NaN where none ended."""
        return self.tally.take_means()

    def state(self) -> dict[str, Tensor]:
        """Returns what `restore` needs to continue exactly."""
        arrays: dict[str, AnyArray] = {}
        for name, player in (("own", self.player), ("recorded", self.recorded_player)):
            arrays |= {f"{name}.{k}": array for k, array in player.context().items()}
        arrays |= {f"tasks.{k}": v for k, v in self.tasks.state().items()}
        arrays |= {"age": self.age, "end": self.end, "tally": self.tally.sums}
        arrays |= {f"runs.{k}": getattr(self.recorded, k) for k in ("seeds", "age", "end")}
        arrays["next_seeds"] = np.array([self.next_seed, self.recorded.next_seed])
        return {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues where `state` was taken."""
        arrays = {k: v.numpy() for k, v in tensors.items()}
        for name, player in (("own", self.player), ("recorded", self.recorded_player)):
            player.resume(take_prefix(f"{name}.", arrays))
        self.tasks.restore(take_prefix("tasks.", arrays))
        self.age, self.end, self.tally.sums = (arrays[k].copy() for k in ("age", "end", "tally"))
        self.next_seed, recorded_seed = arrays["next_seeds"].tolist()
        seeds, age, end = (arrays[f"runs.{k}"] for k in ("seeds", "age", "end"))
        self.recorded.restore(seeds, age, end, recorded_seed)


def _copies(player: Player) -> list[Tensor]:
    """Returns copies of the memories of a player's runs."""
    return [torch.from_numpy(memory.copy()) for memory in player.state]
