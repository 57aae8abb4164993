"""The checks of what a caller gives to an environment: the render mode, actions, seeds and options."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Bools, Int64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams, seed_array
from anymdp_bench.tasks.keywords import parse_task_seed, require_integer, to_integer


def check_render_mode(render_mode: str | None, modes: Sequence[str]) -> str | None:
    """Returns `render_mode` if it is None or one of `modes`.

    Raises:
        ValueError: it is another mode.
    """
    if render_mode is not None and render_mode not in modes:
        names = ["None", *(repr(mode) for mode in modes)]
        known = f"{', '.join(names[:-1])} or {names[-1]}"
        raise ValueError(f"render_mode is {render_mode!r}; give {known}")
    return render_mode


class SeedError(gym.error.Error, ValueError):
    """The seed of `reset` is no integer from 0. Gymnasium raises its own `Error` for such a seed."""


def parse_action(action: Any, n_actions: int, name: str = "action") -> int:
    """Converts an action of a single environment to an int in 0..n_actions - 1.

    Args:
        action: the action.
        n_actions: the number of actions.
        name: how the message calls the action.

    Raises:
        ValueError: it is no such integer.
    """
    played = to_integer(action)
    if played is None or not 0 <= played < n_actions:
        raise ValueError(f"{name} is {action!r}; give an integer in 0..{n_actions - 1}")
    return played


def parse_actions(actions: npt.ArrayLike, n: int) -> Int64s:
    """Converts the actions of a vector environment to int64 [n], without looking at their range.

    Raises:
        ValueError: they are not `n` integers.
    """
    mixed = isinstance(actions, (list, tuple)) and None in map(to_integer, actions)
    # NumPy would make integers of the truth values in a list of both.
    played = np.asarray(actions, np.object_ if mixed else None)
    if played.shape != (n,) or played.dtype.kind not in "iu":
        raise ValueError(
            f"actions have shape {list(played.shape)} and dtype {played.dtype}; give {n} integers"
        )
    return np.ascontiguousarray(played, np.int64)


def refuse_action(stream: int, action: int, n_actions: int) -> NoReturn:
    """Says why a stream of a vector environment took no action.

    Args:
        stream: the number of the stream.
        action: its action.
        n_actions: the number of actions.

    Raises:
        ResetNeeded: the action is in range, so the stream is over.
        ValueError: the action is out of range.
    """
    if 0 <= action < n_actions:
        raise gym.error.ResetNeeded(
            f"stream {stream} is over; reset it with options={{'reset_mask': ...}} before step()"
        )
    raise ValueError(f"action {action} of stream {stream} is out of range; give 0..{n_actions - 1}")


def refuse_unused(unused: Bools) -> NoReturn:
    """Says that a vector environment cannot be stepped before all streams were reset.

    Args:
        unused: which streams were never reset, bool [n].

    Raises:
        ResetNeeded: always.
    """
    which = "no stream" if unused.all() else f"stream {int(unused.argmax())} never"
    raise gym.error.ResetNeeded(f"{which} was reset; call reset() before step()")


# Minari reads the first and hands it on; PettingZoo's test of its interface gives the second.
_FOREIGN_OPTIONS = ("minari_autoseed", "options")


def check_options(options: Any, known: Sequence[str]) -> dict[str, Any]:
    """Returns the options of `reset`, {} for None, if all their keys are known.

    Args:
        options: the options of `reset`.
        known: the keys that the environment takes.

    Raises:
        ValueError: `options` is no dict, or has another key.
    """
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise ValueError(f"options is {options!r}; give a dict or None")
    for key in options:
        if key not in known and key not in _FOREIGN_OPTIONS:
            names = ", ".join(repr(name) for name in known)
            meant = "give 'task_seed'" if key == "task_seeds" else f"this environment takes {names}"
            raise ValueError(f"options has the unknown key {key!r}; {meant}")
    return options


def parse_seed(seed: Any) -> int | None:
    """Converts the seed of a single environment's `reset` to an int, and None to None.

    Raises:
        SeedError: it is no integer from 0.
    """
    parsed = to_integer(seed)
    if seed is not None and (parsed is None or parsed < 0):
        raise SeedError(f"seed is {seed!r}; give an integer from 0, or None")
    return parsed


def parse_seeds(seed: Any, n: int) -> tuple[int | None, Bools, UInt64s]:
    """Converts the seed of a vector environment's `reset`.

    Args:
        seed: None, one seed for all streams, or a list, tuple or array of one seed or None for each stream.
        n: the number of streams.

    Returns:
        (the one seed or None; which streams are seeded, bool [n]; their seeds, uint64 [n], and 0 for the
        others).

    Raises:
        SeedError: a seed is no integer from 0, or the number of seeds is not `n`.
    """
    if _is_list(seed):
        each = list(seed)
        if len(each) != n:
            raise SeedError(f"{len(each)} seeds for {n} streams; give one for each, or one for all")
        for i, one in enumerate(each):
            number = to_integer(one)
            if one is not None and (number is None or number < 0):
                raise SeedError(f"seed[{i}] is {one!r}; give an integer from 0, or None")
        given = np.array([one is not None for one in each])
        return None, given, np.array([index(one or 0) % 2**64 for one in each], np.uint64)
    parsed = parse_seed(seed)
    if parsed is None:
        return None, np.zeros(n, np.bool_), np.zeros(n, np.uint64)
    return parsed, np.ones(n, np.bool_), seed_array(parsed, n)


def parse_task_seeds(seeds: Any, n: int) -> list[int]:
    """Converts the task seeds of a vector environment: one for all streams, or `n` of them.

    Raises:
        TaskError: one of them is no task seed.
        ValueError: their number is not `n`.
    """
    each = list(seeds) if _is_list(seeds) else [seeds] * n
    if len(each) != n:
        raise ValueError(f"{len(each)} task seeds for {n} streams; give one int or {n} of them")
    return [parse_task_seed(seed) for seed in each]


def parse_max_steps(max_episode_steps: Any) -> int | None:
    """Returns the limit of `make_vec`, or None for None and -1, with which `gym.make` sets no limit.

    Raises:
        TaskError: it is no integer from 1.
    """
    if max_episode_steps is None or max_episode_steps == -1:
        return None
    require_integer("max_episode_steps", max_episode_steps, 1)
    return int(max_episode_steps)


def _is_list(value: Any) -> bool:
    """Tells whether `value` holds several values: a list, a tuple, a range or an array."""
    return isinstance(value, (list, tuple, range)) or np.ndim(value) > 0


def make_dynamics_stream(seed: int | None, generator: np.random.Generator) -> UInt64s:
    """Returns the random stream of one environment's dynamics, uint64 [1].

    Args:
        seed: the seed of `reset`; None draws one from `generator`.
        generator: the environment's `np_random`.
    """
    start = generator.integers(2**64, dtype=np.uint64) if seed is None else seed % 2**64
    return dynamics_streams(np.array([start], np.uint64))
