"""Data recipes of in-context reinforcement learning: behaviour -> label, a few lines each.

The same network, trainer and number of updates turn each into an agent; nothing else differs. A behaviour
acts in the recorded runs; what is taught at each step is either the action taken (`actor`) or the
oracle's (`oracle`, as soft targets). Kinds of behaviours and their order: `behaviours`.
"""

from __future__ import annotations

from dataclasses import dataclass

from anymdp_bench.datasets.behaviours import KINDS, MODEL, NOISY, Q_LEARNER, RANDOM, SHARES
from anymdp_bench.datasets.sequences import Mixture


@dataclass(frozen=True)
class DataRecipe:
    """What is recorded, and what is taught.

    Attributes:
        name: as in a paper.
        mixture: of the behaviours that are recorded.
        label: "actor" or "oracle".
        tags: whether recorded steps say who acted.
        students: whether two thirds of the runs are the student's own.
    """

    name: str
    mixture: Mixture
    label: str = "oracle"
    tags: bool = False
    students: bool = False


def _only(**shares: float) -> tuple[float, ...]:
    """Shares of the kinds named, 0 of the others."""
    kinds = {"random": RANDOM, "model": MODEL, "q": Q_LEARNER, "noisy_oracle": NOISY + 1}
    given = {kinds[name]: share for name, share in shares.items()}
    return tuple(given.get(kind, 0.0) for kind in range(KINDS))


RECIPES = {
    # Laskin et al. 2022: the history of one learner, from its first step on; its own actions are taught.
    # Of the mixture's two learners the model-based one is the one that gets far in a training run.
    "ad": DataRecipe("AD", Mixture(_only(model=1.0), redrawn=0.0), label="actor"),
    # Zisman et al. 2024: the oracle under noise that falls over the history stands in for a learner; at
    # this pace half of the runs of 2,304 steps on tau(16,5) end without noise.
    "ad-eps": DataRecipe(
        "AD-eps", Mixture(_only(noisy_oracle=1.0), redrawn=0.0, pace=14.4), label="actor"
    ),
    # Lee et al. 2023: random policies act, the oracle's actions are taught.
    "dpt": DataRecipe("DPT", Mixture(_only(random=1.0))),
    # The paper's decoupled policy distillation: its mixture acts, tagged, the oracle's actions are taught.
    "omnirl-recorded": DataRecipe("OmniRL, recorded runs only", Mixture(SHARES), tags=True),
    "omnirl-untagged": DataRecipe("OmniRL, no tags", Mixture(SHARES), students=True),
    "omnirl": DataRecipe("OmniRL", Mixture(SHARES), tags=True, students=True),
}
"""All recipes; `omnirl` is what `omnirl-delta` and `omnirl-linear` are trained with."""
