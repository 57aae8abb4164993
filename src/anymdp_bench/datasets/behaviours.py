"""The behaviour policies of decoupled policy distillation (the OmniRL paper), compiled.

A behaviour is a row of numbers, which is redrawn now and then. It follows an oracle, a model-based
learner, a Q learner or a fixed random policy, mixed with noise. Each action is recorded with a tag that
says which of these chose it. Both learners learn from every transition, whoever acts.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.datasets.codes import TAG_MODEL, TAG_Q, TAG_RANDOM
from anymdp_bench.engine.rng import exponential, integer, normal, uniform

KINDS = 12
RANDOM, MODEL, Q_LEARNER, MIXED, NOISY, PURE = 0, 1, 2, 3, 7, 9  # first kinds of each sort
KIND, EPS, EPS_FALL, EPS_LEAST, ORACLE, SHARE, SHARE_RISE, SHARE_MOST, DISCOUNT, RATE = range(10)
_BONUS, _STEP, _SMOOTHING, _LEAST_SD = 0.005, 0.01, 0.01, 0.01


@njit(cache=True, nogil=True)
def _draw_between(rng, low, high):
    """Draws a number between `low` and `high`."""
    return low + (high - low) * uniform(rng, 0)


@njit(cache=True, nogil=True)
def draw_behaviour(rng, n_slots, shares, out):
    """Writes a behaviour of the mixture `shares` [12] to `out` [10].

    `n_slots` = S * A sets how fast schedules move.
    """
    left, kind = uniform(rng, 0), 0
    while kind < KINDS - 1 and left >= shares[kind]:
        left -= shares[kind]
        kind += 1
    out[:] = 0.0
    out[KIND] = kind
    out[ORACLE], out[DISCOUNT], out[RATE] = -1, 0.99, 1.0
    if kind == RANDOM:
        out[EPS] = out[EPS_LEAST] = 1.0
    elif kind in (MODEL, Q_LEARNER):
        if uniform(rng, 0) < 0.5:
            out[DISCOUNT] = _draw_between(rng, 0.90, 0.99)
        else:
            out[EPS] = _draw_between(rng, 0.1, 0.5)
            out[EPS_FALL] = _draw_between(rng, 0.0, 0.1 / n_slots)
            out[RATE] = exponential(rng, 0)
    elif kind < NOISY:
        out[ORACLE] = kind - MIXED
        out[EPS] = uniform(rng, 0)
        out[EPS_FALL] = _draw_between(rng, 0.0, 0.1 / n_slots)
        out[EPS_LEAST] = _draw_between(rng, -0.5, 0.5)
        out[SHARE] = _draw_between(rng, -2.0, -0.5)
        out[SHARE_RISE] = _draw_between(rng, 0.0, 0.1 / n_slots)
        out[SHARE_MOST] = _draw_between(rng, 0.0, 0.2)
    elif kind < PURE:
        out[ORACLE], out[SHARE], out[SHARE_MOST] = kind - NOISY + 2, 1.0, 1.0
        out[EPS], out[EPS_FALL] = 1.0, _draw_between(rng, 0.0, 1.0 / n_slots)
    else:
        out[ORACLE], out[SHARE], out[SHARE_MOST] = kind - PURE + 1, 1.0, 1.0


@njit(cache=True, nogil=True)
def draw_random_policy(rng, out):
    """Writes softmax(Normal * Exp(2)) policies, cumulative, to `out` [O, A]."""
    scale = 2.0 * exponential(rng, 0)
    for o in range(out.shape[0]):
        for a in range(out.shape[1]):
            out[o, a] = math.exp(normal(rng, 0) * scale)
        out[o] = np.cumsum(out[o]) / out[o].sum()


@njit(cache=True, nogil=True)
def choose(rng, behaviour, seen, answers, q_model, q_table, visits, sd, random_policy):
    """Returns (action, tag) in state `seen`, and moves the schedules of the behaviour on by a step.

    Args:
        rng: uint64 [1].
        behaviour: of `draw_behaviour`.
        seen: observed id.
        answers: the oracles' actions, int64 [4, O].
        q_model: the model-based learner's values [O, A].
        q_table: the Q learner's.
        visits: [O, A].
        sd: standard deviation of the rewards so far.
        random_policy: of `draw_random_policy`.
    """
    n_actions = q_model.shape[1]
    eps, share = behaviour[EPS], behaviour[SHARE]
    behaviour[EPS] = max(eps - behaviour[EPS_FALL], min(behaviour[EPS_LEAST], eps))
    behaviour[SHARE] = min(share + behaviour[SHARE_RISE], behaviour[SHARE_MOST])
    if behaviour[KIND] == RANDOM:
        u, a = uniform(rng, 0), 0
        while a < n_actions - 1 and u >= random_policy[seen, a]:
            a += 1
        return a, TAG_RANDOM
    if uniform(rng, 0) < eps:
        return integer(rng, 0, n_actions), TAG_RANDOM
    if behaviour[ORACLE] >= 0 and uniform(rng, 0) < share:
        oracle = int(behaviour[ORACLE])
        return answers[oracle, seen], oracle
    best, highest = 0, -math.inf
    table = q_table if behaviour[KIND] == Q_LEARNER else q_model
    width = behaviour[RATE] * _BONUS / (1.0 - behaviour[DISCOUNT]) * max(sd, _LEAST_SD)
    for a in range(n_actions):
        value = table[seen, a]
        if behaviour[KIND] != Q_LEARNER:
            value += width / math.sqrt(max(visits[seen, a], 1.0)) * uniform(rng, 0)
        if value > highest:
            best, highest = a, value
    return best, TAG_Q if behaviour[KIND] == Q_LEARNER else TAG_MODEL


@njit(cache=True, nogil=True)
def learn_q(behaviour, q_table, seen, action, reward, following, terminated):
    """Makes one step of Q-learning."""
    target = reward if terminated else reward + behaviour[DISCOUNT] * q_table[following].max()
    rate = behaviour[RATE] if behaviour[KIND] == Q_LEARNER else 1.0
    q_table[seen, action] += min(_STEP * rate, 1.0) * (target - q_table[seen, action])


@njit(cache=True, nogil=True)
def sweep_model(behaviour, q_model, onward, visits, reward):
    """Makes one sweep of value iteration on smoothed counts: onward [O, A, O], visits, reward sums [O, A]."""
    n_observations, n_actions = q_model.shape
    value = np.empty(n_observations)
    for o in range(n_observations):
        value[o] = q_model[o].max()
    for o in range(n_observations):
        for a in range(n_actions):
            total = visits[o, a] + _SMOOTHING * n_observations
            ahead = 0.0
            for j in range(n_observations):
                ahead += (onward[o, a, j] + _SMOOTHING) * value[j]
            q_model[o, a] = (reward[o, a] + behaviour[DISCOUNT] * ahead) / total
            value[o] = q_model[o].max()
