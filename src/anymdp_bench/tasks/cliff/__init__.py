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
        summary="Gymnasium's CliffWalking, 4 x 12, except that a fall ends the episode where it falls.",
        observations="The cell: row * 12 + column, as in Gymnasium.",
        actions="0 up, 1 right, 2 down, 3 left; walls stop.",
        rewards="-100 for a fall, else -1.",
        start="The lower left corner, cell 36.",
        end="Terminated in the cliff and at the goal; truncated after 200 steps.",
        shaping="1 at the goal, -1 for a fall, else -0.03.",
        oracle="Exact: policy iteration at discount 0.994; its return by evaluation over the horizon.",
    ),
)
