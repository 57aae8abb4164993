"""The settings that searches chose for each task family, as the tuned baselines read them.

The searches are in `anymdp_baselines.tuning`; each keeps its scores and its choices in a JSON file of its
own.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


def task_family(env_id: str) -> str:
    """The family of an environment: the part of its id before the first "-", with bandits apart."""
    return "bandit" if env_id.startswith("AnyMDP-1s") else env_id.partition("-")[0]


@cache
def _choices(search: str) -> dict[str, Any]:
    text = (files("anymdp_baselines") / "tuning" / f"{search}.json").read_text(encoding="utf-8")
    chosen: dict[str, Any] = json.loads(text)["chosen"]
    return chosen


def chosen_settings(search: str, env_id: str) -> Any:
    """What a search chose for the family of `env_id`, as JSON holds it.

    None where it searched no such family.
    """
    return _choices(search).get(task_family(env_id))
