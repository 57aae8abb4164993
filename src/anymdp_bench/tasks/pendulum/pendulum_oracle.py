"""The oracle of the pendulum: value iteration on a fine grid of the true, continuous state.

The grid has n angles over a whole turn and m speeds over [-8, 8]. Between the nodes the values are
interpolated bilinearly. From the true state the oracle looks one step ahead into these values, and plays
the best action. So its choice is finer than the grid.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.tasks.pendulum.dynamics import HORIZON, MAX_SPEED, N_ACTIONS, advance, draw_start

_TURN = 2 * math.pi


@njit(inline="always")
def interpolate(value, theta, speed):
    """Interpolates the value of a state from the grid, float32 or float64 [n, m]."""
    n, m = value.shape
    x = (theta % _TURN) * (n / _TURN)
    i = np.int64(x)
    u = x - i
    if i >= n:  # theta % turn can be rounded up to the turn itself
        i, u = np.int64(0), 0.0
    k = i + 1 if i + 1 < n else 0
    y = (speed + MAX_SPEED) * ((m - 1) / (2 * MAX_SPEED))
    j = min(np.int64(y), m - 2)
    v = y - j
    low = (1.0 - u) * value[i, j] + u * value[k, j]
    high = (1.0 - u) * value[i, j + 1] + u * value[k, j + 1]
    return (1.0 - v) * low + v * high


@njit(inline="always")
def best_action(value, gamma, theta, speed, gravity):
    """Returns (the best action one step ahead, its value). Of several best actions it is the first."""
    best, highest = 0, -math.inf
    for a in range(N_ACTIONS):
        angle, pace, reward = advance(theta, speed, a, gravity)
        q = reward + gamma * interpolate(value, angle, pace)
        if q > highest:
            best, highest = a, q
    return best, highest


@njit(cache=True, nogil=True)
def value_iteration(gravity, gamma, n_angles, n_speeds, tolerance):
    """Sweeps over the grid until no value changes by more than `tolerance`.

    Returns:
        (values float64 [n_angles, n_speeds], the number of sweeps).
    """
    value, new = np.zeros((n_angles, n_speeds)), np.zeros((n_angles, n_speeds))
    sweeps = 0
    while True:
        moved = 0.0
        for i in range(n_angles):
            for j in range(n_speeds):
                speed = -MAX_SPEED + 2 * MAX_SPEED * j / (n_speeds - 1)
                _, new[i, j] = best_action(value, gamma, _TURN * i / n_angles, speed, gravity)
                moved = max(moved, abs(new[i, j] - value[i, j]))
        value, new = new, value
        sweeps += 1
        if moved <= tolerance:
            return value, sweeps


@njit(cache=True, nogil=True)
def oracle_actions(value, gamma, gravity, state):
    """Returns the oracle's action in each state (float64 [n, 2]), int64 [n]."""
    out = np.empty(len(state), np.int64)
    for i in range(len(state)):
        out[i], _ = best_action(value, gamma, state[i, 0], state[i, 1], gravity)
    return out


@njit(cache=True, nogil=True)
def oracle_return(value, gamma, gravity, theta, speed):
    """Returns the exact return of the oracle's episode from a start. Nothing in the episode is random."""
    total = 0.0
    for _ in range(HORIZON):
        action, _ = best_action(value, gamma, theta, speed, gravity)
        theta, speed, reward = advance(theta, speed, action, gravity)
        total += reward
    return total


@njit(cache=True, nogil=True)
def oracle_returns(value, gamma, gravity, state):
    """Returns `oracle_return` from each state (float64 [n, 2]), float64 [n]."""
    out = np.empty(len(state))
    for i in range(len(state)):
        out[i] = oracle_return(value, gamma, gravity, state[i, 0], state[i, 1])
    return out


@njit(cache=True, nogil=True)
def draw_starts(rng, n):
    """Draws `n` starts from stream 0 of `rng`, float64 [n, 2]."""
    out = np.empty((n, 2))
    for i in range(n):
        out[i, 0], out[i, 1] = draw_start(rng, 0)
    return out
