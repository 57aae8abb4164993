"""AnyMDP: procedurally generated tasks whose good states are exponentially unlikely to be met by chance."""

from __future__ import annotations

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="AnyMDP",
    sampler="anymdp_bench.tasks.anymdp.sampler:sample",
    ids={"AnyMDP-v0": {}}
    | {f"AnyMDP-{s}s5a-v0": {"n_states": s, "n_actions": 5} for s in (1, 16, 32, 64, 128)},
)
