"""What is known by ids, where few visits of an id fall back on what is known of its observation.

An id k of observation o (see `history`) is believed to lead where it led, and as if `WEIGHT` visits more had
led where all ids of o lead,

    P(j|k,a) = (c(k,a,j) + WEIGHT P(j|o,a)) / (n(k,a) + WEIGHT),
    P(j|o,a) = the sum of c(.,a,j) over the ids of o, as a share,

likewise for rewards; it is how `notice` predicts. An id that was never acted in is its observation. The
values are the optimal ones of this model, by sweeps that begin at those of the plan before.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_baselines.planner.aliasing import WEIGHT

GAMMA = 0.99
_SWEEPS, _STILL = 500, 1e-5  # at most; change of a value, as a share of their range, that ends them


@njit(cache=True, nogil=True)
def _lists(counts):
    """(Beginnings [rows + 1], columns, values) of what is not 0 in `counts` [rows, columns]."""
    rows, columns = counts.shape
    begin = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        begin[r + 1] = begin[r] + np.count_nonzero(counts[r])
    which, much = np.empty(begin[rows], np.int64), np.empty(begin[rows])
    for r in range(rows):
        place = begin[r]
        for j in range(columns):
            if counts[r, j] != 0.0:
                which[place], much[place] = j, counts[r, j]
                place += 1
    return begin, which, much


@njit(cache=True, nogil=True)
def _onward(lists, r, value):
    """The sum over the successors of row `r` of count times value."""
    begin, which, much = lists
    total = 0.0
    for p in range(begin[r], begin[r + 1]):
        total += much[p] * value[which[p]]
    return total


@njit(cache=True, nogil=True)
def _pool(memory, i, whose):
    """(Visits [O, A], rewards [O, A], successors [O A, ids]) of the observations, over their ids."""
    n_ids, n_actions = memory.visits.shape[1:]
    n_observations = whose.max() + 1
    tried, paid = np.zeros((2, n_observations, n_actions))
    counts = np.zeros((n_observations * n_actions, n_ids))
    for k in range(n_ids):
        o = whose[k]
        for a in range(n_actions):
            if memory.visits[i, k, a] > 0.0:
                tried[o, a] += memory.visits[i, k, a]
                paid[o, a] += memory.reward[i, k, a]
                for j in range(n_ids):
                    counts[o * n_actions + a, j] += memory.onward[i, k, a, j]
    return tried, paid, counts


@njit(cache=True, nogil=True)
def _worth(memory, i, own, k, a, back, value):
    """Q of action `a` in id `k`; `back` is that in its observation, NaN where it was never tried there."""
    visits = memory.visits[i, k, a]
    r = k * memory.visits.shape[2] + a
    total = memory.reward[i, k, a] + GAMMA * _onward(own, r, value) + WEIGHT * back
    return total / (visits + WEIGHT)


@njit(cache=True, nogil=True)
def _solve(memory, i, whose, own, value):
    """Q [O, A] of the observations, NaN where never tried; `value` [ids] becomes that of the ids."""
    tried, paid, counts = _pool(memory, i, whose)
    theirs = _lists(counts)
    n_observations, n_actions = tried.shape
    pooled = np.full((n_observations, n_actions), np.nan)
    for _ in range(_SWEEPS):
        moved = 0.0
        for o in range(n_observations):
            for a in range(n_actions):
                if tried[o, a] > 0.0:
                    ahead = _onward(theirs, o * n_actions + a, value)
                    pooled[o, a] = (paid[o, a] + GAMMA * ahead) / tried[o, a]
        for k in range(len(value)):
            best = -np.inf
            for a in range(n_actions):
                back = pooled[whose[k], a]
                if not np.isnan(back):
                    best = max(best, _worth(memory, i, own, k, a, back, value))
            if best > -np.inf:
                moved = max(moved, abs(best - value[k]))
                value[k] = best
        if moved <= _STILL * (value.max() - value.min()):
            break
    return pooled


@njit(cache=True, nogil=True)
def back_off(memory, i, whose, value, known):
    """Writes to `known` [ids, A] the advantage of run `i`, as the `known` of `planning.plan_runs`.

    `whose` [ids] says whose ids they are; `value` [ids] holds those of the plan before, and then of this one.
    """
    n_ids, n_actions = known.shape
    own = _lists(memory.onward[i].reshape(n_ids * n_actions, n_ids))
    pooled = _solve(memory, i, whose, own, value)
    unit, weight = 0.0, 0.0
    for k in range(n_ids):
        lowest = 0.0
        for a in range(n_actions):
            back = pooled[whose[k], a]
            known[k, a] = np.nan
            if not np.isnan(back):
                known[k, a] = _worth(memory, i, own, k, a, back, value) - value[k]
                lowest = min(lowest, known[k, a])
        here = memory.visits[i, k].sum()
        weight += here
        for a in range(n_actions):
            if np.isnan(known[k, a]):  # what was never tried is as bad as the worst
                known[k, a] = lowest
            unit -= here * known[k, a] / n_actions
    unit = unit / max(weight, 1.0) + 1e-9
    known[:] = np.maximum(known / unit, -2.0)
