"""Tasks that the user gives: a `TabularMDP`, its file, or a function that makes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anymdp_bench.tasks.family import About, TaskFamily


def _is_sampled(keywords: Mapping[str, Any]) -> bool:
    from anymdp_bench.tasks.given.source import takes_seed

    return "mdp" in keywords and takes_seed(keywords["mdp"])


FAMILY = TaskFamily(
    name="TabularMDP",
    sampler="anymdp_bench.tasks.given.source:sample",
    parameters="anymdp_bench.tasks.given.source:list_parameters",
    ids={"TabularMDP-v0": {}},
    sampled=_is_sampled,
    about=About(
        summary="A task of your own. The keyword `mdp` is a `TabularMDP`, the file that its `save` wrote, or"
        ' a function that makes one: "module:function" or "file.py:function".',
        observations="0 to `n_observations` - 1. The `TabularMDP` says which number each state shows.",
        actions="0 to `n_actions` - 1.",
        rewards="Normal, with the means and standard deviations of the `TabularMDP`.",
        start="Drawn from the start distribution of the `TabularMDP`.",
        end="An episode terminates in a terminal state. It is truncated after `max_steps` steps.",
        oracle="The oracle is exact: policy iteration at discount 0.994, then its return over the horizon.",
    ),
)
