"""Darkroom: an empty d x d grid with one hidden goal, in the corner or by task seed."""

from __future__ import annotations

from typing import Any

from anymdp_bench.tasks.family import About, TaskFamily

_IDS: dict[str, dict[str, Any]] = {"Darkroom-v0": {}}
_IDS |= {f"Darkroom-{d}x{d}-v0": {"size": d} for d in (6, 8, 10)}
for _d in (6, 8, 10):
    for _goal in ("random", "training", "heldout"):
        _IDS[f"Darkroom-{_d}x{_d}-{_goal}-v0"] = {"size": _d, "goal": _goal}

FAMILY = TaskFamily(
    name="Darkroom",
    sampler="anymdp_bench.tasks.darkroom.sampler:sample",
    ids=_IDS,
    sampled=lambda keywords: keywords.get("goal", "corner") != "corner",
    grid=lambda keywords: (keywords["size"], keywords["size"]),
    max_steps=200,
    held_out=lambda keywords: keywords.get("goal") == "heldout",
    about=About(
        summary="An empty d x d grid with one hidden goal. The goal is in the corner, or the task seed"
        " chooses it: anywhere (`-random`), among four fifths of the cells (`-training`), or among the"
        " other fifth (`-heldout`), which tests agents that were trained on the former.",
        observations="The number of the cell, row * d + column.",
        actions="0 row + 1, 1 row - 1, 2 column + 1, 3 column - 1. Walls stop a move.",
        rewards="Entering the goal pays 1. Every other step pays -0.01, as in the paper's code.",
        start="Any cell but the goal, each with the same probability.",
        end="An episode terminates at the goal. It is truncated after 200 steps.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
