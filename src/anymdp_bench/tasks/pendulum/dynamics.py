"""The dynamics of the Discrete-Pendulum, which is Gymnasium's Pendulum-v1 with bins and five torques.

Let theta be the angle from upright (rad, never wrapped, as in Gymnasium), w its speed (rad/s) and u the
torque:

    reward  = -(wrap(theta)^2 + 0.1 w^2 + 0.001 u^2)
    w'      = clip(w + (3 g / 2 sin(theta) + 3 u) dt, -8, 8)
    theta'  = theta + w' dt,  dt = 0.05 s, mass and length 1

The motion is deterministic. Only the start is random: theta is uniform on [-pi, pi) and w is uniform on
[-1, 1). No state is terminal. A state is a float64 pair (theta, w). The observation is 5 * angle bin +
speed bin.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.no_refcount import no_refcount
from anymdp_bench.engine.rng import integer, uniform
from anymdp_bench.engine.step import DISABLED, NEXT_STEP, SAME_STEP

ANGLE_BINS, SPEED_BINS, N_ACTIONS, HORIZON = 12, 5, 5, 200
FIXED_START = (1.1457505478975563, -0.8923579623955546)
"""The start of `start="fixed"`, as (theta, w): Gymnasium's Pendulum-v1 after `reset(seed=123)`."""
MAX_SPEED, DT = 8.0, 0.05
_TURN = 2 * math.pi


@njit(inline="always")
def advance(theta, speed, action, gravity):
    """Steps the pendulum from (theta, speed), and returns (theta', speed', reward)."""
    torque = action - 2.0
    angle = (theta + math.pi) % _TURN - math.pi
    reward = -(angle * angle + 0.1 * speed * speed + 0.001 * torque * torque)
    speed = speed + (1.5 * gravity * math.sin(theta) + 3.0 * torque) * DT
    if speed > MAX_SPEED:
        speed = MAX_SPEED
    elif speed < -MAX_SPEED:
        speed = -MAX_SPEED
    return theta + speed * DT, speed, reward


@njit(inline="always")
def observe(theta, speed):
    """Returns the observation, 0..59, from 12 bins of the angle from upright and 5 bins of the speed."""
    angle = np.int64((theta % _TURN) * (ANGLE_BINS / _TURN))
    pace = np.int64((speed + MAX_SPEED) * (SPEED_BINS / (2 * MAX_SPEED)))
    angle -= np.int64(angle == ANGLE_BINS)  # the angle was rounded up to a whole turn
    pace -= np.int64(pace == SPEED_BINS)  # the speed is the largest
    return SPEED_BINS * angle + pace


@njit(inline="always")
def draw_start(rng, i):
    """Draws a start (theta, speed)."""
    theta = (2.0 * uniform(rng, i) - 1.0) * math.pi
    return theta, 2.0 * uniform(rng, i) - 1.0


@njit(inline="always")
def choose_start(start, rng):
    """Returns the start of an episode.

    Args:
        start: (theta, speed), float64 [2]; empty if starts are drawn, float64 [0].
        rng: the random streams, of which the first is drawn from in either case.
    """
    theta, speed = draw_start(rng, 0)
    if len(start) == 2:
        theta, speed = start[0], start[1]
    return theta, speed


@njit(cache=True, nogil=True)
def reset_pendulums(state, left, rng, mask, seen):
    """Starts an episode in every stream of `mask` (bool [n]); `step_pendulums` describes the arrays."""
    for i in range(len(left)):
        if mask[i]:
            state[i, 0], state[i, 1] = draw_start(rng, i)
            left[i] = HORIZON
            seen[i] = observe(state[i, 0], state[i, 1])


@njit(inline="always")
def step_pendulum(
    state, left, rng, gravity, actions, mode, seen, reward, truncated, fresh, last, i
):
    """Steps stream `i`, and returns whether it was reset; see `step_pendulums`."""
    if mode == NEXT_STEP and left[i] == 0:
        state[i, 0], state[i, 1] = draw_start(rng, i)
        left[i] = HORIZON
        reward[i] = 0.0
        fresh[i] = True
    else:
        state[i, 0], state[i, 1], reward[i] = advance(state[i, 0], state[i, 1], actions[i], gravity)
        left[i] -= 1
        fresh[i] = False
    seen[i] = observe(state[i, 0], state[i, 1])
    truncated[i] = left[i] == 0
    if mode == SAME_STEP and truncated[i]:
        last[i] = seen[i]
        state[i, 0], state[i, 1] = draw_start(rng, i)
        seen[i] = observe(state[i, 0], state[i, 1])
        left[i] = HORIZON
        fresh[i] = True
    return fresh[i]


@njit(cache=True, nogil=True)
def find_refused_pendulum(left, actions, mode):
    """Returns the index of the first stream that cannot take its action, or -1.

    A stream cannot take an action that is out of range. In DISABLED mode a finished stream takes none.
    """
    for i in range(len(left)):
        over = mode == DISABLED and left[i] == 0
        if actions[i] < 0 or actions[i] >= N_ACTIONS or over:
            return i
    return -1


@njit(cache=True, nogil=True)
def step_pendulums(state, left, rng, gravity, actions, mode, seen, reward, truncated, fresh, last):
    """Steps every stream. `find_refused_pendulum` must have checked the actions before.

    Args:
        state: the states (theta, speed), float64 [n, 2].
        left: the numbers of steps left, int64 [n].
        rng: the random streams, uint64 [n].
        gravity: g in m/s^2.
        actions: the actions, int64 [n].
        mode: what a finished stream does; see `engine.step`.
        seen: receives the observations, int64 [n].
        reward: receives the rewards, float64 [n].
        truncated: receives whether the episode ended, bool [n].
        fresh: receives whether the stream was reset automatically, bool [n].
        last: receives the last observation of an episode that ended in SAME_STEP mode, int64 [n].

    Returns:
        The number of streams that were reset.
    """
    # Counting the references to the arrays at every stream took nearly half of the time.
    state, left, rng = no_refcount(state), no_refcount(left), no_refcount(rng)
    actions, seen, reward = no_refcount(actions), no_refcount(seen), no_refcount(reward)
    truncated, fresh, last = no_refcount(truncated), no_refcount(fresh), no_refcount(last)
    resets = 0
    for i in range(len(left)):
        resets += step_pendulum(
            state, left, rng, gravity, actions, mode, seen, reward, truncated, fresh, last, i
        )
    return resets


@njit(cache=True, nogil=True)
def play_random_episodes(gravity, start, rng, n):
    """Plays `n` episodes of uniform actions from stream 0 of `rng`, and gives their returns, float64 [n].

    `choose_start` says what `start` is.
    """
    out = np.zeros(n)
    for k in range(n):
        theta, speed = choose_start(start, rng)
        for _ in range(HORIZON):
            theta, speed, reward = advance(theta, speed, integer(rng, 0, N_ACTIONS), gravity)
            out[k] += reward
    return out
