"""The objective of the planner: it reads memories, plans, is compared with the oracle, and plays on.

Every round has one update. It draws a task group, reads the memories of all its runs, computes their plans,
and compares them with the oracle in every state. Then every run plays on by its plan for about `rate` of its
age, so that ages are spread evenly on a logarithmic scale and the training data are always the model's own,
fresh runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from anymdp_baselines.planner.agent import NeuralPlanner
from anymdp_baselines.planner.checkpoint import load_arrays, save_arrays
from anymdp_baselines.planner.loss import compute_losses, state_weights
from anymdp_baselines.planner.model import Planner, PlannerSize
from anymdp_baselines.planner.presets import PlannerPreset
from anymdp_baselines.planner.rollout import PlannerRollout
from anymdp_baselines.planner.schedule import FIRST_TEMPERATURE
from anymdp_baselines.training import distributed
from anymdp_baselines.training.evaluate import HELD_OUT, describe_scores, online_scores
from anymdp_baselines.training.objective import Compute, Losses, RolloutObjective, TrainingPlan
from anymdp_baselines.training.optimizer import OptimizerSettings
from anymdp_baselines.training.task_pool import first_task_seed

REPORT, SAVE, EVALUATE = 200, 1000, 5000  # updates between log lines, checkpoints, evaluations
EVALUATION_TASKS = 32
WEIGHTS = "neural-planner.safetensors"
_WARM_UP, _AVERAGE_DECAY = 100, 0.998
_SEEN_FEATURE = 5  # column of the state features: whether the state was ever acted in


class PlannerObjective(RolloutObjective):
    """A planner in training (see `training.objective.Objective`); it is trained on the CPU.

    Args:
        preset: the settings.
        compute: where and how the arithmetic is done.

    Raises:
        ValueError: it is not to be done on the CPU in float32.
    """

    device = "cpu"

    def __init__(self, preset: PlannerPreset, compute: Compute | None = None) -> None:
        self.preset = preset
        if compute is not None and (compute.device != "cpu" or compute.is_half):
            raise ValueError("the planner is trained on the CPU in float32")
        settings = OptimizerSettings(
            preset.learning_rate, preset.updates, _WARM_UP, average_decay=_AVERAGE_DECAY
        )
        self.plan = TrainingPlan(preset.updates, 1, settings, REPORT, SAVE, EVALUATE)
        torch.manual_seed(preset.seed)
        self.model = Planner(PlannerSize(preset.width, preset.loops))
        rank = distributed.rank()
        rng = distributed.round_generator(preset.seed, preset.updates)  # a number that no round has
        self.rollouts = [
            PlannerRollout(
                group, preset.context_visits, preset.rate,
                first_task_seed(preset.seed, k, rank), rng,
            )
            for k, group in enumerate(preset.groups)
        ]  # fmt: skip
        share = np.array([group.share for group in preset.groups])
        self._share = share / share.sum()
        self._names = [f"{k} {group.name}" for k, group in enumerate(preset.groups)]

    def start_round(self, number: int) -> None:
        """Draws the task group of the round."""
        self._rng = distributed.round_generator(self.preset.seed, number)
        self._k = int(self._rng.choice(len(self.rollouts), p=self._share))

    def backpropagate(self, part: int) -> dict[str, Losses]:
        """Adds the gradient of the plans of all runs of the group."""
        rollout = self.rollouts[self._k]
        reading = [torch.from_numpy(array) for array in rollout.read()]
        plans = self.model(*reading)
        weight = state_weights(
            torch.from_numpy(rollout.visited).float(),
            (reading[3][..., _SEEN_FEATURE] > 0).float(),
            torch.from_numpy(rollout.tasks.observation),
        )
        advantage = torch.from_numpy(rollout.tasks.advantage).clamp(max=0.0)
        losses = compute_losses(plans, advantage, weight, self.preset.softness)
        losses.total.backward()
        self._logit = plans.logit.detach().double().numpy()
        return {self._names[self._k]: {k: float(v.detach()) for k, v in losses._asdict().items()}}

    def finish_round(self) -> None:
        """Lets the runs of the group play on by their plans."""
        self.rollouts[self._k].play_on(self._logit, self._rng)

    def scores(self) -> dict[str, Losses]:
        """Returns the mean score by age, by group."""
        return {
            name: rollout.scores() for name, rollout in zip(self._names, self.rollouts, strict=True)
        }

    def evaluate(self, folder: Path, is_final: bool) -> Iterator[str]:
        """Yields the online scores on held-out AnyMDP tasks of the sizes trained on."""
        keywords = [dict(g.keywords) for g in self.preset.groups if g.env_id == "AnyMDP-v0"]
        for n_states, n_actions in sorted({(x["n_states"], x["n_actions"]) for x in keywords}):
            ends = [int(visits * n_states * n_actions) for visits in (12.5, 25, 50)]
            agent = NeuralPlanner(str(folder / WEIGHTS))
            score = online_scores(agent, n_states, n_actions, ends, EVALUATION_TASKS, HELD_OUT)
            yield f"tau({n_states},{n_actions}): {describe_scores(score, ends)}"

    def save_weights(self, folder: Path, weights: dict[str, Tensor], updates: int) -> None:
        """Writes the weights as a checkpoint of the agent."""
        numbers = {
            "width": self.preset.width,
            "loops": self.preset.loops,
            "temperature": FIRST_TEMPERATURE,
            "updates": updates,
            "preset": self.record(),
        }
        save_arrays(folder / WEIGHTS, weights, numbers)

    def start_from(self, path: Path) -> None:
        """Takes over the weights of a checkpoint; features that it did not know weigh 0 at first.

        Raises:
            ValueError: the file is no checkpoint, or holds a network of another width.
        """
        arrays, numbers = load_arrays(path)
        if numbers["width"] != self.preset.width:
            raise ValueError(f"{path} holds a network of another width")
        own = self.model.state_dict()
        given = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        for name, tensor in own.items():  # of outputs that it did not know
            given.setdefault(name, tensor.detach().clone())
        for name, tensor in given.items():
            more = own[name].shape[-1] - tensor.shape[-1]
            given[name] = pad(tensor, (0, more)) if more > 0 else tensor
        self.model.load_state_dict(given)
