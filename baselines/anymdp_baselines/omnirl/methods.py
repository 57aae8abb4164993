"""The methods that `study icrl-methods` compares, as agents: one network, a data recipe each (`recipes`).

By default they play with the weights that ship. Those are of the study at scale small, and are there to be
compared with each other. Each takes a checkpoint, such as the study writes at a larger scale.
"""

from __future__ import annotations

from typing import ClassVar

from anymdp_baselines.omnirl.agent import SequenceAgent, load_agent
from anymdp_bench.datasets.codes import TAG_UNKNOWN


class RecipeAgent(SequenceAgent):
    """A model of the study."""

    version: ClassVar[str] = "2"


def ad(checkpoint: str | None = None) -> SequenceAgent:
    """Algorithm distillation (Laskin et al. 2022)."""
    return _load("ad", checkpoint)


def ad_eps(checkpoint: str | None = None) -> SequenceAgent:
    """Algorithm distillation, noised data (Zisman et al. 2024)."""
    return _load("ad-eps", checkpoint)


def dpt(checkpoint: str | None = None) -> SequenceAgent:
    """Decision-pretrained transformer (Lee et al. 2023)."""
    return _load("dpt", checkpoint)


def omnirl_recorded(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe without the model's own runs."""
    return _load("omnirl-recorded", checkpoint)


def omnirl_untagged(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe without tags."""
    return _load("omnirl-untagged", checkpoint)


def omnirl_recipe(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe in full: recorded runs and the model's own."""
    return _load("omnirl-recipe", checkpoint)


def _load(name: str, checkpoint: str | None) -> SequenceAgent:
    return load_agent(name, checkpoint, ("delta",), TAG_UNKNOWN, RecipeAgent)
