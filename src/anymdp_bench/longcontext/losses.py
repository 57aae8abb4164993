"""The losses of a sequence model on a stream: of every step, and their means by position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import AnyArray, Float64s
from anymdp_bench.longcontext.streams import Steps, Stream

Predict = Callable[[Any, Steps], tuple[Any, AnyArray, AnyArray | None]]
"""A model is a function `predict(state, steps) -> (state, following, policy)`.

`steps` are the next steps of all runs, [n, T]. `state` is what the last call returned; it is None in the
first call. `following` [n, T, S] and `policy` [n, T, A] are logits, which `score` normalises;
log-probabilities are logits too. `policy` may be None.
"""
_FIRST_BUCKET = 64
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Losses:
    """The losses of every step in nats, float64 [n, T].

    Attributes:
        stream: the stream of the steps.
        following: minus the log probability of the next observation.
        policy: minus the log probability of the oracle's action, or None.
    """

    stream: Stream
    following: Float64s
    policy: Float64s | None

    def buckets(self) -> list[dict[str, float | int | None]]:
        """Computes the mean losses and the mean floor of steps 0 to 63, 64 to 127, 128 to 255 and so on."""
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
    """Returns (start, stop) of each bucket of a stream of `length` steps."""
    ends = [_FIRST_BUCKET]
    while ends[-1] < length:
        ends.append(2 * ends[-1])
    ends[-1] = length
    return list(zip([0, *ends[:-1]], ends, strict=True))


def score(data: Stream, predict: Predict, segment: int = 1024) -> Losses:
    """Computes the losses of a model on a stream.

    It first checks on the first segment that the predictions do not depend on later steps.

    Args:
        data: the stream.
        predict: the model, see `Predict`.
        segment: the number of steps in one call of the model.

    Raises:
        ValueError: predictions have a wrong shape, are not numbers, or depend on later steps.
    """
    _check_causal(data, predict, min(segment, data.length))
    state, following, policy = None, [], []
    for start in range(0, data.length, segment):
        part = slice(start, min(start + segment, data.length))
        steps = data.steps.part(part.start, part.stop)
        answer = _check_answer(data, predict(state, steps), part.stop - part.start)
        state, next_logits, action_logits = answer
        following.append(_loss(next_logits, data.following[:, part]))
        if action_logits is not None:
            policy.append(_loss(action_logits, data.label[:, part]))
    return Losses(data, np.concatenate(following, 1), np.concatenate(policy, 1) if policy else None)


def _check_answer(
    data: Stream, answer: tuple[Any, AnyArray, AnyArray | None], length: int
) -> tuple[Any, AnyArray, AnyArray | None]:
    """Returns what a model returned for `length` steps, after checks of both logits."""
    _, following, policy = answer
    _check_logits(data, "following", following, length, data.n_states)
    if policy is not None:
        _check_logits(data, "policy", policy, length, data.n_actions)
    return answer


def _check_logits(data: Stream, name: str, logits: AnyArray, length: int, width: int) -> None:
    shape = (len(data.following), length, width)
    if np.shape(logits) != shape:
        raise ValueError(f"{name}: logits of shape {np.shape(logits)}, expected {shape}")
    if np.isnan(logits).any() or np.isposinf(logits).any():
        raise ValueError(f"{name}: logits that are not numbers")


def _loss(logits: AnyArray, target: AnyArray) -> Float64s:
    """Computes the cross-entropy of logits [n, T, K] against targets [n, T], float64 [n, T]."""
    logits = np.asarray(logits, np.float64)
    top = logits.max(-1, keepdims=True)
    total = top[..., 0] + np.log(np.exp(logits - top).sum(-1))
    at_target = np.take_along_axis(logits, target[..., None], -1)[..., 0]
    out: Float64s = total - at_target
    return out


def _check_causal(data: Stream, predict: Predict, segment: int) -> None:
    """Checks that the predictions of the first half of a segment do not change with its second half.

    The model reads the segment again with other steps from the middle on. The prediction of the oracle's
    action in the middle step must not change with the action of that step either.
    """
    middle = segment // 2
    if middle == 0:
        return
    steps = data.steps.part(0, segment)
    _, following, policy = _check_answer(data, predict(None, steps), segment)
    changed = _randomise_future(data, steps, middle, middle)
    _, other, _ = _check_answer(data, predict(None, changed), segment)
    _compare("following", "later steps", following[:, :middle], other[:, :middle])
    if policy is not None:
        changed = _randomise_future(data, steps, middle + 1, middle)
        _, _, second = _check_answer(data, predict(None, changed), segment)
        if second is None:
            raise ValueError("policy: given for some steps only")
        known = slice(0, middle + 1)
        _compare(
            "policy", "its own step's action or later steps", policy[:, known], second[:, known]
        )


def _randomise_future(data: Stream, steps: Steps, first: int, first_action: int) -> Steps:
    """Returns `steps` with random values from step `first` on, and random actions from `first_action` on."""
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
        difference = np.nan_to_num(np.abs(a - b) / (1.0 + np.abs(a)))
    if difference.max() > _TOLERANCE:
        raise ValueError(f"{name}: predictions change with {future}, which they must not know")
