"""FrozenLake 4x4, slippery and not (SPEC 2.3)."""

from __future__ import annotations

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="FrozenLake",
    sampler="anymdp_bench.tasks.lake.sampler:sample",
    ids={
        "FrozenLake4x4-v0": {"slippery": False},
        "FrozenLake4x4Slippery-v0": {"slippery": True},
    },
    sampled=lambda keywords: False,
)
