"""CliffWalking whose cliff ends the episode (SPEC 2.3)."""

from __future__ import annotations

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="CliffWalking",
    sampler="anymdp_bench.tasks.cliff.sampler:sample",
    ids={"CliffWalkingTerminal-v0": {}},
    sampled=lambda keywords: False,
)
