"""AnyMDP: procedurally generated tasks. A random policy meets their good states exponentially rarely."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="AnyMDP",
    sampler="anymdp_bench.tasks.anymdp.sampler:sample",
    ids={"AnyMDP-v0": {}}
    | {f"AnyMDP-{s}s5a-v0": {"n_states": s, "n_actions": 5} for s in (1, 16, 32, 64, 128)},
    about=About(
        summary="Procedurally generated tasks (arXiv 2502.02869): states are ranked from bad to good, a step"
        " climbs only within a band, and under a random policy the good states are exponentially rare. One"
        " observable state makes a bandit.",
        observations="The state's number under a random permutation, drawn once per task.",
        actions="Unordered; what each does is drawn for every state.",
        rewards="The sum of a potential's difference, a reward by position, costs of some actions, a small"
        " step reward and a terminal term; normal noise on some. Of a bandit, the arm's mean plus noise.",
        start="One of the three lowest ranks, by random weights.",
        end="Terminated in a pitfall or, where the task has one, at its goal; truncated after the task's own"
        " horizon, drawn from 4 to 8 times its states (at least 100, at most 500). A bandit has one step.",
        oracle="Exact: policy iteration at discount 0.994; its return by evaluation over the horizon.",
    ),
)
