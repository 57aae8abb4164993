"""From the keyword `mdp` of `TabularMDP-v0` to a task.

A function with a parameter called `seed` makes a task for each task seed. Any other function makes one task.
The further parameters of the function are parameters of the environment id.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from anymdp_bench.crash import describe_crash
from anymdp_bench.mdp import TabularMDP, TaskError
from anymdp_bench.tasks.source import read_parameters
from anymdp_bench.user_modules import import_user_module

SUFFIX = ".safetensors"


def sample(seed: int, *, mdp: Any, **keywords: Any) -> TabularMDP:
    """Makes the task of a seed.

    Args:
        seed: the task seed; only a function with a parameter `seed` gets it.
        mdp: a `TabularMDP`, the path of its file, a function, or "module:function" or "file.py:function".
        **keywords: those of the function.

    Raises:
        TaskError: `mdp` is none of these, its file holds no task, or the function makes none.
    """
    if isinstance(mdp, TabularMDP):
        return mdp
    if _is_file(mdp):
        try:
            return TabularMDP.load(mdp)
        except OSError as error:
            raise TaskError(f"mdp: cannot read {mdp}: {error.strerror or 'no such file'}") from None
    function, name = _find_function(mdp), _name(mdp)
    given = keywords | ({"seed": seed} if takes_seed(mdp) else {})
    try:
        task = function(**given)
    except TaskError as error:
        raise TaskError(f"{name}: {error}") from None
    except Exception as error:  # a stranger's code
        raise TaskError(f"{name}: {describe_crash(error)}") from error
    if not isinstance(task, TabularMDP):
        raise TaskError(f"{name} returned a {type(task).__name__}; return a TabularMDP")
    return task


def takes_seed(mdp: Any) -> bool:
    """Returns whether `mdp` is a function that makes a task for each task seed."""
    if isinstance(mdp, TabularMDP) or _is_file(mdp):
        return False
    return "seed" in inspect.signature(_find_function(mdp)).parameters


def list_parameters(keywords: Mapping[str, Any]) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of the environment: `mdp`, and those of the function but its seed.

    Raises:
        TaskError: the id names a task by its fingerprint, which makes no task.
    """
    if "fingerprint" in keywords and "mdp" not in keywords:
        raise TaskError(
            "TabularMDP: a task that was given in Python is known by its fingerprint alone; save it, and give"
            " the file as mdp"
        )
    mdp = keywords.get("mdp")
    parameters = {"mdp": read_parameters(sample)["mdp"]}
    if mdp is None or isinstance(mdp, TabularMDP) or _is_file(mdp):
        return parameters
    own = inspect.signature(_find_function(mdp)).parameters
    return parameters | {name: each for name, each in own.items() if name != "seed"}


def _is_file(mdp: Any) -> bool:
    return isinstance(mdp, os.PathLike) or (isinstance(mdp, str) and mdp.endswith(SUFFIX))


def _name(mdp: Any) -> str:
    return mdp if isinstance(mdp, str) else str(getattr(mdp, "__qualname__", mdp))


def _find_function(mdp: Any) -> Callable[..., Any]:
    """Returns the function that `mdp` is or names.

    Raises:
        TaskError: there is none.
    """
    found = mdp
    if isinstance(mdp, str) and ":" in mdp:
        module, _, attribute = mdp.rpartition(":")
        try:
            found = reduce(getattr, attribute.split("."), import_user_module(module))
        except (ImportError, AttributeError) as error:
            raise TaskError(f"mdp {mdp} cannot be loaded: {error}") from error
        except Exception as error:  # a stranger's module may raise anything
            raise TaskError(f"mdp {mdp} cannot be loaded: {describe_crash(error)}") from error
    if not callable(found):
        raise TaskError(
            f"mdp is {mdp!r:.80}; give a TabularMDP, its file ({SUFFIX}), or a function as module:function"
            " or file.py:function"
        )
    function: Callable[..., Any] = found
    return function
