"""CliffWalking with a cliff that ends the episode."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="CliffWalking",
    sampler="anymdp_bench.tasks.cliff.sampler:sample",
    ids={"CliffWalkingTerminal-v0": {}},
    sampled=lambda keywords: False,
    grid=lambda keywords: (4, 12),
    shaping="anymdp_bench.tasks.cliff.sampler:shape",
    max_steps=200,
    about=About(
        summary="Gymnasium's CliffWalking of 4 x 12 cells. Here a fall ends the episode.",
        observations="The number of the cell, row * 12 + column, as in Gymnasium.",
        actions="0 up, 1 right, 2 down, 3 left. Walls stop a move.",
        rewards="A fall pays -100. Every other step pays -1.",
        start="The lower left corner, cell 36.",
        end="An episode terminates in the cliff and at the goal. It is truncated after 200 steps.",
        shaping="1 at the goal, -1 for a fall, else -0.03.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
