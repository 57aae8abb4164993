"""The checks of what a caller gives to an environment: the render mode, actions and the seed of `reset`."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Int64s, UInt64s
from anymdp_bench.engine.seeding import dynamics_streams


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


def parse_action(action: Any, n_actions: int) -> int:
    """Converts an action of a single environment to an int in 0..n_actions - 1.

    Raises:
        ValueError: it is no such integer.
    """
    try:
        played = index(
            action
        )  # this also takes arrays of no dimensions, which Stable-Baselines3 gives
    except TypeError:
        played = -1
    if not 0 <= played < n_actions:
        raise ValueError(f"action is {action!r}; give an integer in 0..{n_actions - 1}")
    return played


def parse_actions(actions: npt.ArrayLike, n: int) -> Int64s:
    """Converts the actions of a vector environment to int64 [n], without looking at their range.

    Raises:
        ValueError: they are not `n` integers.
    """
    played = np.asarray(actions)
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


def make_dynamics_stream(seed: int | None, generator: np.random.Generator) -> UInt64s:
    """Returns the random stream of one environment's dynamics, uint64 [1].

    Args:
        seed: the seed of `reset`; None draws one from `generator`.
        generator: the environment's `np_random`.
    """
    start = generator.integers(2**64, dtype=np.uint64) if seed is None else seed % 2**64
    return dynamics_streams(np.array([start], np.uint64))
