"""Data recipes of in-context reinforcement learning: behaviour -> label, a few lines each.

The same network, trainer and number of updates turn each recipe into an agent; nothing else differs. A
behaviour acts in the recorded runs. The label of a step is either the action taken (`actor`) or the oracle's
(`oracle`, as soft targets). `datasets.mixture` has the names of the behaviours.
"""

from __future__ import annotations

from dataclasses import dataclass

from anymdp_bench.datasets.mixture import Mixture


@dataclass(frozen=True)
class DataRecipe:
    """What is recorded, and how it is labelled.

    Attributes:
        name: the name as in a paper.
        mixture: the mixture of behaviours that is recorded.
        label: "actor" or "oracle".
        has_tags: whether recorded steps say who acted.
        has_own_runs: whether two thirds of the runs are played by the model itself.
    """

    name: str
    mixture: Mixture
    label: str = "oracle"
    has_tags: bool = False
    has_own_runs: bool = False


RECIPES = {
    # Laskin et al. 2022: the history of one learner, from its first step on; its own actions are the labels.
    # Of the mixture's two learners the model-based one is the one that gets far in a training run.
    "ad": DataRecipe("AD", Mixture.of({"model-based": 1}, redrawn=0.0), label="actor"),
    # Zisman et al. 2024: the oracle under noise that falls over the history stands in for a learner; at
    # this pace half of the runs of 2,304 steps on tau(16,5) end without noise.
    "ad-eps": DataRecipe(
        "AD-eps", Mixture.of({"noisy-oracle-0.994": 1}, redrawn=0.0, pace=14.4), label="actor"
    ),
    # Lee et al. 2023: random policies act, the oracle's actions are the labels.
    "dpt": DataRecipe("DPT", Mixture.of({"random": 1})),
    # The paper's decoupled policy distillation: a tagged mixture acts; the oracle's actions are the labels.
    "omnirl-recorded": DataRecipe("OmniRL, recorded runs only", Mixture(), has_tags=True),
    "omnirl-untagged": DataRecipe("OmniRL, no tags", Mixture(), has_own_runs=True),
    "omnirl": DataRecipe("OmniRL", Mixture(), has_tags=True, has_own_runs=True),
}
"""All recipes; `omnirl` is what `omnirl` and `omnirl-linear` are trained with."""
