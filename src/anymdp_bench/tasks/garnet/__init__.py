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
        summary="Random MDPs in which each state and action has b successors (Bhatnagar et al. 2009)."
        " They have no structure: a random policy visits all states about equally often.",
        observations="The number of the state, after a random permutation that is drawn once for each"
        " task.",
        actions="The actions have no order. What an action does is drawn for every state.",
        rewards="Each (s, a, s') pays a fixed number, drawn from a normal distribution with standard"
        " deviation 0.1.",
        start="State 0, before the permutation.",
        end="An episode never terminates. It is truncated at the task's own horizon, drawn as in AnyMDP.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
