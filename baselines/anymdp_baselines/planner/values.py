"""Models of a task, estimated from a memory, and their exact solution.

The models are small and dense. They are solved anew at every plan, by policy iteration with Gaussian
elimination.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_PASSES = 40  # of policy iteration at most; it needs about five
_LAPACK_FROM = 48  # states: below, elimination by hand is quicker than the call


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def solve_linear(matrix, value):
    """Solves matrix @ x = value in place; the matrix is diagonally dominant."""
    n = len(value)
    if n > _LAPACK_FROM:
        value[:] = np.linalg.solve(matrix, value)
        return
    for k in range(n):
        inverse = 1.0 / matrix[k, k]
        for j in range(k + 1, n):
            factor = matrix[j, k] * inverse
            if factor != 0.0:
                for c in range(k + 1, n):
                    matrix[j, c] -= factor * matrix[k, c]
                value[j] -= factor * value[k]
    for k in range(n - 1, -1, -1):
        total = value[k]
        for c in range(k + 1, n):
            total -= matrix[k, c] * value[c]
        value[k] = total / matrix[k, k]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def solve_optimal(model, reward, gamma, policy, value, q):
    """Iterates policies on model [m, A, m], reward [m, A]; improves `policy` [m], writes value [m], q."""
    m, n_actions = reward.shape
    matrix = np.empty((m, m))
    for _ in range(_PASSES):
        for s in range(m):
            for j in range(m):
                matrix[s, j] = -gamma * model[s, policy[s], j]
            matrix[s, s] += 1.0
            value[s] = reward[s, policy[s]]
        solve_linear(matrix, value)
        stable = True
        for s in range(m):
            best = policy[s]
            for a in range(n_actions):
                total = 0.0
                for j in range(m):
                    total += model[s, a, j] * value[j]
                q[s, a] = reward[s, a] + gamma * total
            for a in range(n_actions):
                if q[s, a] > q[s, best] + 1e-9 * (1.0 + abs(q[s, best])):
                    best = a
            if best != policy[s]:
                policy[s] = best
                stable = False
        if stable:
            break


@njit(cache=True, nogil=True)
def list_seen(memory, i):
    """Lists the states in which run `i` has acted.

    Returns:
        The place of each state in the list, int64 [O], -1 for others; and the list, int64 [m].
    """
    n_observations = memory.visits.shape[1]
    place = np.full(n_observations, -1)
    seen = np.empty(n_observations, np.int64)
    m = 0
    for o in range(n_observations):
        if memory.visits[i, o].sum() > 0.0:
            place[o], seen[m] = m, o
            m += 1
    return place, seen[:m]


@njit(cache=True, nogil=True)
def build_known_model(memory, i, seen, place, pseudo, onward):
    """Writes P(o'|o,a) to `onward` [O*A, O]; returns what is known of the m states visited.

    That is the transitions [m, A, m], the reward [m, A], the expected novelty of the next state [m,
    A], and the chance [m, A] of a successor never acted in. `seen` lists the states visited,
    `place` is its inverse, `pseudo` the visits that the average over actions counts for.
    """
    n_actions = memory.visits.shape[2]
    m = len(seen)
    model = np.zeros((m, n_actions, m))
    reward, novelty = np.zeros((m, n_actions)), np.zeros((m, n_actions))
    leak = np.zeros((m, n_actions))
    pooled = np.zeros(memory.onward.shape[3])
    for k in range(m):
        o = seen[k]
        pooled[:] = 0.0
        pooled_reward = pooled_visits = 0.0
        for a in range(n_actions):
            pooled_visits += memory.visits[i, o, a]
            pooled_reward += memory.reward[i, o, a]
            for j in range(len(pooled)):
                pooled[j] += memory.onward[i, o, a, j]
        share = pseudo / pooled_visits
        for a in range(n_actions):
            weight = 1.0 / (memory.visits[i, o, a] + pseudo)
            reward[k, a] = weight * (memory.reward[i, o, a] + share * pooled_reward)
            for j in range(len(pooled)):
                p = weight * (memory.onward[i, o, a, j] + share * pooled[j])
                onward[o * n_actions + a, j] = p
                if p == 0.0:
                    continue
                novelty[k, a] += p / math.sqrt(memory.arrival[i, j, 0] + 1.0)
                if place[j] >= 0:
                    model[k, a, place[j]] = p
                else:
                    leak[k, a] += p
    return model, reward, novelty, leak


@njit(cache=True, nogil=True)
def compute_choice_unit(memory, i, seen, value, q, least):
    """Returns what a choice is worth: mean over the visits of V(o) - mean_a Q(o, a), at least `least`."""
    unit = 0.0
    for k in range(len(seen)):
        visits = memory.visits[i, seen[k]].sum()
        unit += visits * (value[k] - q[k].mean())
    return max(unit / max(memory.total[i, 0], 1.0), least + 1e-9)


@njit(cache=True, nogil=True)
def compute_outcome_moments(memory, i, o, a, place, value, gamma, unseen):
    """Returns (mean, variance) of reward + gamma V(next) over the outcomes of (o, a), which was tried."""
    n = memory.visits[i, o, a]
    mean = square = memory.paid_end[i, o, a] / n
    if memory.ends[i, o, a] > 0.0:
        square *= memory.paid_end[i, o, a] / memory.ends[i, o, a]
    noise = memory.square[i, o, a] / n - square
    for j in range(memory.onward.shape[3]):
        count = memory.onward[i, o, a, j]
        if count == 0.0:
            continue
        paid = memory.paid[i, o, a, j] / count
        worth = paid + gamma * (value[place[j]] if place[j] >= 0 else unseen)
        mean += count / n * worth
        square += count / n * worth * worth
        noise -= count / n * paid * paid
    return mean, max(square - mean * mean, 0.0) + max(noise, 0.0)


@njit(cache=True, nogil=True)
def compute_uniform_gain(model, gain, gamma, value):
    """Returns the mean over the states of (1 - gamma) (V - V of the uniform policy)."""
    m, n_actions = gain.shape
    if m == 0:
        return 0.0
    matrix, uniform_value = np.zeros((m, m)), np.zeros(m)
    for s in range(m):
        for a in range(n_actions):
            uniform_value[s] += gain[s, a] / n_actions
            for j in range(m):
                matrix[s, j] -= gamma * model[s, a, j] / n_actions
        matrix[s, s] += 1.0
    solve_linear(matrix, uniform_value)
    return (1.0 - gamma) * (value - uniform_value).mean()
