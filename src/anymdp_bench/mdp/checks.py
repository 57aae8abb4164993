"""The checks of a task. Each error message is one line that names the array, the place and the fix."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import AnyArray, Bands, Bools, Float64s

_SUM_TOLERANCE = 1e-6
_ROUNDING = 1e-12  # nearer to 1 is not rescaled, so that a task made from its own arrays is equal
_MAX_IDS = 2**31


class TaskError(ValueError):
    """The given arrays or keywords make no task. The message says what is wrong, where, and how to fix it."""


class KeywordError(TaskError, TypeError):
    """A keyword is unknown. It is a `TypeError` too, as Python raises for its own functions.

    Libraries that try a keyword on every environment catch a `TypeError` and go on without it.
    """


def refuse(message: str) -> NoReturn:
    """Raises a `TaskError` with the given message."""
    raise TaskError(message)


def locate(mask: AnyArray) -> str:
    """Returns the first place where `mask` is true, as text."""
    return str([int(k) for k in np.argwhere(mask)[0]])


def to_floats(name: str, value: npt.ArrayLike) -> Float64s:
    """Converts `value` to a float64 array of finite numbers, or raises a `TaskError`."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        refuse(f"{name} is not an array of numbers")
    if not np.isfinite(array).all():
        refuse(f"{name} has a NaN or infinity at {locate(~np.isfinite(array))}; replace it")
    return array


def to_vector(name: str, value: npt.ArrayLike, size: int, dtype: type[np.generic]) -> AnyArray:
    """Copies `value`, which must have one entry for each state, as `dtype`, or raises a `TaskError`."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        refuse(f"{name} is not an array; give [{size}], one entry a state")
    if array.shape != (size,):
        refuse(f"{name} has shape {list(array.shape)}; give [{size}], one entry a state")
    if dtype is np.bool_ and array.dtype != np.bool_:
        refuse(f"{name} has dtype {array.dtype}; give booleans")
    if dtype is np.int64 and array.dtype.kind not in "iu":
        refuse(f"{name} has dtype {array.dtype}; give integers")
    if dtype is np.float64:
        array = to_floats(name, array)
    return array.astype(dtype, copy=True)


def to_integer(name: str, value: Any, least: int) -> int:
    """Converts `value` to an int of at least `least`, or raises a `TaskError`."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        refuse(f"{name} is {value!r:.40}; give an integer")
    if not least <= value < _MAX_IDS:
        refuse(f"{name} is {value!s:.40}; give an integer from {least} to {_MAX_IDS - 1}")
    return int(value)


def broadcast(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> Float64s:
    """Broadcasts `value` to a float64 view of `shape`, or raises a `TaskError`."""
    array = to_floats(name, value)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        n_states, n_actions, _ = shape
        refuse(
            f"{name} has shape {list(array.shape)}, which does not broadcast to {list(shape)};"
            f" a reward of (s, a) has shape [{n_states}, {n_actions}, 1]"
        )


def check_rows(prob: Float64s, terminal: Bools) -> None:
    """Checks that the live rows of dense transitions, [S, A, S], are distributions.

    Raises:
        TaskError: a row is no distribution.
    """
    outside = (prob < 0) | (prob > 1 + _SUM_TOLERANCE)
    if outside.any():
        refuse(f"transition is outside 0..1 at {locate(outside)}; give probabilities")
    off = (abs(prob.sum(axis=-1) - 1.0) > _SUM_TOLERANCE) & ~terminal[:, None]
    if off.any():
        s, a = (int(k) for k in np.argwhere(off)[0])
        refuse(
            f"transition[{s}, {a}] sums to {prob[s, a].sum():.6g}, not 1;"
            f" normalise the row, or mark state {s} terminal"
        )


def validate_bands(bands: Bands, terminal: Bools) -> Bands:
    """Copies `bands` after checking them.

    Raises:
        TaskError: the storage points outside itself, or a row is no distribution.
    """
    n_states = len(terminal)
    low, width, offset = (
        to_vector(name, getattr(bands, name), n_states, np.int64)
        for name in ("low", "width", "offset")
    )
    for name in ("prob", "reward", "noise"):
        array = getattr(bands, name)
        if array.dtype != np.float64 or array.shape != bands.prob.shape or array.ndim != 1:
            refuse(
                f"{name} has shape {list(array.shape)}; give float64, one number for each band entry"
            )
        to_floats(name, array)
    # No sum can overflow here: width is checked first, and then low against what width leaves.
    inside = (width >= 0) & (width <= n_states) & (low >= 0) & (low <= n_states - width)
    inside &= terminal | (width > 0)
    if not inside.all():
        s = int(np.flatnonzero(~inside)[0])
        refuse(
            f"the band of state {s} is low {low[s]}, width {width[s]}; it must lie in 0..{n_states - 1}"
        )
    total = int(width.sum())
    n_actions, rest = divmod(len(bands.prob), max(total, 1))
    if rest or n_actions == 0:
        refuse(f"prob has {len(bands.prob)} entries; give a multiple of width's sum {total}")
    tight = np.concatenate([[0], np.cumsum(width)[:-1] * n_actions])
    if (offset != tight).any():
        s = int(np.flatnonzero(offset != tight)[0])
        refuse(f"offset[{s}] is {offset[s]}, but the band of state {s} begins at {tight[s]}")
    for name in ("prob", "noise"):
        wrong = getattr(bands, name) < 0
        if name == "prob":
            wrong |= bands.prob > 1 + _SUM_TOLERANCE
        if wrong.any():
            refuse(f"{name} is negative (or no probability) at {locate(wrong)}; fix it")
    used = np.flatnonzero(width > 0)
    begins = offset[used, None] + np.arange(n_actions) * width[used, None]
    sums = np.add.reduceat(bands.prob, begins.ravel()).reshape(-1, n_actions)
    ends = terminal[used, None]
    off = np.where(ends, sums != 0, abs(sums - 1.0) > _SUM_TOLERANCE)
    if off.any():
        k, a = (int(k) for k in np.argwhere(off)[0])
        refuse(
            f"transition[{used[k]}, {a}] sums to {sums[k, a]:.6g}, not {int(not ends[k, 0])};"
            " normalise the row"
        )
    return Bands(low, width, offset, *(np.array(x) for x in bands[3:]))


def normalise_rows(rows: Float64s) -> Float64s:
    """Divides rows by their sums. Rows that sum to 1 up to rounding stay as they are."""
    sums = rows.sum(axis=-1, keepdims=True)
    out: Float64s = np.where(abs(sums - 1.0) > _ROUNDING, rows / sums, rows)
    return out


def validate_start(start: Float64s, terminal: Bools) -> Float64s:
    """Returns the start distribution, scaled to sum to 1, or raises a `TaskError`."""
    if (start < 0).any():
        refuse(f"start is negative at {locate(start < 0)}; give probabilities")
    if (start > 1 + _SUM_TOLERANCE).any():
        refuse(f"start is above 1 at {locate(start > 1)}; give probabilities")
    if abs(start.sum() - 1.0) > _SUM_TOLERANCE:
        refuse(f"start sums to {start.sum():.6g}, not 1; normalise it")
    if (start[terminal] > 0).any():
        s = int(np.flatnonzero(terminal & (start > 0))[0])
        refuse(f"state {s} is terminal and a start state; an episode cannot end before it starts")
    return normalise_rows(start)


def to_bands(prob: Float64s, reward: Float64s, noise: Float64s) -> Bands:
    """Stores dense arrays [S, A, S] as `Bands`. A band covers every nonzero entry of all three arrays."""
    used = ((prob != 0) | (reward != 0) | (noise != 0)).any(axis=1)
    n_states, n_actions, _ = prob.shape
    low = np.where(used.any(axis=1), used.argmax(axis=1), 0).astype(np.int64)
    high = np.where(used.any(axis=1), n_states - used[:, ::-1].argmax(axis=1), 0)
    width = (high - low).astype(np.int64)
    offset = np.concatenate([[0], np.cumsum(width)[:-1] * n_actions]).astype(np.int64)
    slices = [(s, slice(None), slice(low[s], high[s])) for s in range(n_states)]
    flat = [np.concatenate([x[k].ravel() for k in slices]) for x in (prob, reward, noise)]
    return Bands(low, width, offset, *flat)
