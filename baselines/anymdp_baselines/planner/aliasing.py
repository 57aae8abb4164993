"""Whether a run's observations hide a part of the state, and ids that tell such observations apart.

In a Markov decision process the outcome of an (observation, action) does not depend on how the observation
was reached. Every run is therefore remembered twice, by observation and by id. An id stands for a pair: the
observation now, and the latest other observation before it. For example, it tells from which side a pendulum
came into a bin. `update_evidence` lets both memories predict each outcome before it is written,

    p = c / n       by observation, and       q = (c_id + PRIOR_VISITS p) / (n_id + PRIOR_VISITS)       by id,

and sums log(q / p) over the outcomes that the observation's slot has seen before. Where nothing is hidden, it
is chance to which id an outcome falls, so q is p with noise, and the sum falls (Jensen's inequality). Once it
exceeds `EVIDENCE_LIMIT`, a likelihood ratio of exp(EVIDENCE_LIMIT), the run is played by ids.

The memories do not grow with the run. An observation has `IDS_PER_OBSERVATION` ids on average, its own among
them, or fewer where all ids would be more than `MOST_IDS`. A pair for which no id is left shares the
observation's own.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from anymdp_bench.engine.arrays import Bools, Float64s, Int64s

PRIOR_VISITS = 2.0  # visits that the prediction by observation counts for in the prediction by id
EVIDENCE_LIMIT = 25.0  # log likelihood ratio
IDS_PER_OBSERVATION, MOST_IDS = 8, 512


def count_ids(n_observations: int) -> int:
    """Returns the number of ids for so many observations."""
    return min(IDS_PER_OBSERVATION, MOST_IDS // n_observations) * n_observations


class AliasingState(NamedTuple):
    """The ids of n runs, and the evidence that observations hide something."""

    evidence: Float64s  # [n]  log likelihood ratio of the outcomes, by id over by observation
    is_hidden: Bools  # [n]  runs in which something is hidden
    previous: Int64s  # [n]  the latest other observation, O at an episode's start
    ids: npt.NDArray[
        np.int32
    ]  # [n, O + 1, O]  id of (previous, observation); -1 where there is none yet
    n_assigned: Int64s  # [n]  ids that were given out
    id_observation: Int64s  # [n, ids]  the observation of each id, also of those not given out

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Returns the arrays by their names in files."""
        names = ("evidence", "hidden", "before", "ids", "known", "whose")
        return dict(zip(names, self, strict=True))


def make_aliasing_state(n: int, n_observations: int) -> AliasingState:
    """Returns the state of n runs that have seen nothing; an episode's first observation is its own id."""
    ids = np.full((n, n_observations + 1, n_observations), -1, np.int32)
    ids[:, n_observations] = np.arange(n_observations)
    id_observation = np.arange(count_ids(n_observations)) % n_observations
    return AliasingState(
        evidence=np.zeros(n),
        is_hidden=np.zeros(n, np.bool_),
        previous=np.full(n, n_observations),
        ids=ids,
        n_assigned=np.full(n, n_observations),
        id_observation=np.tile(id_observation, (n, 1)),
    )


@njit(cache=True, nogil=True)
def assign_ids(state, previous, observation):
    """Ids of `observation` [n], each reached from `previous` [n]; new ones while there are any left."""
    out = np.empty(len(previous), np.int64)
    for i in range(len(previous)):
        b, o = previous[i], observation[i]
        if state.ids[i, b, o] < 0:
            if state.n_assigned[i] < state.id_observation.shape[1]:
                state.ids[i, b, o] = state.n_assigned[i]
                state.id_observation[i, state.n_assigned[i]] = o
                state.n_assigned[i] += 1
            else:
                state.ids[i, b, o] = o
        out[i] = state.ids[i, b, o]
    return out


@njit(cache=True, nogil=True)
def update_evidence(
    state, by_observation, by_id, observation, action, following, terminated, ids, following_ids
):
    """Adds to the evidence what one step of every run says, before the step is written; arrays [n].

    `by_observation` and `by_id` are the two memories.
    """
    for i in range(len(observation)):
        if state.is_hidden[i]:
            continue
        o, a, k = observation[i], action[i], ids[i]
        if terminated[i]:
            count, id_count = by_observation.ends[i, o, a], by_id.ends[i, k, a]
        else:
            count = by_observation.onward[i, o, a, following[i]]
            id_count = by_id.onward[i, k, a, following_ids[i]]
        if count > 0.0:
            p = count / by_observation.visits[i, o, a]
            q = (id_count + PRIOR_VISITS * p) / (by_id.visits[i, k, a] + PRIOR_VISITS)
            state.evidence[i] += math.log(q / p)
            state.is_hidden[i] = state.evidence[i] > EVIDENCE_LIMIT


@njit(cache=True, nogil=True)
def update_previous(state, observation, following, ended):
    """Keeps `observation` where `following` is another one; forgets it where the episode `ended`."""
    n_observations = state.ids.shape[2]
    for i in range(len(observation)):
        if ended[i]:
            state.previous[i] = n_observations
        elif following[i] != observation[i]:
            state.previous[i] = observation[i]
