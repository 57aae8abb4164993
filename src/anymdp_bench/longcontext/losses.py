"""Scoring a sequence model on a stream: losses of every step, and their means by position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import AnyArray, Float64s
from anymdp_bench.longcontext.streams import Steps, Stream

Predict = Callable[[Any, Steps], tuple[Any, AnyArray, AnyArray | None]]
"""`predict(state, steps) -> (state, following, policy)`.

`steps` are the next steps of all runs, [n, T]; `state` is what the last call returned, None at first.
`following` [n, T, S] and `policy` [n, T, A] (or None) are logits, log-probabilities for instance: they are
normalised here.
"""
_FIRST = 64
_SLACK = 1e-3


@dataclass(frozen=True)
class Losses:
    """Losses in nats of every step, float64 [n, T].

    Attributes:
        stream: what was scored on.
        following: -log probability of the next observation.
        policy: -log probability of the oracle's action, or None.
    """

    stream: Stream
    following: Float64s
    policy: Float64s | None

    def buckets(self) -> list[dict[str, float | int | None]]:
        """Mean losses and floor for steps 0 to 63, 64 to 127, 128 to 255 and so on, first to last."""
        rows: list[dict[str, float | int | None]] = []
        for start, stop in edges(self.stream.length):
            part = slice(start, stop)
            policy = None if self.policy is None else float(self.policy[:, part].mean())
            rows.append(
                {
                    "start": start,
                    "stop": stop,
                    "following": float(self.following[:, part].mean()),
                    "policy": policy,
                    "floor": float(self.stream.floor[:, part].mean()),
                }
            )
        return rows


def edges(length: int) -> list[tuple[int, int]]:
    """Where the buckets of a stream of `length` steps begin and end."""
    ends = [_FIRST]
    while ends[-1] < length:
        ends.append(2 * ends[-1])
    ends[-1] = length
    return list(zip([0, *ends[:-1]], ends, strict=True))


def score(data: Stream, predict: Predict, segment: int = 1024) -> Losses:
    """The losses of a model on a stream, read `segment` steps at a time.

    Before that, on the first segment, it is checked that predictions do not change with what is yet to come.

    Raises:
        ValueError: predictions of a wrong shape, not finite, or that look ahead.
    """
    _check_causal(data, predict, min(segment, data.length))
    state, following, policy = None, [], []
    for start in range(0, data.length, segment):
        part = slice(start, min(start + segment, data.length))
        state, next_logits, action_logits = _asked(data, predict, state, part)
        following.append(_loss(next_logits, data.following[:, part]))
        if action_logits is not None:
            policy.append(_loss(action_logits, data.label[:, part]))
    return Losses(data, np.concatenate(following, 1), np.concatenate(policy, 1) if policy else None)


def _asked(
    data: Stream, predict: Predict, state: Any, part: slice
) -> tuple[Any, AnyArray, AnyArray | None]:
    steps = data.steps.part(part.start, part.stop)
    return _answered(data, predict(state, steps), part.stop - part.start)


def _answered(
    data: Stream, given: tuple[Any, AnyArray, AnyArray | None], length: int
) -> tuple[Any, AnyArray, AnyArray | None]:
    state, following, policy = given
    _check(data, "following", following, length, data.n_states)
    if policy is not None:
        _check(data, "policy", policy, length, data.n_actions)
    return state, following, policy


def _check(data: Stream, name: str, logits: AnyArray, length: int, width: int) -> None:
    shape = (len(data.following), length, width)
    if np.shape(logits) != shape:
        raise ValueError(f"{name}: logits of shape {np.shape(logits)}, expected {shape}")
    if np.isnan(logits).any() or np.isposinf(logits).any():
        raise ValueError(f"{name}: logits that are not numbers")


def _loss(logits: AnyArray, answer: AnyArray) -> Float64s:
    logits = np.asarray(logits, np.float64)
    top = logits.max(-1, keepdims=True)
    total = top[..., 0] + np.log(np.exp(logits - top).sum(-1))
    chosen = np.take_along_axis(logits, answer[..., None], -1)[..., 0]
    out: Float64s = total - chosen
    return out


def _check_causal(data: Stream, predict: Predict, segment: int) -> None:
    """Plays a first segment again with another future, which predictions up to its middle must not know.

    The action of the middle step is future to its policy, all of the middle step to the forecast before.
    """
    middle = segment // 2
    if middle == 0:
        return
    steps = data.steps.part(0, segment)
    _, following, policy = _answered(data, predict(None, steps), segment)
    _, other, _ = _answered(data, predict(None, _changed(data, steps, middle, middle)), segment)
    _compare("following", "later steps", following[:, :middle], other[:, :middle])
    if policy is not None:
        _, _, second = _answered(
            data, predict(None, _changed(data, steps, middle + 1, middle)), segment
        )
        if second is None:
            raise ValueError("policy: given for some steps only")
        known = slice(0, middle + 1)
        _compare(
            "policy", "its own step's action or later steps", policy[:, known], second[:, known]
        )


def _changed(data: Stream, steps: Steps, first: int, first_action: int) -> Steps:
    """`steps` with nonsense from `first` on, in `action` from `first_action` on."""
    rng = np.random.default_rng(0)
    S, A = data.n_states, data.n_actions
    sizes = Steps(S, A, S, A, 0, 4, S, 8)  # type: ignore[arg-type]
    out = Steps(*(x.copy() for x in steps))
    for name, x, size in zip(Steps._fields, out, sizes, strict=True):
        part = x[:, first_action if name == "action" else first :]
        part[:] = rng.integers(size, size=part.shape) if size else rng.normal(size=part.shape)
    return out


def _compare(name: str, future: str, a: AnyArray, b: AnyArray) -> None:
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.abs(a - b) / (1.0 + np.abs(a)))
    if apart.max() > _SLACK:
        raise ValueError(f"{name}: predictions change with {future}, which they must not know")
