"""The long-context streams: runs of the behaviour mixture on AnyMDP tasks, each as one long sequence.

A published stream never changes; a new one gets a new name. Its tasks come from public seeds, and training
data (`training`) never does, so no model was trained on a task of a published stream.
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
    """The inputs of a model, arrays [n, T]; all are int64, and `reward` is float32.

    The prediction of the next observation may use everything up to and including the step. The prediction of
    the oracle's action may use the same without the step's own `action`.

    Attributes:
        seen: the current observation.
        action: the action taken in it.
        left: the observation of the step before; 0 in the first step.
        did: the action of the step before; 0 in the first step.
        reward: the reward of the step before.
        ending: how the step before ended: 0 the episode went on, 1 terminated, 2 truncated, 3 there is none.
        arrival: the observation that the step before led to; where it ended an episode, not the current one.
        tag: the behaviour that acted in the step before, by its number in `anymdp_bench.datasets`; 7 if
            hidden.
    """

    seen: Int64s
    action: Int64s
    left: Int64s
    did: Int64s
    reward: AnyArray
    ending: Int64s
    arrival: Int64s
    tag: Int64s

    def part(self, start: int, stop: int) -> Steps:
        """Returns steps `start` to `stop` of all runs."""
        return Steps(*(x[:, start:stop] for x in self))


@dataclass(frozen=True)
class Stream:
    """Runs with the answers to predict, arrays [n, T].

    Attributes:
        name: the name of the published stream, or "".
        n_states: S, the number of observations.
        n_actions: A, the number of actions.
        steps: the inputs of a model.
        following: the next observation, int64.
        label: the oracle's action (gamma 0.994) in the current observation, int64; no model may read it.
        floor: the entropy of the next observation, in nats: no prediction has a lower mean loss.
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
        """T, the number of steps of a run."""
        return int(self.following.shape[1])

    def part(self, start: int, stop: int) -> Stream:
        """Returns steps `start` to `stop` of all runs, as a stream without a name."""
        at = np.s_[:, start:stop]
        answers = self.following[at], self.label[at], self.floor[at]
        return Stream("", self.n_states, self.n_actions, self.steps.part(start, stop), *answers)

    def digest(self) -> str:
        """Returns the SHA-256 of the steps and the answers, as 64 hexadecimal digits."""
        total = hashlib.sha256(f"{self.n_states} {self.n_actions}".encode())
        for x in (*self.steps, self.following, self.label):
            kind = "<f4" if x.dtype.kind == "f" else "<i8"
            total.update(np.ascontiguousarray(x, kind).tobytes())
        return total.hexdigest()


class StreamSize(NamedTuple):
    """The size of a published stream: S, A, the number of runs, and the steps of each run."""

    n_states: int
    n_actions: int
    n: int
    length: int


STREAMS = {
    "tau8-v1": StreamSize(8, 3, 16, 32768),
    "tau16-v1": StreamSize(16, 5, 16, 32768),
    "tau64-v1": StreamSize(64, 5, 16, 32768),
}
"""The published streams, by name."""


def stream(name: str, n: int | None = None, length: int | None = None) -> Stream:
    """Generates a published stream, or its first `n` runs and `length` steps; it takes seconds.

    Args:
        name: a name of `STREAMS`.
        n: the number of runs; all by default.
        length: the number of steps of each run; all by default.

    Raises:
        ValueError: there is no stream of this name, or it is smaller.
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
    return _make_stream(name if whole else "", S, A, record(S, A, streams, length))


def training(
    n_states: int,
    n_actions: int,
    seeds: Sequence[int],
    length: int,
    draws: Sequence[int] | None = None,
) -> Stream:
    """Generates training runs, one for each seed of a training task.

    Args:
        n_states: S, the number of observations.
        n_actions: A, the number of actions.
        seeds: the task seeds, 2**32 or above, in any order; they may repeat.
        length: the number of steps of each run.
        draws: for each run, the number of the run among all possible runs of its task; 0 by default.

    Raises:
        ValueError: a seed is public.
    """
    streams = [training_stream(n_states, n_actions, seed) for seed in seeds]
    which = None if draws is None else np.array(draws, np.uint64)
    found = record(n_states, n_actions, np.concatenate(streams), length, which)
    return _make_stream("", n_states, n_actions, found)


def _make_stream(name: str, n_states: int, n_actions: int, found: Sequences) -> Stream:
    """Lays recorded sequences out as a stream."""
    seen, action, ending, arrival, tag = (
        x.astype(np.int64)
        for x in (found.seen, found.action, found.ending, found.arrival, found.tag)
    )
    runs = np.arange(len(seen))[:, None]
    steps = Steps(
        seen,
        action,
        _delay(seen),
        _delay(action),
        _delay(found.reward),
        _delay(ending, NOTHING),
        _delay(arrival),
        _delay(tag, TAG_UNKNOWN),
    )
    label = found.advantage.argmax(-1)[runs, seen]
    floor = found.entropy[runs, seen, action].astype(np.float64)
    return Stream(name, n_states, n_actions, steps, arrival, label, floor)


def _delay(x: AnyArray, first: int = 0) -> AnyArray:
    """Shifts an array [n, T] one step later; `first` fills the first step."""
    return np.concatenate([np.full_like(x[:, :1], first), x[:, :-1]], 1)
