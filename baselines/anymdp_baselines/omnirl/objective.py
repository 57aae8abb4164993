"""The objective of the sequence models: on-policy decoupled policy distillation.

In a round every run of every task group advances by one segment: the model's own runs, and recorded ones of
the behaviour mixture. Then the model is updated on these very segments, from the memories that the runs had
at their start; gradients stop there. Every step is labelled by the oracle and used once, and a run can last
for any length at constant memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from anymdp_baselines.omnirl.agent import SequenceAgent
from anymdp_baselines.omnirl.checkpoint import read_checkpoint
from anymdp_baselines.omnirl.loss import LOSSES, Targets, compute_losses
from anymdp_baselines.omnirl.model import SequenceModel
from anymdp_baselines.omnirl.presets import SequencePreset, TaskGroup
from anymdp_baselines.omnirl.recipes import RECIPES
from anymdp_baselines.omnirl.rollout import Rollout, SegmentBatch
from anymdp_baselines.omnirl.rollout_cpu import CpuRollout
from anymdp_baselines.omnirl.rollout_gpu import GpuRollout
from anymdp_baselines.omnirl.tokens import StepInputs
from anymdp_baselines.training import distributed
from anymdp_baselines.training.checkpoint import load, one_line, save
from anymdp_baselines.training.cuda_graph import CapturedFunction
from anymdp_baselines.training.evaluate import HELD_OUT, describe_scores, online_scores
from anymdp_baselines.training.objective import Compute, Losses, RolloutObjective, TrainingPlan
from anymdp_baselines.training.optimizer import OptimizerSettings
from anymdp_baselines.training.prefetch import start_workers
from anymdp_baselines.training.task_pool import first_task_seed
from anymdp_bench.engine.arrays import Float64s, Int64s

REPORT, SAVE, EVALUATE = 10, 20, 100  # rounds between log lines, checkpoints, evaluations
EVALUATION_TASKS = 32
_RECORDED_SEEDS = 2**27  # recorded runs draw their tasks from here on within those of their group


class SequenceObjective(RolloutObjective):
    """A sequence model in training (see `training.objective.Objective`).

    Args:
        preset: the settings.
        compute: where and how the arithmetic is done.
    """

    def __init__(self, preset: SequencePreset, compute: Compute | None = None) -> None:
        self.preset, self.compute = preset, compute or Compute()
        self.device = self.compute.device
        self.recipe, self.schedule = RECIPES[preset.recipe], preset.schedules[1]
        updates = preset.rounds * preset.minibatches
        settings = OptimizerSettings(
            preset.learning_rate, updates, max(updates // 50, 10), preset.average_decay
        )
        self.plan = TrainingPlan(
            preset.rounds, preset.minibatches, settings, REPORT, SAVE, EVALUATE
        )
        # on a GPU TF32; on a CPU oneDNN's kernels, in float32 but where a core multiplies bfloat16 in tiles
        is_gpu = torch.device(self.device).type == "cuda"
        torch.set_float32_matmul_precision("high" if is_gpu else "medium")
        if preset.model.plan_columns and torch.device(self.device).type != "cpu":
            raise ValueError(
                "the planning memory is compiled for the CPU: take --device cpu (under torchrun, for"
                " many cores), or a preset without plan_columns"
            )
        torch.manual_seed(preset.seed)
        self.model = SequenceModel(preset.model).to(self.device)
        self._workers = None if self.device == "cpu" else start_workers(self.compute.workers)
        self.rollouts = [self._make_rollout(k) for k in range(len(preset.groups))]
        self._learners = [self._make_learner(group) for group in preset.groups]
        self._batches: list[SegmentBatch] = []
        self._memories: list[list[Tensor]] = []  # after the segments, written part by part

    def _make_rollout(self, k: int) -> Rollout:
        first = first_task_seed(self.preset.seed, k, distributed.rank())
        given = (self.preset.groups[k], self.model, (first, first + _RECORDED_SEEDS), self.recipe)
        if self.device == "cpu":  # where a step in bfloat16 costs more than it saves
            return CpuRollout(
                *given, self.preset.schedules, self.preset.reward_spread, self.preset.reward_shift
            )
        compute = self.compute
        return GpuRollout(
            *given, self.preset.schedules, compute.is_half, self._workers, compute.uses_graphs,
            self.preset.reward_spread,
        )  # fmt: skip

    def start_round(self, number: int) -> None:
        """Advances all runs by a segment."""
        rng = distributed.round_generator(self.preset.seed, number)
        self._batches = [rollout.advance(rng) for rollout in self.rollouts]
        self._memories = [[torch.empty_like(m) for m in batch.memory] for batch in self._batches]

    def backpropagate(self, part: int) -> dict[str, Losses]:
        """Adds the gradients of an equal share of the runs of every group."""
        self.model.train()
        out = {}
        for k, batch in enumerate(self._batches):
            rows = np.arange(part, len(batch.segment.age), self.preset.minibatches)
            out[self.preset.groups[k].name] = self.accumulate(k, batch, rows, self._memories[k])
        return {name: {k: float(v) for k, v in own.items()} for name, own in out.items()}

    def accumulate(
        self, k: int, batch: SegmentBatch, rows: Int64s, memories: list[Tensor]
    ) -> dict[str, Tensor]:
        """Adds the gradient of the loss of the runs `rows` of group number `k`, in `micro` parts.

        Writes to `memories` what the runs remember after the segment; returns the losses by name.
        """
        sums: Tensor | float = 0.0
        for part in np.array_split(rows, self.preset.micro):
            share = len(part) / len(rows)
            inputs = batch.segment.inputs(part).to(self.device)
            targets = batch.segment.targets(part).to(self.device)
            weight = torch.tensor(self.preset.groups[k].share * share).to(self.device)
            scalars, *after = self._learners[k](
                [*inputs, *targets, weight, *(m[part] for m in batch.memory)]
            )
            sums = sums + share * scalars
            for whole, memory in zip(memories, after, strict=True):
                whole[part] = memory
        assert isinstance(sums, Tensor)
        floor = batch.segment.entropy_floor(rows)
        return dict(zip(LOSSES, sums, strict=True)) | {"floor": floor}

    def _make_learner(self, group: TaskGroup) -> Callable[[list[Tensor]], list[Tensor]]:
        """Returns a function that adds the gradient of a group's loss; it is captured as a graph on CUDA."""
        codes = self.model.codes(group.n_states)
        kind, is_half = torch.device(self.device).type, self.compute.is_half

        def learn(given: list[Tensor]) -> list[Tensor]:
            """Returns the losses, [n], and the memories after, of inputs, targets, a weight and memories."""
            n, m = len(StepInputs._fields), len(Targets._fields)
            inputs, targets = StepInputs(*given[:n]), Targets(*given[n : n + m])
            weight, *memory = given[n + m :]
            with torch.autocast(kind, torch.bfloat16, enabled=is_half):
                output, after = self.model(inputs, memory, codes, group.n_actions)
                prediction = self.model.predict(output, targets.action, codes)
            label = self.recipe.label
            losses = compute_losses(output, prediction, targets, self.preset.softness, label)
            (weight * losses["total"]).backward()
            scalars = torch.stack([losses[name].detach() for name in LOSSES])
            return [scalars, *(memory.detach() for memory in after)]

        if kind != "cuda" or not self.compute.uses_graphs:
            return learn
        return CapturedFunction(learn, list(self.model.parameters()))

    def finish_round(self) -> None:
        """Hands the recorded runs the memories that the updates left."""
        for rollout, memories in zip(self.rollouts, self._memories, strict=True):
            rollout.keep_memories(memories)

    def scores(self) -> dict[str, Losses]:
        """Returns the mean score of the last third of the runs, by group and temperature schedule."""
        out: dict[str, Losses] = {}
        for rollout in self.rollouts:
            score = rollout.scores()
            late = score[:, score.shape[1] * 2 // 3 :]
            out[rollout.group.name] = {
                f"late_score_{schedule.words}": float(np.nanmean(own))
                if (own == own).any()
                else np.nan
                for schedule, own in zip(self.preset.schedules, late, strict=True)
            }
        return out

    def evaluate(self, folder: Path, is_final: bool) -> Iterator[str]:
        """Yields the online scores on unseen tasks of every group.

        In the end it chooses the schedule that the weights are played by, on held-out tasks of all groups.
        """
        network = read_checkpoint(folder / "weights", (self.preset.model.kind,)).network()
        if is_final:
            found = {}
            for schedule in self.preset.schedules:
                agent = SequenceAgent(network, schedule)
                late = [self._late_score(agent, group) for group in self.preset.groups]
                found[schedule] = float(np.mean(late))
                yield f"temperature {schedule.words}: {found[schedule]:.3f}"
            self.schedule = max(found, key=lambda schedule: found[schedule])
        agent = SequenceAgent(network, self.schedule)
        for group in self.preset.groups:
            yield f"{group.name}: {describe_scores(self._scores(agent, group), _steps(group))}"

    def _scores(self, agent: SequenceAgent, group: TaskGroup) -> Float64s:
        """Returns the online scores on held-out tasks of a group."""
        return online_scores(
            agent, group.n_states, group.n_actions, _steps(group), EVALUATION_TASKS, HELD_OUT,
            group.branching,
        )  # fmt: skip

    def _late_score(self, agent: SequenceAgent, group: TaskGroup) -> float:
        """Returns the mean of `_scores` but for the first third of a context."""
        return float(np.nanmean(self._scores(agent, group)[:, 1:]))

    def save_weights(self, folder: Path, weights: dict[str, Tensor], updates: int) -> None:
        """Writes the weights to `folder/weights`, with the size of the model and how it is played."""
        schedule = self.schedule
        numbers = {
            "preset": self.record(),
            "model": self.preset.model.record(),
            "temperature": schedule.first,
            "settled": schedule.settled,
            "coldest": schedule.coldest,
            "updates": updates,
        }
        if schedule.untried:
            numbers["untried"] = schedule.untried
        save(folder / "weights", weights, numbers)

    def start_from(self, path: Path) -> None:
        """Takes over weights of a model of the same size.

        Raises:
            ValueError: they are none; the message is one line.
        """
        tensors, _ = load(path)
        try:
            self.model.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(f"{path} holds no weights of this size ({one_line(error)})") from None


def _steps(group: TaskGroup) -> list[int]:
    """Returns the steps at which the online score is taken: a third, two thirds and 8/9 of a context."""
    return [group.context_length * k // 9 for k in (3, 6, 8)]
