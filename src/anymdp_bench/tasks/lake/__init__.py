"""FrozenLake 4x4, slippery and not slippery."""

from __future__ import annotations

from anymdp_bench.tasks.family import About, TaskFamily

FAMILY = TaskFamily(
    name="FrozenLake",
    sampler="anymdp_bench.tasks.lake.sampler:sample",
    ids={
        "FrozenLake4x4-v0": {"slippery": False},
        "FrozenLake4x4Slippery-v0": {"slippery": True},
    },
    sampled=lambda keywords: False,
    grid=lambda keywords: (4, 4),
    shaping="anymdp_bench.tasks.lake.sampler:shape",
    max_steps=100,
    about=About(
        summary="Gymnasium's FrozenLake on its map of 4 x 4 cells, slippery or not.",
        observations="The number of the cell, row * 4 + column, as in Gymnasium.",
        actions="0 left, 1 down, 2 right, 3 up. On slippery ice the agent moves in this direction or to one"
        " of its two sides, each with probability 1/3.",
        rewards="The goal pays 1. Every other step pays 0.",
        start="The upper left corner.",
        end="An episode terminates in a hole and at the goal. It is truncated after `max_steps` steps.",
        shaping="1 at the goal, -1 in a hole; else 0 where it is slippery, -0.05 where it is not.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
