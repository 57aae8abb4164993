"""A rollout on an accelerator: tasks, dynamics, memories and choices all stay there.

A step of all runs is one graph of kernels, captured once (on CUDA; elsewhere the kernels are launched one by
one). Tasks and recorded runs come from other processes (`prefetch`). Three things differ from `rollout_cpu`:
dynamics are drawn from the generator of the device, they are in single precision, and a training that resumes
begins all runs anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.presets import COOLING, TaskGroup
from anymdp_baselines.omnirl.recipes import RECIPES, DataRecipe
from anymdp_baselines.omnirl.rollout import ScoreTally, SegmentBatch, first_ends
from anymdp_baselines.omnirl.segments import Segment, root_mean_square
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.training.cuda_graph import capture_graph
from anymdp_baselines.training.prefetch import DenseTasks, Prefetcher, make_tasks
from anymdp_baselines.training.temperature import TemperatureSchedule, choose_temperatures
from anymdp_bench.datasets.codes import NOTHING, TAG_UNKNOWN, TERMINATED, TRUNCATED, WENT_ON
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s

_WORST = -1.0  # a score that counts no lower: few tasks would outweigh all others
_COLUMNS = ("seen", "action", "ending", "arrival", "tag")


class GpuRollout:
    """The runs of a task group on an accelerator (see `rollout.Rollout`); the own runs come first.

    Args:
        group: the tasks.
        model: the model, on its device.
        seeds: two first task seeds, of the model's own runs and of the recorded ones.
        recipe: what is recorded.
        schedules: the temperatures that the model plays at; its runs are divided evenly among them.
        is_half: whether the model plays in bfloat16.
        workers: processes that make tasks and recorded runs ahead.
        uses_graphs: whether a step is captured as a graph, on CUDA.
        reward_spread: of the factors of rewards (`task_pool.reward_factor`).
    """

    def __init__(
        self,
        group: TaskGroup,
        model: SequenceModel,
        seeds: tuple[int, int],
        recipe: DataRecipe = RECIPES["omnirl"],
        schedules: Sequence[TemperatureSchedule] = COOLING,
        is_half: bool = False,
        workers: Executor | None = None,
        uses_graphs: bool = True,
        reward_spread: float = 0.0,
    ) -> None:
        self.group, self._model, self._is_half, self.schedules = group, model, is_half, schedules
        self.schedule_of = np.arange(group.own_runs) % len(schedules)
        size, length = (group.n_states, group.n_actions), group.context_length
        self.device = model.sharpness.device
        n, k, segments = group.own_runs, group.recorded_runs, length // group.segment
        record = partial(recipe.record, *size, length=length, reward_spread=reward_spread)
        make = partial(make_tasks, *size, reward_spread=reward_spread)
        self._tasks = Prefetcher(make, seeds[0], 2 * n // segments, workers)
        self._runs = Prefetcher(record, seeds[1], 2 * k // segments, workers)
        self._codes = model.codes(group.n_states)
        self.memory = [m.contiguous() for m in model.initial_state(n + k, *size)]
        self._task = [self._put(x).repeat(n, *[1] * (x.ndim - 1)) for x in self._tasks.take(1)]
        self._run = [self._put(x).repeat(k, 1) for x in self._runs.take(1)[:6]] if k else []
        self._labels = torch.zeros(2, n + k, *size, device=self.device)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=self.device)

        self._state, self._left = zeros(2, n)
        self._seen = zeros(n)
        self._last = zeros(n + k, 5)  # the step before: state left, action, ending, arrival, tag
        self._reward = torch.zeros(n + k, device=self.device)
        self._power = torch.zeros(n + k, 2, dtype=torch.float64, device=self.device)
        self._temperature = torch.ones(group.segment, n, device=self.device)
        # a captured step works on these very tensors
        self._own_memory = [memory[:n] for memory in self.memory]
        self._own_last = [x[:n].clone() for x in (self._last, self._reward, self._power)]
        self._time = zeros(1)
        self._steps = {name: zeros(group.segment, n) for name in _COLUMNS}
        self._rewards = torch.zeros(group.segment, n, device=self.device)
        self._uses_graphs = uses_graphs and self.device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None
        self.age = np.zeros(n + k, np.int64)
        self.end = np.zeros(n + k, np.int64)  # so that the first round begins all of them
        self._first_ends = np.concatenate([first_ends(m, group) for m in (n, k)])
        self.tally = ScoreTally(len(schedules), segments)

    def _put(self, array: AnyArray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def advance(self, rng: np.random.Generator | None = None) -> SegmentBatch:
        """Advances all runs by a segment; `rng` is not used."""
        self._renew()
        start = [memory.clone() for memory in self.memory]
        before = self._last.clone(), self._reward.clone(), self._power.clone()
        parts = [self._play()] if self.group.own_runs else []
        parts += [self._take_recorded()] if self.group.recorded_runs else []
        columns = [torch.cat(column) for column in zip(*parts, strict=True)]
        seen, action, ending, arrival, tag, reward = columns
        age = self._put(self.age.copy())
        segment = Segment(
            seen, action, reward, ending, arrival, tag, *before, age, *self._labels.clone()
        )
        self._last = torch.stack([column[:, -1] for column in columns[:5]], 1)
        self._reward = reward[:, -1].clone()
        self._power = segment.power(np.arange(len(age)))[:, -1].contiguous()
        self._add_scores(segment)
        self.age += self.group.segment
        return SegmentBatch(segment, start)

    def keep_memories(self, memories: list[Tensor]) -> None:
        """Takes over, for the recorded runs, the memories of all runs after the segment."""
        for own, new in zip(self.memory, memories, strict=True):
            own[self.group.own_runs :] = new[self.group.own_runs :]

    def _renew(self) -> None:
        """Begins runs anew that are over, or whose memory is not finite."""
        is_lost = ~torch.stack([m.flatten(1).isfinite().all(1) for m in self.memory]).all(0)
        over = np.flatnonzero((self.age >= self.end) | is_lost.cpu().numpy())
        if not len(over):
            return
        n, at = self.group.own_runs, self._put(over)
        length = self.group.context_length
        self.end[over] = np.where(self.end[over] == 0, self._first_ends[over], length)
        self.age[over] = 0
        for memory in self.memory:
            memory[at] = 0.0
        self._last[at] = self._put(np.array([0, 0, NOTHING, 0, TAG_UNKNOWN]))
        self._reward[at], self._power[at] = 0.0, 0.0
        own, recorded = over[over < n], over[over >= n]
        if len(own):
            self._assign(own, self._tasks.take(len(own)))
        if len(recorded):
            runs = self._runs.take(len(recorded))
            self._fill(self._run, recorded - n, runs[:6])
            labels = torch.stack([self._put(x) for x in runs[6:]])
            self._labels[:, self._put(recorded)] = labels

    def _fill(self, held: list[Tensor], rows: Int64s, given: Sequence[AnyArray]) -> None:
        for own, new in zip(held, given, strict=True):
            own[self._put(rows)] = self._put(new)

    def _assign(self, rows: Int64s, tasks: DenseTasks) -> None:
        """Puts tasks in the places `rows`, and begins an episode of each."""
        self._fill(self._task, rows, tasks)
        at = self._put(rows)
        self._labels[:, at] = torch.stack([self._put(x) for x in tasks[7:]])
        start, ids, horizon = self._task[3][at], self._task[5][at], self._task[6][at]
        state = _pick(start, torch.rand(len(at), device=self.device))
        self._state[at], self._left[at] = state, horizon
        self._seen[at] = ids.gather(1, state[:, None])[:, 0]

    def _play(self) -> list[Tensor]:
        """Plays a segment of the own runs: seen, action, ending, arrival, tag, reward, [n, T] each."""
        n, length = self.group.own_runs, self.group.segment
        ages = self.age[:n] + np.arange(length)[:, None]
        slots = self.group.n_states * self.group.n_actions
        warm = choose_temperatures(self.schedules, self.schedule_of, ages, slots)
        self._temperature.copy_(self._put(warm))
        self._time.zero_()
        self._model.eval()
        for own, now in zip(self._own_last, (self._last, self._reward, self._power), strict=True):
            own.copy_(now[:n])
        done = 0
        with torch.no_grad():
            if self._uses_graphs and self._graph is None:
                done = min(3, length)
                self._graph, _ = capture_graph(self._step, done)
            for _ in range(done, length):
                if self._graph is not None:
                    self._graph.replay()
                else:
                    self._step()
        columns = [self._steps[name].T.contiguous() for name in _COLUMNS]
        return [*columns, self._rewards.T.contiguous()]

    def _step(self) -> None:
        """Plays one step of all own runs; shapes and places in memory are always the same."""
        cumulative, mean, noise, start, terminal, ids, horizon = self._task[:7]
        last, reward, power = self._own_last
        seen, rows = self._seen.clone(), torch.arange(len(self._seen), device=self.device)
        left, action, ending, arrival, tag = last.unbind(1)
        arrival = torch.where(ending == NOTHING, seen, arrival)
        columns = (seen, left, action, reward, root_mean_square(power), ending, arrival, tag)
        inputs = StepInputs(*(x[:, None] for x in columns))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._is_half):
            output, after = self._model(
                inputs, self._own_memory, self._codes, self.group.n_actions, one_step=True
            )
        for own, new in zip(self._own_memory, after, strict=True):
            if new is not own:
                own.copy_(new)
        temperature = self._temperature.index_select(0, self._time)[0]
        logit = output.logit[:, 0].float() / temperature[:, None]
        action = (logit - torch.empty_like(logit).exponential_().log()).argmax(1)
        state, uniform = self._state.clone(), torch.rand(2, len(rows), device=self.device)
        following = _pick(cumulative[rows, state, action], uniform[0])
        sd = noise[rows, state, action, following]
        received = mean[rows, state, action, following] + sd * torch.randn_like(sd)
        remaining = self._left - 1
        terminated = terminal[rows, following]
        truncated = ~terminated & (remaining <= 0)
        is_over = terminated | truncated
        arrived = ids[rows, following]
        self._state.copy_(torch.where(is_over, _pick(start, uniform[1]), following))
        self._left.copy_(torch.where(is_over, horizon, remaining))
        self._seen.copy_(ids[rows, self._state])
        ending = torch.where(terminated, TERMINATED, torch.where(truncated, TRUNCATED, WENT_ON))
        done = (seen, action, ending, arrived, torch.full_like(seen, TAG_UNKNOWN))
        for name, column in zip(_COLUMNS, done, strict=True):
            self._steps[name].index_copy_(0, self._time, column[None])
        self._rewards.index_copy_(0, self._time, received[None])
        last.copy_(torch.stack(done, 1))
        reward.copy_(received)
        one = torch.ones_like(received, dtype=torch.float64)
        power.add_(torch.stack([received.double() ** 2, one], 1))
        self._time.add_(1)

    def _take_recorded(self) -> list[Tensor]:
        """Returns the segment of the recorded runs, as `_play` does."""
        age = self._put(self.age[self.group.own_runs :])[:, None]
        at = age + torch.arange(self.group.segment, device=self.device)
        seen, action, reward, ending, arrival, tag = (x.gather(1, at) for x in self._run)
        return [*(x.long() for x in (seen, action, ending, arrival, tag)), reward.float()]

    def _add_scores(self, segment: Segment) -> None:
        """Adds the score of each own run over the segment, by the oracle's advantages, to the tally."""
        n = self.group.own_runs
        if not n:
            return
        rows = torch.arange(n, device=self.device)[:, None]
        advantage = segment.advantage[:n][rows, segment.seen[:n], segment.action[:n]]
        score = np.maximum(1.0 + advantage.mean(1).double().cpu().numpy(), _WORST)
        self.tally.add(self.schedule_of, self.age[:n] // self.group.segment, score)

    def scores(self) -> Float64s:
        """Returns about the mean score since the last call, [schedules, ages]; NaN where none was played.

        It is by the advantages of the oracle's stationary policy, and over tasks that are not scorable too.
        """
        return self.tally.take_means()

    def state(self) -> dict[str, Tensor]:
        """Returns the next task seeds, from which `restore` continues."""
        seeds: Int64s = np.array([self._tasks.next_seed, self._runs.next_seed])
        return {"next_seeds": torch.from_numpy(seeds)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Continues with fresh runs on the tasks that follow."""
        task_seed, run_seed = tensors["next_seeds"].tolist()
        self._tasks.move(task_seed)
        self._runs.move(run_seed)
        self.age[:] = self.end[:] = 0


def _pick(cumulative: Tensor, uniform: Tensor) -> Tensor:
    """Returns the indices of cumulative distributions [n, S] that uniform numbers [n] fall on."""
    return (uniform[:, None] >= cumulative).sum(1)
