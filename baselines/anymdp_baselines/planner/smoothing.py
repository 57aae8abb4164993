"""What is known by ids, where an id with few visits falls back on what is known of its observation.

Let id k belong to observation o (see `aliasing`). It is believed to lead where it led, and as if
`PRIOR_VISITS` more visits had led where all ids of o lead,

    P(j|k,a) = (c(k,a,j) + PRIOR_VISITS P(j|o,a)) / (n(k,a) + PRIOR_VISITS),
    P(j|o,a) = the sum of c(.,a,j) over the ids of o, as a share,

and likewise for rewards. `aliasing.update_evidence` predicts in the same way. An id that was never acted in
behaves like its observation. The values are the optimal ones of this model. They are found by sweeps that
begin at the values of the plan before.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_baselines.planner.aliasing import PRIOR_VISITS

GAMMA = 0.99
_SWEEPS = 500  # at most
_TOLERANCE = 1e-5  # the change of a value, as a share of their range, at which the sweeps end


@njit(cache=True, nogil=True)
def _compress_rows(counts):
    """Returns (row begins [rows + 1], columns, values) of entries of `counts` [rows, columns] but 0."""
    rows, columns = counts.shape
    begin = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        begin[r + 1] = begin[r] + np.count_nonzero(counts[r])
    column, value = np.empty(begin[rows], np.int64), np.empty(begin[rows])
    for r in range(rows):
        place = begin[r]
        for j in range(columns):
            if counts[r, j] != 0.0:
                column[place], value[place] = j, counts[r, j]
                place += 1
    return begin, column, value


@njit(cache=True, nogil=True)
def _sum_next_values(sparse, r, value):
    """Returns the sum over the successors of row `r` of count times value."""
    begin, column, count = sparse
    total = 0.0
    for p in range(begin[r], begin[r + 1]):
        total += count[p] * value[column[p]]
    return total


@njit(cache=True, nogil=True)
def _pool_by_observation(memory, i, id_observation):
    """Returns (visits [O, A], sums of rewards [O, A], successor counts [O A, ids]) of the observations."""
    n_ids, n_actions = memory.visits.shape[1:]
    n_observations = id_observation.max() + 1
    visits, reward = np.zeros((2, n_observations, n_actions))
    counts = np.zeros((n_observations * n_actions, n_ids))
    for k in range(n_ids):
        o = id_observation[k]
        for a in range(n_actions):
            if memory.visits[i, k, a] > 0.0:
                visits[o, a] += memory.visits[i, k, a]
                reward[o, a] += memory.reward[i, k, a]
                for j in range(n_ids):
                    counts[o * n_actions + a, j] += memory.onward[i, k, a, j]
    return visits, reward, counts


@njit(cache=True, nogil=True)
def _compute_q(memory, i, id_successors, k, a, pooled_q, value):
    """Returns Q of action `a` in id `k`, where `pooled_q` is that of its observation."""
    visits = memory.visits[i, k, a]
    r = k * memory.visits.shape[2] + a
    total = memory.reward[i, k, a] + GAMMA * _sum_next_values(id_successors, r, value)
    return (total + PRIOR_VISITS * pooled_q) / (visits + PRIOR_VISITS)


@njit(cache=True, nogil=True)
def _solve_values(memory, i, id_observation, id_successors, value):
    """Returns Q [O, A] of the observations, NaN where never tried; `value` [ids] becomes that of the ids."""
    visits, reward, counts = _pool_by_observation(memory, i, id_observation)
    successors = _compress_rows(counts)
    n_observations, n_actions = visits.shape
    pooled = np.full((n_observations, n_actions), np.nan)
    for _ in range(_SWEEPS):
        change = 0.0
        for o in range(n_observations):
            for a in range(n_actions):
                if visits[o, a] > 0.0:
                    following = _sum_next_values(successors, o * n_actions + a, value)
                    pooled[o, a] = (reward[o, a] + GAMMA * following) / visits[o, a]
        for k in range(len(value)):
            best = -np.inf
            for a in range(n_actions):
                pooled_q = pooled[id_observation[k], a]
                if not np.isnan(pooled_q):
                    q = _compute_q(memory, i, id_successors, k, a, pooled_q, value)
                    best = max(best, q)
            if best > -np.inf:
                change = max(change, abs(best - value[k]))
                value[k] = best
        if change <= _TOLERANCE * (value.max() - value.min()):
            break
    return pooled


@njit(cache=True, nogil=True)
def smooth_advantages(memory, i, id_observation, value, advantage):
    """Writes the advantages of run `i` to `advantage` [ids, A].

    They are in units of what a choice of action is worth, and at least -2, as those of `inference.plan_runs`.

    Args:
        memory: the memory by ids.
        i: the run.
        id_observation: the observation of each id, [ids].
        value: the values of the plan before, [ids]; those of this plan take their place.
        advantage: is written.
    """
    n_ids, n_actions = advantage.shape
    id_successors = _compress_rows(memory.onward[i].reshape(n_ids * n_actions, n_ids))
    pooled = _solve_values(memory, i, id_observation, id_successors, value)
    unit, weight = 0.0, 0.0
    for k in range(n_ids):
        lowest = 0.0
        for a in range(n_actions):
            pooled_q = pooled[id_observation[k], a]
            advantage[k, a] = np.nan
            if not np.isnan(pooled_q):
                q = _compute_q(memory, i, id_successors, k, a, pooled_q, value)
                advantage[k, a] = q - value[k]
                lowest = min(lowest, advantage[k, a])
        visits = memory.visits[i, k].sum()
        weight += visits
        for a in range(n_actions):
            if np.isnan(advantage[k, a]):  # an action that was never tried is as bad as the worst
                advantage[k, a] = lowest
            unit -= visits * advantage[k, a] / n_actions
    unit = unit / max(weight, 1.0) + 1e-9
    advantage[:] = np.maximum(advantage / unit, -2.0)
