"""The composite reward of AnyMDP (arXiv 2502.02869).

The reward is R(s,a,s') = r_s(s') + r_sa(s,a) + v(s) - v(s') + r_step + t(s'). It is a part of (s, a) plus a
part of s', and so is the standard deviation of its noise. Each function returns some of the parts.
`compose` writes the sum into the bands. Exp(m) is an exponential number with mean m, U a uniform one, and
Normal is standard.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import exponential, integer, normal, uniform
from anymdp_bench.engine.solve import dot, policy_iteration

REPAIR_GAMMA = 0.99  # the discount at which the terminal term is checked
_CHECKS = 5  # a task whose terminal term fails so many checks is rejected


@njit(cache=True, nogil=True)
def sample_potential(rng, n_states):
    """Draws the potential v, float64 [S].

    With probability 1/2 it is 0. Otherwise it is a short random Fourier sum over x = s / (2S).
    """
    scale = 0.0
    if uniform(rng, 0) >= 0.5:
        base = min(max(exponential(rng, 0), 0.20), 5.0)
        scale = max(base * (2.0 * uniform(rng, 0) - 1.0), 0.0)
    items = 1 + integer(rng, 0, 3)
    spread = scale / math.sqrt(items)
    out = np.full(n_states, normal(rng, 0) * exponential(rng, 0) * spread)
    for _ in range(items):
        order = 1 + integer(rng, 0, 5) + normal(rng, 0)
        sine = normal(rng, 0) * exponential(rng, 0) * spread
        cosine = normal(rng, 0) * exponential(rng, 0) * spread
        for s in range(n_states):
            x = s / (2.0 * n_states)
            out[s] += sine * math.sin(order * x) + cosine * math.cos(order * x)
    return out


@njit(cache=True, nogil=True)
def sample_position(rng, terminal):
    """Draws (r_s, the sd of its noise), float64 [S] each.

    The reward r_s ascends with the rank. Both are 0 on terminal states.
    """
    n_states = len(terminal)
    base = 0.2 * exponential(rng, 0)
    mean, noise = np.empty(n_states), np.empty(n_states)
    total = 0.0
    for s in range(n_states):
        rise = max(normal(rng, 0), 0.0)
        if s == n_states - 1:
            rise += 0.20
        total += rise * base
        mean[s] = total
    baseline = (0.1 + 0.8 * uniform(rng, 0)) * total
    for s in range(n_states):
        noise[s] = max(-0.3 + 0.6 * uniform(rng, 0), 0.0) * base
        mean[s] -= baseline
        if terminal[s]:
            mean[s] = noise[s] = 0.0
    return mean, noise


@njit(cache=True, nogil=True)
def sample_cost(rng, n_states, n_actions):
    """Draws (r_sa, the sd of its noise), float64 [S, A] each, on a random 30% of the state-action pairs."""
    mean, noise = np.zeros((n_states, n_actions)), np.zeros((n_states, n_actions))
    base = min(0.05 * exponential(rng, 0), 0.10)
    for s in range(n_states):
        for a in range(n_actions):
            if uniform(rng, 0) < 0.3:
                mean[s, a] = base * normal(rng, 0)
                noise[s, a] = 0.3 * base * max(normal(rng, 0), 0.0)
    return mean, noise


@njit(cache=True, nogil=True)
def sample_step_reward(rng, terminal, goal):
    """Draws r_step.

    It is a cost of time in tasks with a goal, a reward for survival in tasks with pitfalls only, and else 0.
    """
    if goal:
        return 0.01 * min(normal(rng, 0), 0.0)
    if terminal.any():
        return 0.01 * max(normal(rng, 0), 0.0)
    return 0.0


@njit(cache=True, nogil=True)
def mean_rewards(bands, by_pair, by_next):
    """Computes r[s,a] = by_pair[s,a] + sum over s' of P(s'|s,a) by_next[s'], float64 [S, A]."""
    n_states, n_actions = by_pair.shape
    out = np.empty((n_states, n_actions))
    for s in range(n_states):
        for a in range(n_actions):
            base = bands.offset[s] + a * bands.width[s]
            out[s, a] = by_pair[s, a] + dot(bands.prob, base, by_next, bands.low[s], bands.width[s])
    return out


@njit(cache=True, nogil=True)
def sample_terminal_term(rng, bands, by_pair, by_next, start, terminal, goal, policy):
    """Draws the terminal term t, which puts pitfalls below all other values and the last rank above them.

    The term is checked with the optimal values at discount `REPAIR_GAMMA`, and repaired, at most five
    times. `policy` (int64 [S]) is where the solver starts. It is left at the last optimum.

    Returns:
        (t float64 [S], whether a check succeeded).
    """
    n_states = len(start)
    term = np.zeros(n_states)
    term[n_states - 1] = 1.0
    last = n_states - 2 if goal else n_states - 1
    for _ in range(_CHECKS):
        reward = mean_rewards(bands, by_pair, by_next + term)
        _, value = policy_iteration(bands, reward, terminal, REPAIR_GAMMA, policy)
        lowest, highest_start = np.inf, -np.inf
        for s in range(n_states):
            if not terminal[s]:
                lowest = min(lowest, value[s])
            if start[s] > 0.0:
                highest_start = max(highest_start, value[s])
        pit_excess = term.min() - lowest + 1.0
        goal_lack = highest_start - value[last] + 2.0 + 3.0 * uniform(rng, 0)
        if pit_excess <= 0.0 and goal_lack <= 0.0:
            return term, True
        if pit_excess > 0.0:
            drop = pit_excess + 1.0 + 9.0 * uniform(rng, 0)
            for s in range(n_states - 1):
                if terminal[s]:
                    term[s] -= drop
        if goal_lack > 0.0:
            rise = max(2.0 * goal_lack, 1.0 + 9.0 * uniform(rng, 0))
            term[n_states - 1] += rise if goal else (1.0 - REPAIR_GAMMA) * rise
    return term, False


@njit(cache=True, nogil=True)
def compose(bands, by_pair, by_next, noise_pair, noise_next):
    """Writes R = by_pair + by_next and N = noise_pair + noise_next into the bands."""
    n_states, n_actions = by_pair.shape
    for s in range(n_states):
        low, width = bands.low[s], bands.width[s]
        for a in range(n_actions):
            base = bands.offset[s] + a * width
            for j in range(width):
                bands.reward[base + j] = by_pair[s, a] + by_next[low + j]
                bands.noise[base + j] = noise_pair[s, a] + noise_next[low + j]
