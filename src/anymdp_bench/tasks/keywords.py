"""The checks of keywords: those of task families, and whole numbers everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any, NoReturn

from anymdp_bench.spelling import offer


def refuse_keyword(family: str, name: str, known: Iterable[str] = ()) -> NoReturn:
    """Says that a family knows no keyword of this name.

    Args:
        family: the name of the family.
        name: the keyword.
        known: the keywords that there are.

    Raises:
        KeywordError: always.
    """
    from anymdp_bench.mdp import KeywordError

    names = list(known)
    hint = f"; {offer(name, names)}" if names else ""
    if name in ("task_seed", "task_seeds"):
        hint = ": a single environment takes task_seed, and the native vector of gym.make_vec task_seeds"
    raise KeywordError(f"{family}: got an unexpected keyword argument '{name}'{hint}") from None


def parse_task_seed(seed: Any) -> int:
    """Converts a task seed, an integer of Python or NumPy, to an int.

    Raises:
        TaskError: it is no integer from 0 to 2**64 - 1.
    """
    if getattr(seed, "shape", None) == ():  # a number of NumPy, or an array of no dimensions
        seed = seed.item()
    require_integer("task_seed", seed, 0, 2**64 - 1)
    return int(seed)


def require_integer(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Checks that a keyword is an integer in `least`..`most`.

    Args:
        name: the keyword's name.
        value: its value.
        least: the least value.
        most: the largest value, or None.

    Raises:
        TaskError: it is no such integer.
    """
    import numpy as np

    from anymdp_bench.mdp import TaskError

    is_integer = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not is_integer or value < least or (most is not None and value > most):
        upper = "upward" if most is None else f"to {most}"
        raise TaskError(f"{name} is {value!r}; give an integer from {least} {upper}")


def to_integer(value: Any) -> int | None:
    """Converts an integer of Python or NumPy to an int. Everything else, truth values too, gives None."""
    try:
        return None if isinstance(value, bool) else index(value)
    except TypeError:  # not of arrays without dimensions, which Stable-Baselines3 gives
        return None


def parse_count(name: str, value: Any, least: int = 1, most: int = 2**40) -> int:
    """Converts a setting to an int in `least`..`most`.

    Raises:
        ValueError: it is no whole number, or out of range.
    """
    number = to_integer(value)
    if number is None or not least <= number <= most:
        raise ValueError(f"{name} is {value!r:.40}; give a whole number from {least} to {most}")
    return number
