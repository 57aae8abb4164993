"""Exact finite-horizon evaluation of stationary policies, and long-run state distributions.

With h steps left, and X_0 = 0 on every state and X_h = 0 on terminal ones,

    V_h(s) = sum_a pi(a|s) sum_s' P (R + V_{h-1}(s'))                        expected return
    D_h(s) = sum_a pi(a|s) sum_s' P ((R + V_{h-1}(s') - V_h(s))^2 + N^2 + D_{h-1}(s'))   its variance
    A_h(s,a) = sum_s' P (R + V_{h-1}(s')) - V_h(s)                           advantage over the policy

D is the law of total variance, which, unlike a second moment, loses no digits to cancellation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.solve import dot, mean_reward


@njit(cache=True, nogil=True)
def _backup(bands, reward, terminal, value, q):
    """q[s,a] = r[s,a] + sum P v on live states (0 on terminal ones)."""
    n_states, n_actions = reward.shape
    for s in range(n_states):
        if terminal[s]:
            continue
        width = bands.width[s]
        for a in range(n_actions):
            base = bands.offset[s] + a * width
            q[s, a] = reward[s, a] + dot(bands.prob, base, value, bands.low[s], width)


@njit(cache=True, nogil=True)
def episode_values(bands, terminal, policy, horizon):
    """V_H(s), float64 [S]: the expected undiscounted return of `horizon` steps under policy [S, A]."""
    n_states, n_actions = policy.shape
    value, new = np.zeros(n_states), np.zeros(n_states)
    # One row a state, sum_a pi(a|s) P(.|s,a), so that a step costs one product, not A of them.
    mixed = np.zeros(np.sum(bands.width))
    begin = np.zeros(n_states, np.int64)
    mean = np.zeros(n_states)
    reward = mean_reward(bands, n_actions)
    total = 0
    for s in range(n_states):
        begin[s] = total
        width = bands.width[s]
        for a in range(n_actions):
            weight = policy[s, a]
            if weight != 0.0 and not terminal[s]:
                mean[s] += weight * reward[s, a]
                base = bands.offset[s] + a * width
                for j in range(width):
                    mixed[total + j] += weight * bands.prob[base + j]
        total += width
    for _ in range(horizon):
        for s in range(n_states):
            new[s] = mean[s] + dot(mixed, begin[s], value, bands.low[s], bands.width[s])
        value, new = new, value
    return value


@njit(inline="always")
def _mean_square(prob, reward, base, value, variance, low, width, mean):
    """Sum over s' of P ((R + V(s') - mean)^2 + D(s')) of one row, in two interleaved partial sums."""
    s0 = s1 = 0.0
    k = 0
    while k + 2 <= width:
        off0 = reward[base + k] + value[low + k] - mean
        off1 = reward[base + k + 1] + value[low + k + 1] - mean
        s0 += prob[base + k] * (off0 * off0 + variance[low + k])
        s1 += prob[base + k + 1] * (off1 * off1 + variance[low + k + 1])
        k += 2
    if k < width:
        off0 = reward[base + k] + value[low + k] - mean
        s0 += prob[base + k] * (off0 * off0 + variance[low + k])
    return s0 + s1


@njit(cache=True, nogil=True)
def episode_moments(bands, terminal, policy, horizon):
    """(V_H, D_H), each float64 [S]: mean and variance of an episode's return under policy [S, A].

    What the policy never does costs nothing: an oracle's costs a row a state and step.
    """
    n_states, n_actions = policy.shape
    reward = mean_reward(bands, n_actions)
    value, variance = np.zeros(n_states), np.zeros(n_states)
    new_value, new_variance = np.zeros(n_states), np.zeros(n_states)
    noise = np.zeros((n_states, n_actions))  # sum over s' of P N^2, the same at every step
    for s in range(n_states):
        for a in range(n_actions):
            base = bands.offset[s] + a * bands.width[s]
            for j in range(bands.width[s]):
                noise[s, a] += bands.prob[base + j] * bands.noise[base + j] ** 2
    for _ in range(horizon):
        for s in range(n_states):
            if terminal[s]:
                continue
            low, width = bands.low[s], bands.width[s]
            mean = 0.0
            for a in range(n_actions):
                if policy[s, a] != 0.0:
                    base = bands.offset[s] + a * width
                    q = reward[s, a] + dot(bands.prob, base, value, low, width)
                    mean += policy[s, a] * q
            spread = 0.0
            for a in range(n_actions):
                if policy[s, a] != 0.0:
                    base = bands.offset[s] + a * width
                    part = _mean_square(
                        bands.prob, bands.reward, base, value, variance, low, width, mean
                    )
                    spread += policy[s, a] * (noise[s, a] + part)
            new_value[s], new_variance[s] = mean, spread
        value, new_value = new_value, value
        variance, new_variance = new_variance, variance
    return value, variance


@njit(cache=True, nogil=True)
def advantages(bands, terminal, policy, n_actions, horizon):
    """(A [H+1, S, A], V_H [S]) under a deterministic policy, int64 [S]; A[0] = 0.

    A[h, s, policy[s]] is exactly 0: value and action value are the same number there.
    """
    n_states = len(policy)
    reward = mean_reward(bands, n_actions)
    out = np.zeros((horizon + 1, n_states, n_actions))
    value = np.zeros(n_states)
    for h in range(1, horizon + 1):
        q = out[h]
        _backup(bands, reward, terminal, value, q)
        for s in range(n_states):
            value[s] = q[s, policy[s]]
        for s in range(n_states):
            for a in range(n_actions):
                q[s, a] -= value[s]
    return out, value


@njit(cache=True, nogil=True)
def propagate(matrix, start, steps, tolerance):
    """start @ matrix^steps, float64 [S], for a stochastic matrix [S, S].

    Stops early once the steps left cannot move it by more than `tolerance` in the 1-norm: a stochastic
    matrix never lengthens the difference of successive distributions.
    """
    n_states = len(start)
    now, new = start.copy(), np.zeros(n_states)
    first, last = np.zeros(n_states, np.int64), np.zeros(n_states, np.int64)
    for s in range(n_states):
        columns = np.flatnonzero(matrix[s])
        if len(columns) > 0:
            first[s], last[s] = columns[0], columns[-1] + 1
    for t in range(steps):
        new[:] = 0.0
        for s in range(n_states):
            weight = now[s]
            if weight != 0.0:
                for j in range(first[s], last[s]):
                    new[j] += weight * matrix[s, j]
        moved = 0.0
        for s in range(n_states):
            moved += abs(new[s] - now[s])
        now, new = new, now
        if moved * (steps - 1 - t) <= tolerance:
            break
    return now


@njit(cache=True, nogil=True)
def restart_terminals(matrix, terminal, start):
    """Lets every terminal state lead back to the start distribution, in place."""
    for s in range(len(terminal)):
        if terminal[s]:
            matrix[s, :] = start
