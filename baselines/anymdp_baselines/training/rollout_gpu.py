"""A room at work on an accelerator: tasks, dynamics, memories and choices all stay there.

A step of all runs is one graph of kernels, captured once (CUDA; elsewhere the same is done kernel by kernel).
Tasks and recorded runs come from other processes (`supply`). What differs from `playroom`, which plays on
the CPU: dynamics are drawn from the device's generator, in single precision, and who resumes begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.play import (
    COOLING_DOWN,
    UNKNOWN,
    Warmth,
    root_mean_square,
    temperatures,
)
from anymdp_baselines.omnirl.tokens import NOTHING, TERMINATED, TRUNCATED, WENT_ON, Steps
from anymdp_baselines.training.config import Room
from anymdp_baselines.training.prefetch import Supply, Tasks, runs, tasks
from anymdp_baselines.training.recipes import RECIPES, DataRecipe
from anymdp_baselines.training.rollout_cpu import Round, first_ends
from anymdp_baselines.training.segments import Segment
from anymdp_bench.engine.arrays import Float64s, Int64s

_WORST = -1.0  # a score that counts no lower: few tasks would outweigh all others
_COLUMNS = ("seen", "action", "ending", "arrival", "tag")


class Arena:
    """As `PlayRoom`; the student's runs come first, then the recorded ones.

    Args:
        room: its settings.
        model: the student, on its device.
        seeds: two first task seeds, of the student's runs and of the recorded ones.
        half: whether the student plays in bfloat16.
        recipe: of the recorded runs.
        schedules: how warm the student plays, one a group of its runs.
        pool: processes that make tasks and recorded runs ahead.
        captured: on CUDA, whether a step is captured as a graph.
    """

    def __init__(
        self,
        room: Room,
        model: SequenceModel,
        seeds: tuple[int, int],
        half: bool = False,
        recipe: DataRecipe = RECIPES["omnirl"],
        schedules: Sequence[Warmth] = COOLING_DOWN,
        pool: Executor | None = None,
        captured: bool = True,
    ) -> None:
        self.room, self._model, self._half, self.schedules = room, model, half, schedules
        self.group = np.arange(room.students) % len(schedules)
        size = (room.n_states, room.n_actions)
        self.device = model.sharpness.device
        n, shown = room.students, room.behaviours
        rounds = room.life // room.segment
        self._tasks = Supply(partial(tasks, *size), seeds[0], 2 * n // rounds, pool)
        record = partial(runs, *size, life=room.life, mixture=recipe.mixture, tags=recipe.tags)
        self._runs = Supply(record, seeds[1], 2 * shown // rounds, pool)
        self._codes = model.codes(room.n_states)
        self.memory = [m.contiguous() for m in model.fresh(n + shown, *size)]
        self._task = [self._put(x).repeat(n, *[1] * (x.ndim - 1)) for x in self._tasks.take(1)]
        self._run = [self._put(x).repeat(shown, 1) for x in self._runs.take(1)[:6]] if shown else []
        self._labels = torch.zeros(2, n + shown, *size, device=self.device)

        def whole(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=self.device)

        self._state, self._left = whole(2, n)
        self._seen = whole(n)
        self._last = whole(n + shown, 5)  # left, action, ending, arrival, tag
        self._reward = torch.zeros(n + shown, device=self.device)
        self._power = torch.zeros(n + shown, 2, dtype=torch.float64, device=self.device)
        self._warmth = torch.ones(room.segment, n, device=self.device)
        # a captured step works on these very tensors
        self._mine = [memory[:n] for memory in self.memory]
        self._held = [x[:n].clone() for x in (self._last, self._reward, self._power)]
        self._time = whole(1)
        self._steps = {name: whole(room.segment, n) for name in _COLUMNS}
        self._rewards = torch.zeros(room.segment, n, device=self.device)
        self._captured = captured and self.device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self.age = np.zeros(n + shown, np.int64)
        self.end = np.zeros(n + shown, np.int64)  # so that the first round begins all of them
        self._first = np.concatenate([first_ends(k, room.life, room.segment) for k in (n, shown)])
        self.tally = np.zeros((len(schedules), rounds, 2))

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def go_on(self, rng: np.random.Generator) -> Round:
        """All runs by a segment; `rng` is not used."""
        self._renew()
        n, length = self.room.students, self.room.segment
        start = [memory.clone() for memory in self.memory]
        before = self._last.clone(), self._reward.clone(), self._power.clone()
        parts = [self._play()] if n else []
        parts += [self._recorded()] if self.room.behaviours else []
        columns = [torch.cat(column) for column in zip(*parts, strict=True)]
        seen, action, ending, arrival, tag, reward = columns
        age = self._put(self.age.copy())
        segment = Segment(
            seen, action, reward, ending, arrival, tag, *before, age, *self._labels.clone()
        )
        self._last = torch.stack([column[:, -1] for column in columns[:5]], 1)
        self._reward = reward[:, -1].clone()
        self._power = segment.power(np.arange(len(age)))[:, -1].contiguous()
        self._account(segment)
        self.age += length
        return Round(segment, start)

    def learned(self, memories: list[Tensor]) -> None:
        """Takes over what the recorded runs remember after the segment."""
        for own, new in zip(self.memory, memories, strict=True):
            own[self.room.students :] = new[self.room.students :]

    def _renew(self) -> None:
        """Begins runs anew whose time is over, or whose memory has lost its numbers."""
        lost = ~torch.stack([m.flatten(1).isfinite().all(1) for m in self.memory]).all(0)
        over = np.flatnonzero((self.age >= self.end) | lost.cpu().numpy())
        if not len(over):
            return
        n, at = self.room.students, self._put(over)
        self.end[over] = np.where(self.end[over] == 0, self._first[over], self.room.life)
        self.age[over] = 0
        for memory in self.memory:
            memory[at] = 0.0
        self._last[at] = self._put(np.array([0, 0, NOTHING, 0, UNKNOWN]))
        self._reward[at], self._power[at] = 0.0, 0.0
        mine, theirs = over[over < n], over[over >= n]
        if len(mine):
            self._seat(mine, self._tasks.take(len(mine)))
        if len(theirs):
            given = self._runs.take(len(theirs))
            self._fill(self._run, theirs - n, given[:6])
            self._labels[:, self._put(theirs)] = torch.stack([self._put(x) for x in given[6:]])

    def _fill(self, held: list[Tensor], rows: Int64s, given: Sequence[np.ndarray]) -> None:
        for own, new in zip(held, given, strict=True):
            own[self._put(rows)] = self._put(new)

    def _seat(self, rows: Int64s, given: Tasks) -> None:
        self._fill(self._task, rows, given)
        at = self._put(rows)
        self._labels[:, at] = torch.stack([self._put(x) for x in given[7:]])
        first, ids, horizon = self._task[3][at], self._task[5][at], self._task[6][at]
        state = _pick(first, torch.rand(len(at), device=self.device))
        self._state[at], self._left[at] = state, horizon
        self._seen[at] = ids.gather(1, state[:, None])[:, 0]

    def _play(self) -> list[Tensor]:
        """The student's segment: seen, action, ending, arrival, tag, reward, [n, T] each."""
        n, length = self.room.students, self.room.segment
        ages = self.age[:n] + np.arange(length)[:, None]
        slots = self.room.n_states * self.room.n_actions
        warm = temperatures(self.schedules, self.group, ages, slots)
        self._warmth.copy_(self._put(warm))
        self._time.zero_()
        self._model.eval()
        for held, now in zip(self._held, (self._last, self._reward, self._power), strict=True):
            held.copy_(now[:n])
        done = 0
        if self._captured and self._graph is None:
            done = self._capture()
        with torch.no_grad():
            for _ in range(done, self.room.segment):
                if self._graph is not None:
                    self._graph.replay()
                else:
                    self._step()
        columns = [self._steps[name].T.contiguous() for name in _COLUMNS]
        return [*columns, self._rewards.T.contiguous()]

    def _capture(self) -> int:
        """Plays some steps to warm up, captures a step as a graph, and says how many it has played."""
        warm = min(3, self.room.segment)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.no_grad(), torch.cuda.stream(side):
            for _ in range(warm):
                self._step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(graph):
            self._step()
        self._graph = graph
        return warm

    def _step(self) -> None:
        """One step of all of the student's runs; shapes and places are always the same."""
        chance, mean, noise, first, terminal, ids, horizon = self._task[:7]
        last, reward, power = self._held
        seen, rows = self._seen.clone(), torch.arange(len(self._seen), device=self.device)
        left, action, ending, arrival, tag = last.unbind(1)
        arrival = torch.where(ending == NOTHING, seen, arrival)
        columns = (seen, left, action, reward, root_mean_square(power), ending, arrival, tag)
        steps = Steps(*(x[:, None] for x in columns))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half):
            outlook, after = self._model(
                steps, self._mine, self._codes, self.room.n_actions, one_step=True
            )
        for own, new in zip(self._mine, after, strict=True):
            if new is not own:
                own.copy_(new)
        warm = self._warmth.index_select(0, self._time)[0]
        logit = outlook.logit[:, 0].float() / warm[:, None]
        action = (logit - torch.empty_like(logit).exponential_().log()).argmax(1)
        state, lot = self._state.clone(), torch.rand(3, len(rows), device=self.device)
        following = _pick(chance[rows, state, action], lot[0])
        sd = noise[rows, state, action, following]
        got = mean[rows, state, action, following] + sd * torch.randn_like(sd)
        remaining = self._left - 1
        ended = terminal[rows, following]
        cut = ~ended & (remaining <= 0)
        over = ended | cut
        arrived = ids[rows, following]
        self._state.copy_(torch.where(over, _pick(first, lot[1]), following))
        self._left.copy_(torch.where(over, horizon, remaining))
        self._seen.copy_(ids[rows, self._state])
        ending = torch.where(ended, TERMINATED, torch.where(cut, TRUNCATED, WENT_ON))
        done = (seen, action, ending, arrived, torch.full_like(seen, UNKNOWN))
        for name, column in zip(_COLUMNS, done, strict=True):
            self._steps[name].index_copy_(0, self._time, column[None])
        self._rewards.index_copy_(0, self._time, got[None])
        last.copy_(torch.stack(done, 1))
        reward.copy_(got)
        power.add_(torch.stack([got.double() ** 2, torch.ones_like(got, dtype=torch.float64)], 1))
        self._time.add_(1)

    def _recorded(self) -> list[Tensor]:
        """The segment of the recorded runs, as `_play`."""
        age = self._put(self.age[self.room.students :])[:, None]
        at = age + torch.arange(self.room.segment, device=self.device)
        seen, action, reward, ending, arrival, tag = (x.gather(1, at) for x in self._run)
        return [*(x.long() for x in (seen, action, ending, arrival, tag)), reward.float()]

    def _account(self, segment: Segment) -> None:
        """Tallies what the student's runs lost by the oracle's advantages, as a score."""
        n = self.room.students
        if not n:
            return
        rows = torch.arange(n, device=self.device)[:, None]
        lost = segment.advantage[:n][rows, segment.seen[:n], segment.action[:n]]
        score = np.maximum(1.0 + lost.mean(1).double().cpu().numpy(), _WORST)
        place = (self.group, self.age[:n] // self.room.segment)
        np.add.at(self.tally, place, np.stack([score, np.ones(n)], 1))

    def scores(self) -> Float64s:
        """About the mean score of the student since the last call, [groups, ages]; NaN where none played.

        By the advantages of the oracle's stationary policy, and over tasks that do not count as well.
        """
        with np.errstate(invalid="ignore"):
            out: Float64s = self.tally[..., 0] / self.tally[..., 1]
        self.tally[:] = 0.0
        return out

    def state(self) -> dict[str, Tensor]:
        """Where `restore` goes on: the next tasks."""
        seeds: Int64s = np.array([self._tasks.next_seed, self._runs.next_seed])
        return {"next_seeds": torch.from_numpy(seeds)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Goes on with fresh runs on the tasks that follow."""
        mine, theirs = tensors["next_seeds"].tolist()
        self._tasks.move(mine)
        self._runs.move(theirs)
        self.age[:] = self.end[:] = 0


def _pick(cumulative: Tensor, lot: Tensor) -> Tensor:
    """Indices into cumulative distributions [n, S] on which `lot` [n] falls."""
    return (lot[:, None] >= cumulative).sum(1)
