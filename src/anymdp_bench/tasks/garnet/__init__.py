"""Garnet: random MDPs with b successors per state and action (Bhatnagar et al. 2009), as a contrast."""

from __future__ import annotations

from anymdp_bench.tasks.family import TaskFamily

FAMILY = TaskFamily(
    name="Garnet",
    sampler="anymdp_bench.tasks.garnet.sampler:sample",
    ids={"Garnet-v0": {}}
    | {
        f"Garnet-{s}s5a{b}b-v0": {"n_states": s, "n_actions": 5, "branching": b}
        for s in (16, 32, 64, 128)
        for b in (2, 4)
    },
)
