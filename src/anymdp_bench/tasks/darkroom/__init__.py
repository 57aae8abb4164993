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
        summary="An empty d x d grid with one hidden goal. In the corner, or anywhere by task"
        " seed; a fixed fifth of the cells is held out, so that agents trained on the other goals"
        " (`-training`) can be tested on these (`-heldout`).",
        observations="The cell: row * d + column.",
        actions="0 row + 1, 1 row - 1, 2 column + 1, 3 column - 1; walls stop.",
        rewards="1 for entering the goal, else -0.01. (The paper's offline table fits -0.1 a step; its code"
        " has -0.01.)",
        start="Uniform over the cells but the goal.",
        end="Terminated at the goal; truncated after 200 steps.",
        oracle="Exact: policy iteration at discount 0.994; its return by evaluation over the horizon.",
    ),
)
