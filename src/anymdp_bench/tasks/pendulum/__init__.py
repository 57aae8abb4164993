"""Discrete-Pendulum: Gymnasium's Pendulum-v1 through bins, under three gravities."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="DiscretePendulum",
    sampler="anymdp_bench.tasks.pendulum.game:refuse_table",
    ids={f"DiscretePendulum-g{g:g}-v0": {"gravity": g} for g in (1.0, 5.0, 9.8)},
    sampled=lambda keywords: False,
    env="anymdp_bench.tasks.pendulum.env:DiscretePendulumEnv",
    vector_env="anymdp_bench.tasks.pendulum.vector_env:DiscretePendulumVectorEnv",
    task="anymdp_bench.tasks.pendulum.task:make_task",
    shaping="anymdp_bench.tasks.pendulum.game:shape",
    max_steps=200,
    about=About(
        summary="Gymnasium's Pendulum-v1 with 60 observations and five torques. The observations hide the"
        " true state, so they do not have the Markov property.",
        observations="5 i + j. The angle is in bin i of 12, counted from 0 at the upright position. The"
        " speed is in bin j of 5, counted from 0 at speed -8 to 4 at speed 8.",
        actions="The torques -2, -1, 0, 1, 2.",
        rewards="-(angle^2 + 0.1 speed^2 + 0.001 torque^2), of the state before the step, as in Gymnasium.",
        start='Any angle, and a speed in -1..1, both uniform. With `start="fixed"` always the same state.',
        end="An episode never terminates. It is truncated after 200 steps.",
        oracle="The oracle is value iteration at discount 0.994 on a fine grid of the true state (`python"
        " -m anymdp_bench.tasks.pendulum.make_oracle`). It sees that state. No agent does.",
        shaping="max(r / 30 + 0.1, -0.1).",
    ),
)
