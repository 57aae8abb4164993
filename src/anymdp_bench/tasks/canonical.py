"""One name for each environment: ids with the same settings become the same id.

Results, random streams and the plan of an evaluation go by the id. So the id that records hold is canonical:

- settings that have a name of their own are that name: `AnyMDP-v0?n_states=64&n_actions=5` becomes
  `AnyMDP-64s5a-v0`;
- otherwise the id is the family's general one, with the parameters that differ from its defaults, in the
  order of the signature of the family's function.
"""

from __future__ import annotations

from typing import Any

from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.id_text import join_env_id
from anymdp_bench.tasks.source import TaskSource


def canonical_id(env_id: str) -> str:
    """Returns the canonical form of an environment id.

    Args:
        env_id: a Gymnasium id, with or without parameters.

    Raises:
        KeyError: there is no such environment.
        TaskError: a parameter is unknown or missing, or is not written as NAME=VALUE.
    """
    source = task_source(env_id)
    return name_source(source) if "?" in env_id else env_id


def name_source(source: TaskSource) -> str:
    """Returns the canonical id of a family with keywords.

    Raises:
        TaskError: a keyword is unknown or missing.
    """
    settings, ids = source.settings(), source.family.ids
    for env_id, fixed in ids.items():
        if fixed and _add_defaults(source, fixed) == settings:
            return env_id
    general = [env_id for env_id, fixed in ids.items() if fixed.items() <= settings.items()]
    base = min(general, key=lambda env_id: len(ids[env_id])) if general else next(iter(ids))
    known = _add_defaults(source, ids[base])
    changed = {k: v for k, v in settings.items() if k not in known or known[k] != v}
    return join_env_id(base, changed)


def _add_defaults(source: TaskSource, fixed: Any) -> dict[str, Any]:
    """Returns the keywords that an id fixes, together with the defaults of the others."""
    parameters = source.parameters().values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return defaults | dict(fixed)
