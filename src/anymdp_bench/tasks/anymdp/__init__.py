"""AnyMDP: procedurally generated tasks. A random policy meets their good states exponentially rarely."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="AnyMDP",
    sampler="anymdp_bench.tasks.anymdp.sampler:sample",
    ids={"AnyMDP-v0": {}}
    | {f"AnyMDP-{s}s5a-v0": {"n_states": s, "n_actions": 5} for s in (1, 16, 32, 64, 128)},
    about=About(
        summary="Procedurally generated tasks (arXiv 2502.02869). States are ranked from bad to good, and"
        " one step rises by at most about a quarter of the ranks. Under a random policy, good states are"
        " exponentially rare. With one state, the task is a bandit.",
        observations="The number of the state, after a random permutation that is drawn once for each"
        " task.",
        actions="The actions have no order. What an action does is drawn for every state.",
        rewards="The sum of a potential difference, a reward for the rank, costs of some actions, a small"
        " reward for each step, and a reward at the end. Some rewards have normal noise. A bandit pays the"
        " mean of its arm plus noise.",
        start="One of the three lowest ranks, with random probabilities.",
        end="An episode terminates in a pitfall, and at the goal if the task has one. It is truncated at"
        " the task's own horizon: 101 to 128 steps with 16 states, 129 to 256 with 32, 257 to 500 with 64,"
        " and 513 with 128. With S states, the horizon is a uniform random number between"
        " lo = max(4S, 100) and max(min(8S, 500), lo + 1), rounded up. An episode of a bandit has one step.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
