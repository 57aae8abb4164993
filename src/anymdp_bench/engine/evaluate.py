"""Exact finite-horizon evaluation of stationary policies, and long-run state distributions.

With h steps left, a policy pi has these quantities. Each of them is 0 for h = 0, and 0 on terminal states.

    V_h(s) = sum_a pi(a|s) sum_s' P (R + V_{h-1}(s'))                        expected return
    D_h(s) = sum_a pi(a|s) sum_s' P ((R + V_{h-1}(s') - V_h(s))^2 + N^2 + D_{h-1}(s'))   its variance
    A_h(s,a) = sum_s' P (R + V_{h-1}(s')) - V_h(s)                           advantage over the policy

The formula of D is the law of total variance. Unlike a second moment, it loses no digits to cancellation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.solve import dot, mean_reward


@njit(cache=True, nogil=True)
def _backup(bands, reward, terminal, value, q):
    """Writes q[s,a] = r[s,a] + sum P v on live states, and leaves q unchanged on terminal states."""
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
    """Computes the expected undiscounted return of an episode from each state.

    Args:
        bands: the task's `Bands`.
        terminal: which states are terminal, bool [S].
        policy: action probabilities, float64 [S, A].
        horizon: the number of steps H.

    Returns:
        V_H(s), float64 [S].
    """
    n_states, n_actions = policy.shape
    value, new = np.zeros(n_states), np.zeros(n_states)
    # The actions are summed once: sum_a pi(a|s) P(.|s,a) is one row for each state. A step then costs one
    # product for each state instead of A products.
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


@njit(cache=True, nogil=True)
def optimal_values(bands, terminal, n_actions, horizon):
    """Computes the highest expected return of an episode from each state, by backward induction.

    The policy may depend on the steps that are left.

    Args:
        bands: the task's `Bands`.
        terminal: which states are terminal, bool [S].
        n_actions: A.
        horizon: the number of steps H.

    Returns:
        max over time-dependent policies of V_H(s), float64 [S].
    """
    n_states = len(terminal)
    reward = mean_reward(bands, n_actions)
    value, q = np.zeros(n_states), np.zeros((n_states, n_actions))
    for _ in range(horizon):
        _backup(bands, reward, terminal, value, q)
        for s in range(n_states):
            value[s] = q[s].max()
    return value


@njit(inline="always")
def _mean_square(prob, reward, base, value, variance, low, width, mean):
    """Sums P ((R + V(s') - mean)^2 + D(s')) over the s' of one row, in two interleaved partial sums."""
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
    """Computes the mean and the variance of an episode's return from each state.

    Actions of probability 0 are skipped, so a deterministic policy needs one row for each state and step.

    Args:
        bands: the task's `Bands`.
        terminal: which states are terminal, bool [S].
        policy: action probabilities, float64 [S, A].
        horizon: the number of steps H.

    Returns:
        (V_H, D_H), each float64 [S].
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
    """Computes the advantages of all actions over a deterministic policy, by the number of steps left.

    Args:
        bands: the task's `Bands`.
        terminal: which states are terminal, bool [S].
        policy: the action in each state, int64 [S].
        n_actions: the number of actions A.
        horizon: the number of steps H.

    Returns:
        (advantages float64 [H+1, S, A], V_H float64 [S]). The entries of h = 0 are 0. The advantage of the
        policy's own action is exactly 0, because its value and its action value are the same number.
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
    """Computes start @ matrix^steps, float64 [S], for a stochastic matrix [S, S].

    It stops early when the remaining steps cannot move the distribution by more than `tolerance` in the
    1-norm. This is safe because a stochastic matrix never lengthens the difference of successive
    distributions.
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
    """Makes every terminal state of `matrix` [S, S] lead back to the start distribution, in place."""
    for s in range(len(terminal)):
        if terminal[s]:
            matrix[s, :] = start
