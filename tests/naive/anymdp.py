"""A plain twin of the AnyMDP sampler, in NumPy on dense arrays.

Each function is one step of the method of arXiv 2502.02869. The twin imports nothing from `anymdp_bench`,
and its random numbers come from NumPy. So only its distributions can agree with those of the compiled
sampler, and they must.
"""

from typing import NamedTuple

import numpy as np

from naive.dense import policy_iteration, policy_values, restarted_chain


class Task(NamedTuple):
    P: np.ndarray
    R: np.ndarray
    N: np.ndarray
    start: np.ndarray
    terminal: np.ndarray
    horizon: float
    observation: np.ndarray
    attempts: int


def horizon(rng, S):
    lo = max(4 * S, 100)
    hi = max(min(8 * S, 500), lo + 1)
    return rng.uniform(lo, hi)


def start_weights(rng, S):
    while True:
        weights = np.maximum(rng.standard_normal(3), 0)
        if weights.sum() > 0:
            return np.concatenate([weights / weights.sum(), np.zeros(S - 3)])


def terminals(rng, start):
    S = len(start)
    p = max(rng.uniform(-0.20, 0.40), 0)
    while True:
        flags = rng.random(S) < p
        if flags.sum() < p * S + 1:
            break
    flags[start > 0] = False
    flags[-1] = rng.random() < 0.3
    return flags


def band(rng, s, terminal):
    """(from, to), the second exclusive."""
    S = len(terminal)
    forward, backward = max(2, S // 4 + 1), max(2, S // 2 + 1)
    lowest, top = max(0, s - backward), min(S, s + forward)
    begin = rng.integers(lowest, max(0, s - 1, lowest + 1))
    end = rng.integers(min(S - 1, s + 1, top - 1), top)
    while end < S and np.sum(~terminal[s + 1 : end]) <= 1:
        end += 1
    return begin, end


def band_weights(rng, s, S, begin, end):
    inside = np.arange(begin, end)
    weights = np.clip(rng.standard_normal(len(inside)), 0.10, 1.0)
    weights[inside == s] *= 0.0 if s == S - 1 else 0.5
    assert (weights > 0).sum() >= 2  # the clip makes a redraw impossible
    return weights / weights.sum()


def action_rows(rng, begin, end, weights, A):
    """P(j|s,a) on the band, [A, to - from]."""
    inside = np.arange(begin, end)
    centre = rng.uniform(begin - 1, end, size=A)
    sigma = np.clip(rng.exponential(), 0.20, 1.6)
    distance = abs(centre[:, None] - inside)
    affinity = np.exp(-((distance / sigma) ** 2))
    forgotten = affinity.sum(0) < 1e-10
    affinity[distance.argmin(0)[forgotten], np.flatnonzero(forgotten)] = 1.0
    rows = affinity / affinity.sum(0) * weights
    return rows / rows.sum(1, keepdims=True)


def transitions(rng, terminal, A):
    S = len(terminal)
    P = np.zeros((S, A, S))
    bands = {}
    for s in np.flatnonzero(~terminal):
        begin, end = bands[s] = band(rng, s, terminal)
        weights = band_weights(rng, s, S, begin, end)
        P[s, :, begin:end] = action_rows(rng, begin, end, weights, A)
    return P, bands


def potential(rng, S):
    scale = 0.0
    if rng.random() < 0.5:
        base = np.clip(rng.exponential(1), 0.20, 5)
        scale = max(rng.uniform(-base, base), 0)
    n = rng.integers(1, 4)

    def coefficient():
        return rng.standard_normal() * rng.exponential(scale / np.sqrt(n))

    x = np.arange(S) / (2 * S)
    v = np.full(S, coefficient())
    for _ in range(n):
        order = rng.integers(1, 6) + rng.standard_normal()
        v += coefficient() * np.sin(order * x) + coefficient() * np.cos(order * x)
    return v


def position(rng, terminal):
    """(r_s, its noise sd), both [S]."""
    S = len(terminal)
    base = rng.exponential(0.2)
    rise = np.maximum(rng.standard_normal(S), 0)
    rise[-1] += 0.20
    total = np.cumsum(rise * base)
    r = total - rng.uniform(0.1, 0.9) * total[-1]
    noise = np.maximum(rng.uniform(-0.3, 0.3, S), 0) * base
    return np.where(terminal, 0, r), np.where(terminal, 0, noise)


def cost(rng, S, A):
    """(r_sa, its noise sd), both [S, A]."""
    base = np.clip(rng.exponential(0.05), 0, 0.10)
    paid = rng.random((S, A)) < 0.3
    r = base * rng.standard_normal((S, A))
    noise = 0.3 * base * np.maximum(rng.standard_normal((S, A)), 0)
    return r * paid, noise * paid


def step_reward(rng, terminal):
    if terminal[-1]:
        return 0.01 * min(rng.standard_normal(), 0)
    return 0.01 * max(rng.standard_normal(), 0) if terminal.any() else 0.0


def repaired_term(rng, P, R, start, terminal):
    """t [S], which puts pitfalls below and the last rank above all else, or None after five checks."""
    goal = terminal[-1]
    pitfalls = terminal.copy()
    pitfalls[-1] = False
    t = np.zeros(len(P))
    t[-1] = 1.0
    for _ in range(5):
        _, V, _ = policy_iteration(P, R + t, terminal, 0.99)
        excess = t.min() - V[~terminal].min() + 1
        lack = V[start > 0].max() - V[-2 if goal else -1] + rng.uniform(2, 5)
        if excess <= 0 and lack <= 0:
            return t
        if excess > 0:
            t[pitfalls] -= excess + rng.uniform(1, 10)
        if lack > 0:
            t[-1] += max(2 * lack, rng.uniform(1, 10)) * (1 if goal else 1 - 0.99)
    return None


def learning_gains(P, R, start, terminal, H):
    """(max_a Q* - max_a Q_uniform)(1 - gamma) H from each start state, gamma = 2^(-1/S)."""
    S, A, _ = P.shape
    gamma = 2 ** (-1 / S)
    best, _, _ = policy_iteration(P, R, terminal, gamma)
    blind, _ = policy_values(P, R, terminal, np.full((S, A), 1 / A), gamma)
    return ((best.max(1) - blind.max(1)) * (1 - gamma) * H)[start > 0]


def visited_spread(P, R, start, terminal, H):
    """(Gini impurity, entropy / ln S) of where the optimal policy ends up, from each start state."""
    S, A, _ = P.shape
    _, _, policy = policy_iteration(P, R, terminal, 2 ** (-1 / S))
    chain = restarted_chain(P, terminal, start, np.eye(A)[policy])
    for _ in range(int(np.floor(np.log2(H))) + 1):
        chain = chain @ chain
    reached = chain[start > 0]
    entropy = -np.sum(reached * np.log(np.where(reached > 0, reached, 1)), axis=1)
    return 1 - (reached**2).sum(1), entropy / np.log(S)


def attempt(rng, S, A, H):
    """(P, R, N, start, terminal), or None if the task is rejected."""
    start = start_weights(rng, S)
    terminal = terminals(rng, start)
    P, _ = transitions(rng, terminal, A)
    v = potential(rng, S)
    r_s, noise_s = position(rng, terminal)
    r_sa, noise_sa = cost(rng, S, A)
    R = r_s + r_sa[:, :, None] + v[:, None, None] - v + step_reward(rng, terminal)
    t = repaired_term(rng, P, R, start, terminal)
    if t is None:
        return None
    R = R + t
    if learning_gains(P, R, start, terminal, H).min() < 2:
        return None
    gini, entropy = visited_spread(P, R, start, terminal, H)
    if gini.min() <= 0.70 or entropy.min() <= 0.35:
        return None
    return P, R, noise_sa[:, :, None] + noise_s, start, terminal


def sample(rng, S, A):
    """One accepted task."""
    H = horizon(rng, S)
    observation = rng.permutation(S)
    attempts = 0
    while True:
        attempts += 1
        task = attempt(rng, S, A, H)
        if task is not None:
            return Task(*task, H, observation, attempts)


def bandit(rng, A):
    """(arm means [A], noise sd [A]) of the one-state task."""
    base = np.clip(rng.exponential(1), 0.05, 2)
    relative = max(rng.uniform(-0.3, 0.3), 0)
    while True:
        means = rng.uniform(base / 2, base, A)
        if means.std() > 0.01:
            return means, relative * means
