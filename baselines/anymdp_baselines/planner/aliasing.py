"""What came before: whether a run's observations hide something, and observations told apart by it.

In a Markov decision process the outcome of an (observation, action) does not depend on how the observation
was reached. Every run is remembered twice, by observation and by id: an id stands for (what was seen before,
what is seen), where "before" is the latest observation that was another one; for example from which side a
pendulum came into a bin. `notice` lets both memories predict each outcome before it is written,

    p = c / n       by observation, and       q = (c_id + WEIGHT p) / (n_id + WEIGHT)       by id,

and sums log(q / p) over the outcomes that the observation's slot has seen before. While nothing is hidden, to
which id an outcome fell is chance, so q is p with noise and the sum falls (Jensen's inequality). Once it
exceeds `SURE`, a likelihood ratio of exp(SURE), the run is played by ids. The memories do not grow with the
run: an observation has `ROOM` ids on average, its own among them, or fewer where all would be more than
`MOST`, and what finds no room shares its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s

WEIGHT, SURE = 2.0, 25.0
ROOM, MOST = 8, 512  # ids for each observation, and of all


def room(n_observations: int) -> int:
    """The number of ids for so many observations."""
    return min(ROOM, MOST // n_observations) * n_observations


class History(NamedTuple):
    """The ids of n runs, and the watch over them."""

    evidence: Float64s  # [n]  log likelihood ratio, by id over by observation
    hidden: Bools  # [n]  runs in which something is hidden
    before: Int64s  # [n]  the latest other observation, O at an episode's start
    ids: npt.NDArray[np.int32]  # [n, O + 1, O]  id of (before, observation); -1 none yet
    known: Int64s  # [n]  ids given out
    whose: Int64s  # [n, ids]  the observation of each id, also of those not given out


def empty_history(n: int, n_observations: int) -> History:
    """Of runs that have seen nothing; an episode's first observation is its own id."""
    ids = np.full((n, n_observations + 1, n_observations), -1, np.int32)
    ids[:, n_observations] = np.arange(n_observations)
    return History(
        np.zeros(n), np.zeros(n, np.bool_), np.full(n, n_observations), ids,
        np.full(n, n_observations), np.tile(np.arange(room(n_observations)) % n_observations, (n, 1)),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def identify(history, before, observation):
    """Ids of `observation` [n], each reached from `before` [n]; new ones while there is room."""
    out = np.empty(len(before), np.int64)
    for i in range(len(before)):
        b, o = before[i], observation[i]
        if history.ids[i, b, o] < 0:
            if history.known[i] < history.whose.shape[1]:
                history.ids[i, b, o] = history.known[i]
                history.whose[i, history.known[i]] = o
                history.known[i] += 1
            else:
                history.ids[i, b, o] = o
        out[i] = history.ids[i, b, o]
    return out


@njit(cache=True, nogil=True)
def notice(history, plain, deep, observation, action, following, terminated, ids, following_ids):
    """Adds to the evidence what one step of every run says, arrays [n], before it is written.

    `plain` is the memory by observation, `deep` the one by id.
    """
    for i in range(len(observation)):
        if history.hidden[i]:
            continue
        o, a, k = observation[i], action[i], ids[i]
        if terminated[i]:
            count, own = plain.ends[i, o, a], deep.ends[i, k, a]
        else:
            count, own = plain.onward[i, o, a, following[i]], deep.onward[i, k, a, following_ids[i]]
        if count > 0.0:
            p = count / plain.visits[i, o, a]
            q = (own + WEIGHT * p) / (deep.visits[i, k, a] + WEIGHT)
            history.evidence[i] += math.log(q / p)
            history.hidden[i] = history.evidence[i] > SURE


@njit(cache=True, nogil=True)
def move_on(history, observation, following, over):
    """Keeps what will have been before: `observation` where `following` is another; nothing where `over`."""
    n_observations = history.ids.shape[2]
    for i in range(len(observation)):
        if over[i]:
            history.before[i] = n_observations
        elif following[i] != observation[i]:
            history.before[i] = observation[i]
