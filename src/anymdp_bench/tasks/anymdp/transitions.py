"""The start states, terminal states and banded transitions of AnyMDP (arXiv 2502.02869).

States are ranked from 0, the worst, to S-1, the best. A state reaches only a band of ranks around its own
rank. The band extends further back than forward. So a random policy meets the best states exponentially
rarely.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands
from anymdp_bench.engine.rng import exponential, integer, normal, uniform

N_START = 3  # start states lie among the three lowest ranks
_UNDERFLOW = 700.0  # exp(-700) is 1e-304, and smaller affinities do not matter


@njit(cache=True, nogil=True)
def sample_start(rng, n_states):
    """Draws the start distribution, float64 [S]: max(Normal, 0) on the first three ranks, normalised."""
    out = np.zeros(n_states)
    while True:
        total = 0.0
        for s in range(N_START):
            out[s] = max(normal(rng, 0), 0.0)
            total += out[s]
        if total > 0.0:
            break
    for s in range(N_START):
        out[s] /= total
    return out


@njit(cache=True, nogil=True)
def sample_terminals(rng, start):
    """Draws (terminal bool [S], whether the last state is a goal).

    Each state is a pitfall with probability p = max(U(-0.20, 0.40), 0). The pitfalls are drawn again while
    there are p S + 1 of them or more. Start states are never terminal. The last state is a goal with
    probability 0.3.
    """
    n_states = len(start)
    p = max(-0.20 + 0.60 * uniform(rng, 0), 0.0)
    out = np.zeros(n_states, np.bool_)
    while True:
        count = 0
        for s in range(n_states):
            out[s] = uniform(rng, 0) < p
            count += out[s]
        if count < p * n_states + 1:
            break
    for s in range(N_START):
        if start[s] > 0.0:
            out[s] = False
    goal = uniform(rng, 0) < 0.3
    out[n_states - 1] = goal
    return out, goal


@njit(cache=True, nogil=True)
def sample_band(rng, s, terminal):
    """Draws the band of a live state: (first rank, rank after the last).

    The band is widened upward until it holds two live states above s, or ends at the last rank.
    """
    n_states = len(terminal)
    lowest = max(0, s - max(2, n_states // 2 + 1))
    top = min(n_states, s + max(2, n_states // 4 + 1))
    begin = lowest + integer(rng, 0, max(0, s - 1, lowest + 1) - lowest)
    least = min(n_states - 1, s + 1, top - 1)
    end = least + integer(rng, 0, top - least)
    above = 0
    for j in range(s + 1, end):
        above += not terminal[j]
    while end < n_states and above < 2:
        above += end > s and not terminal[end]
        end += 1
    return begin, end


@njit(cache=True, nogil=True)
def _fill_rows(rng, s, n_states, begin, end, n_actions, prob, offset):
    """Writes P(.|s,a) of every action over the band begin..end-1, from `offset` on."""
    size = end - begin
    weight = np.empty(size)
    total = 0.0
    for j in range(size):
        weight[j] = min(max(normal(rng, 0), 0.10), 1.0)  # at least 0.10, so never all zero
        if begin + j == s:
            weight[j] *= 0.0 if s == n_states - 1 else 0.5
        total += weight[j]
    for j in range(size):
        weight[j] /= total
    centre = np.empty(n_actions)
    for a in range(n_actions):
        centre[a] = begin - 1 + (size + 1) * uniform(rng, 0)
    sigma = min(max(exponential(rng, 0), 0.20), 1.6)
    affinity = np.empty(n_actions)
    for j in range(size):
        nearest, total = 0, 0.0
        for a in range(n_actions):
            distance = abs(centre[a] - (begin + j))
            if distance < abs(centre[nearest] - (begin + j)):
                nearest = a
            exponent = (distance / sigma) ** 2
            affinity[a] = math.exp(-exponent) if exponent < _UNDERFLOW else 0.0
            total += affinity[a]
        if total < 1e-10:
            total += 1.0 - affinity[nearest]
            affinity[nearest] = 1.0
        for a in range(n_actions):
            prob[offset + a * size + j] = affinity[a] / total * weight[j]
    for a in range(n_actions):
        base = offset + a * size
        total = 0.0
        for j in range(size):
            total += prob[base + j]
        for j in range(size):
            prob[base + j] /= total


@njit(cache=True, nogil=True)
def sample_transitions(rng, terminal, n_actions):
    """Draws bands with transition probabilities. Their rewards and noise are still 0."""
    n_states = len(terminal)
    low = np.zeros(n_states, np.int64)
    width = np.zeros(n_states, np.int64)
    offset = np.zeros(n_states, np.int64)
    total = 0
    for s in range(n_states):
        offset[s] = total
        if not terminal[s]:
            low[s], end = sample_band(rng, s, terminal)
            width[s] = end - low[s]
            total += n_actions * width[s]
    prob = np.zeros(total)
    for s in range(n_states):
        if not terminal[s]:
            _fill_rows(rng, s, n_states, low[s], low[s] + width[s], n_actions, prob, offset[s])
    return Bands(low, width, offset, prob, np.zeros(total), np.zeros(total))
