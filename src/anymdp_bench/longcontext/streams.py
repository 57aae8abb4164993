"""The streams: runs of the behaviour mixture on AnyMDP tasks, as one long sequence each.

A published stream never changes: a new one gets a new name. Its tasks come from public seeds, which
training data never does (`training`), so no task of it was ever trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from anymdp_bench.datasets.codes import NOTHING, TAG_UNKNOWN
from anymdp_bench.datasets.sequences import Sequences, record, training_stream
from anymdp_bench.engine import rng
from anymdp_bench.engine.arrays import AnyArray, Float64s, Int64s

_FIRST_SEED = 3 << 30  # below 2**32: public


class Steps(NamedTuple):
    """What may be read at each step, [n, T] each, int64 but for `reward` (float32).

    The next observation may be told from everything up to and including the step; the oracle's action from
    the same, but for the step's own `action`.
    """

    seen: Int64s  # the current observation
    action: Int64s  # taken here
    left: Int64s  # the observation left in the step before, 0 where there is none
    did: Int64s  # the action of the step before, 0 where there is none
    reward: AnyArray  # what came of it
    ending: Int64s  # 0 the episode went on, 1 terminated, 2 truncated, 3 there is no step before
    arrival: Int64s  # the observation it arrived at; where an episode ended, not the current one
    tag: Int64s  # who acted in the step before (SPEC section 5), 7 where hidden

    def part(self, start: int, stop: int) -> Steps:
        """Steps `start` to `stop`."""
        return Steps(*(x[:, start:stop] for x in self))


@dataclass(frozen=True)
class Stream:
    """Runs to read and what is asked of them, arrays [n, T].

    Attributes:
        name: of the published stream, or "".
        n_states: S, the number of observations.
        n_actions: A.
        steps: what is read.
        following: the next observation, int64.
        label: the oracle's action (gamma 0.994) in the current state, int64; never to be read.
        floor: entropy of the next observation, in nats: no forecast has a lower mean loss.
    """

    name: str
    n_states: int
    n_actions: int
    steps: Steps
    following: Int64s
    label: Int64s
    floor: Float64s

    @property
    def length(self) -> int:
        """T."""
        return int(self.following.shape[1])

    def part(self, start: int, stop: int) -> Stream:
        """Steps `start` to `stop` of all runs."""
        at = np.s_[:, start:stop]
        asked = self.following[at], self.label[at], self.floor[at]
        return Stream("", self.n_states, self.n_actions, self.steps.part(start, stop), *asked)

    def digest(self) -> str:
        """SHA-256 of what is read and asked, as 64 hexadecimal digits."""
        total = hashlib.sha256(f"{self.n_states} {self.n_actions}".encode())
        for x in (*self.steps, self.following, self.label):
            kind = "<f4" if x.dtype.kind == "f" else "<i8"
            total.update(np.ascontiguousarray(x, kind).tobytes())
        return total.hexdigest()


class Published(NamedTuple):
    """What a published stream is drawn with."""

    n_states: int
    n_actions: int
    n: int
    length: int


STREAMS = {
    "tau8-v1": Published(8, 3, 16, 32768),
    "tau16-v1": Published(16, 5, 16, 32768),
    "tau64-v1": Published(64, 5, 16, 32768),
}


def stream(name: str, n: int | None = None, length: int | None = None) -> Stream:
    """A published stream, or its first `n` runs and `length` steps, made on the spot in seconds.

    Raises:
        ValueError: there is none of this name, or it is smaller.
    """
    if name not in STREAMS:
        raise ValueError(f"no stream {name!r}; there are {', '.join(STREAMS)}")
    S, A, most, longest = STREAMS[name]
    n, length = most if n is None else n, longest if length is None else length
    if not (1 <= n <= most and 1 <= length <= longest):
        raise ValueError(f"stream {name!r} has {most} runs of {longest} steps, not {n} of {length}")
    seeds = range(_FIRST_SEED, _FIRST_SEED + n)
    streams = np.concatenate([rng.stream("AnyMDP", S, S, A, seed) for seed in seeds])
    whole = (n, length) == (most, longest)
    return _stream(name if whole else "", S, A, record(S, A, streams, length))


def training(
    n_states: int,
    n_actions: int,
    seeds: Sequence[int],
    length: int,
    draws: Sequence[int] | None = None,
) -> Stream:
    """Runs to train on: one of `length` steps for each training task of `seeds` (2**32 or above).

    Args:
        n_states: S.
        n_actions: A.
        seeds: of the tasks, in any order; they may repeat.
        length: steps.
        draws: which of a task's countless runs each is; run 0 by default.

    Raises:
        ValueError: a seed is public.
    """
    drawn = [training_stream(n_states, n_actions, seed) for seed in seeds]
    which = None if draws is None else np.array(draws, np.uint64)
    found = record(n_states, n_actions, np.concatenate(drawn), length, which)
    return _stream("", n_states, n_actions, found)


def _stream(name: str, n_states: int, n_actions: int, found: Sequences) -> Stream:
    seen, action, ending, arrival, tag = (
        x.astype(np.int64)
        for x in (found.seen, found.action, found.ending, found.arrival, found.tag)
    )
    runs = np.arange(len(seen))[:, None]
    steps = Steps(
        seen,
        action,
        _delayed(seen),
        _delayed(action),
        _delayed(found.reward),
        _delayed(ending, NOTHING),
        _delayed(arrival),
        _delayed(tag, TAG_UNKNOWN),
    )
    label = found.advantage.argmax(-1)[runs, seen]
    floor = found.entropy[runs, seen, action].astype(np.float64)
    return Stream(name, n_states, n_actions, steps, arrival, label, floor)


def _delayed(x: AnyArray, first: int = 0) -> AnyArray:
    """One step later, [n, T]; `first` comes first."""
    return np.concatenate([np.full_like(x[:, :1], first), x[:, :-1]], 1)
