"""Data recipes of in-context reinforcement learning: behaviour -> label, a few lines each.

The same network, trainer and number of updates turn each recipe into an agent; nothing else differs. In
recorded runs either a mixture of behaviours acts (`anymdp_bench.datasets.mixture`), or a learner, from its
first step on (`anymdp_bench.datasets.learning_histories`). The label of a step is the action taken (`actor`)
or the oracle's (`oracle`, as soft targets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anymdp_baselines.tabular.psrl import PSRL
from anymdp_baselines.training.task_pool import reward_factor
from anymdp_bench.agents import CompiledAgent
from anymdp_bench.datasets.codes import TAG_UNKNOWN
from anymdp_bench.datasets.learning_histories import record_histories
from anymdp_bench.datasets.mixture import Mixture
from anymdp_bench.datasets.sequences import Sequences, synthesise
from anymdp_bench.tasks.family import task_source

_ALL_BEHAVIOURS = Mixture()


@dataclass(frozen=True)
class DataRecipe:
    """What is recorded, and how it is labelled.

    Attributes:
        name: the name as in a paper.
        mixture: the mixture of behaviours that is recorded, if no learner is.
        label: "actor" or "oracle".
        has_tags: whether recorded steps say who acted.
        has_own_runs: whether two thirds of the runs are played by the model itself.
        learner: makes the learner whose learning history is recorded.
    """

    name: str
    mixture: Mixture = _ALL_BEHAVIOURS
    label: str = "oracle"
    has_tags: bool = False
    has_own_runs: bool = False
    learner: Callable[[], CompiledAgent] | None = None

    def record(
        self, n_states: int, n_actions: int, seeds: range, length: int, reward_spread: float = 0.0
    ) -> Sequences:
        """Records a run on each of some training tasks.

        Args:
            n_states: S of the tasks tau(S, A).
            n_actions: A of them.
            seeds: their task seeds.
            length: the steps of a run.
            reward_spread: see `reward_factor`, by which the rewards are multiplied.

        Raises:
            ValueError: a seed is public (below 2**32).
        """
        if self.learner is None:
            out = synthesise(n_states, n_actions, seeds, length, self.mixture, threads=1)
        else:
            source = task_source("AnyMDP-v0", n_states=n_states, n_actions=n_actions)
            out = record_histories(self.learner(), source, seeds, length)
        for reward, seed in zip(out.reward, seeds, strict=True):
            reward *= reward_factor(seed, reward_spread)
        if not self.has_tags:
            out.tag[:] = TAG_UNKNOWN
        return out


RECIPES = {
    # Laskin et al. 2022: the history of a learner, from its first step until it has nearly converged; its own
    # actions are the labels.
    "ad": DataRecipe("AD", label="actor", learner=PSRL),
    # Zisman et al. 2024: the oracle under noise that falls over the history stands in for a learner; at
    # this pace half of the runs of 4,096 steps on tau(16,5) end without noise.
    "ad-eps": DataRecipe(
        "AD-eps", Mixture.of({"noisy-oracle-0.994": 1}, redrawn=0.0, pace=25.6), label="actor"
    ),
    # Lee et al. 2023: random policies act, the oracle's actions are the labels.
    "dpt": DataRecipe("DPT", Mixture.of({"random": 1})),
    # The paper's decoupled policy distillation: a tagged mixture acts; the oracle's actions are the labels.
    "omnirl-recorded": DataRecipe("OmniRL, recorded runs only", has_tags=True),
    "omnirl-untagged": DataRecipe("OmniRL, no tags", has_own_runs=True),
    "omnirl": DataRecipe("OmniRL", has_tags=True, has_own_runs=True),
}
"""All recipes; `omnirl` is what `omnirl` and `omnirl-linear` are trained with."""
