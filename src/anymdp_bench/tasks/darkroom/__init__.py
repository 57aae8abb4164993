"""Darkroom: an empty d x d grid with one hidden goal (SPEC 2.3)."""

from __future__ import annotations

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="Darkroom",
    sampler="anymdp_bench.tasks.darkroom.sampler:sample",
    ids={f"Darkroom-{d}x{d}-v0": {"size": d} for d in (6, 8, 10)},
    sampled=lambda keywords: keywords.get("goal", "corner") == "random",
)
