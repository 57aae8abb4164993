"""`make` and `make_vec`: an environment from an id with parameters, or from a task of one's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.id_text import split_env_id

_OWN = "TabularMDP-v0"
OwnTask = TabularMDP | os.PathLike[str] | Callable[..., TabularMDP]
"""A task of the user's own: the task, the file that `save` wrote, or a function that makes it."""


def make(task: str | OwnTask, **keywords: Any) -> gym.Env[Any, Any]:
    """Makes an environment.

    Args:
        task: an environment id, with or without parameters: "AnyMDP-v0?n_states=24&n_actions=3". Or a task
            of your own: a `TabularMDP`, the path of a file that its `save` wrote, or a function that returns
            one. A function that has a parameter `seed` is called with the task seed.
        **keywords: those of `gym.make`, of the environment (`task_seed`, `render_mode`, `privileged_info`),
            and of the task's family or function.

    Returns:
        What `gym.make` returns. A task of your own is the environment `TabularMDP-v0`.

    Raises:
        TaskError: the task cannot be made.
    """
    env_id, given = _read(task, keywords)
    return gym.make(env_id, **given)


def make_vec(
    task: str | OwnTask, num_envs: int = 1, **keywords: Any
) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Makes a vector environment.

    Args:
        task: as for `make`.
        num_envs: the number of streams.
        **keywords: those of `gym.make_vec`, of the vector environment (`task_seeds`, `max_episode_steps`,
            `privileged_info`, ...), and of the task's family or function.

    Returns:
        What `gym.make_vec` returns: an environment that one compiled call steps.

    Raises:
        TaskError: the task cannot be made.
    """
    env_id, given = _read(task, keywords)
    return gym.make_vec(env_id, num_envs=num_envs, **given)


def _read(task: str | OwnTask, keywords: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Returns (the Gymnasium id, the keywords of `gym.make`).

    A horizon that the keyword `max_steps` sets replaces the limit in the spec of the id.
    """
    env_id, parameters = split_env_id(task) if isinstance(task, str) else (_OWN, {"mdp": task})
    given = parameters | keywords
    spec = gym.registry.get(env_id)
    if "max_steps" in given and spec is not None and spec.max_episode_steps is not None:
        given = {"max_episode_steps": given["max_steps"]} | given
    return env_id, given
