"""The text of an environment id with parameters: `AnyMDP-v0?n_states=24&n_actions=3`.

The part before `?` is a Gymnasium id. The parameters are the keywords of `gym.make`. A value is a number,
true or false if it is written so, and text otherwise. Characters that the form itself uses are written as
in the query of a web address: `%26` is `&` and `%25` is `%`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

_EXAMPLE = "AnyMDP-v0?n_states=24&n_actions=3"


def split_env_id(text: str) -> tuple[str, dict[str, Any]]:
    """Reads an environment id.

    Args:
        text: the id, with or without parameters.

    Returns:
        (the Gymnasium id, its parameters).

    Raises:
        TaskError: the parameters are not written as NAME=VALUE, or one is there twice.
    """
    env_id, mark, query = text.partition("?")
    parameters: dict[str, Any] = {}
    for part in query.split("&") if mark else []:
        name, _, value = part.partition("=")
        if not name.isidentifier() or not value:
            _refuse(text, f"{part!r:.60} is not NAME=VALUE; write it like {_EXAMPLE}")
        if name in parameters:
            _refuse(text, f"{name} is given twice; give it once")
        parameters[name] = _read_value(unquote(value))
    return env_id, parameters


def join_env_id(env_id: str, parameters: Mapping[str, Any]) -> str:
    """Writes an environment id with parameters, so that `split_env_id` reads the same.

    Args:
        env_id: a Gymnasium id.
        parameters: the parameters, in the order in which they are written.
    """
    query = "&".join(f"{name}={_write_value(value)}" for name, value in parameters.items())
    return f"{env_id}?{query}" if query else env_id


def _read_value(text: str) -> Any:
    """Reads a number, true, false, null or a text in quotes; everything else is text as it stands."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and value.is_integer():
        return int(value)  # so that 24, 24.0 and 2.4e1 are one id
    return text if isinstance(value, list | dict) else value


def _write_value(value: Any) -> str:
    if isinstance(value, str):
        text = value if _read_value(value) == value else json.dumps(value)
    else:
        text = json.dumps(_read_value(json.dumps(value)))
    return "".join(c if c.isprintable() and c not in "%&" else quote(c) for c in text)


def _refuse_constant(name: str) -> None:
    """NaN and infinity are no JSON, so they stay text."""
    raise ValueError(name)


def _refuse(text: str, what: str) -> None:
    from anymdp_bench.mdp import TaskError

    raise TaskError(f"environment {text!r:.120}: {what}")
