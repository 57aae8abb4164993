"""The settings that a search chose for each task family; the tuned baselines read them here.

The searches are in `anymdp_baselines.tuning`. Each writes its scores and its choices to a JSON file there.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any


def task_family(env_id: str) -> str:
    """Returns the family of an environment: "bandit", or the part of its id before the first "-"."""
    is_bandit = re.match(r"AnyMDP-(1s|v0\?n_states=1(&|$))", env_id)
    return "bandit" if is_bandit else env_id.partition("-")[0]


@cache
def _choices(search: str) -> dict[str, Any]:
    """Reads the choices of a search, by task family."""
    text = (files("anymdp_baselines") / "tuning" / f"{search}.json").read_text(encoding="utf-8")
    chosen: dict[str, Any] = json.loads(text)["chosen"]
    return chosen


def chosen_settings(search: str, env_id: str) -> Any:
    """Returns the choice of a search for the family of `env_id`, as JSON.

    None where it has no such family.
    """
    return _choices(search).get(task_family(env_id))
