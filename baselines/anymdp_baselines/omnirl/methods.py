"""The methods that `study icrl-methods` compares, as agents: one network, a data recipe each (`recipes`).

By default they play with the weights that ship. Those are of the study at scale small, and are there to be
compared with each other. Each takes a checkpoint, such as the study writes at a larger scale.
"""

from __future__ import annotations

from anymdp_baselines.omnirl.agent import SequenceAgent, load_agent


def ad(checkpoint: str | None = None) -> SequenceAgent:
    """Algorithm distillation (Laskin et al. 2022)."""
    return load_agent("ad", checkpoint, ("delta",))


def ad_eps(checkpoint: str | None = None) -> SequenceAgent:
    """Algorithm distillation, noised data (Zisman et al. 2024)."""
    return load_agent("ad-eps", checkpoint, ("delta",))


def dpt(checkpoint: str | None = None) -> SequenceAgent:
    """Decision-pretrained transformer (Lee et al. 2023)."""
    return load_agent("dpt", checkpoint, ("delta",))


def omnirl_recorded(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe without the model's own runs."""
    return load_agent("omnirl-recorded", checkpoint, ("delta",))


def omnirl_untagged(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe without tags."""
    return load_agent("omnirl-untagged", checkpoint, ("delta",))


def omnirl_recipe(checkpoint: str | None = None) -> SequenceAgent:
    """OmniRL's recipe in full: recorded runs and the model's own."""
    return load_agent("omnirl-recipe", checkpoint, ("delta",))
