"""Garnet: random MDPs with b successors for each state and action (Bhatnagar et al. 2009)."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="Garnet",
    sampler="anymdp_bench.tasks.garnet.sampler:sample",
    ids={"Garnet-v0": {}}
    | {
        f"Garnet-{s}s5a{b}b-v0": {"n_states": s, "n_actions": 5, "branching": b}
        for s in (16, 32, 64, 128)
        for b in (2, 4)
    },
    about=About(
        summary="Random MDPs whose actions lead to b successors each (Bhatnagar et al. 2009): no structure,"
        " so that a random policy sees every state about as often.",
        observations="The state's number under a random permutation.",
        actions="Unordered; what each does is drawn for every state.",
        rewards="A normal number with standard deviation 0.1 for every (s, a, s'); no noise.",
        start="State 0 (before the permutation).",
        end="Never terminated; truncated after the task's own horizon, drawn as AnyMDP's.",
        oracle="Exact: policy iteration at discount 0.994; its return by evaluation over the horizon.",
    ),
)
