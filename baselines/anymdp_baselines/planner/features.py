"""The reading of a memory: what the planner looks at, a pure function of the memory.

Its value features are the exact optimal values (policy iteration) of a few models of the task, one
a row of `MODELS`. All share the transitions, and differ in the reward:

    P(.|o,a) = (count(o,a,.) + pooled(.|o)) / (n(o,a) + 1), likewise r(o,a)    unseen actions are average
    reward     r(o,a) + bonus * unit / sqrt(n(o,a) + 1)                    what is known, and with optimism
    novelty    1 / sqrt(n(o,a) + 1), or E[1 / sqrt(arrivals(o') + 1)]      where little is known

and once more the first with 0.1 in place of 1 pseudo-visit. How uncertain the values of the first are, its
uncertainty Bellman equation tells. `unit` is the mean over the visits of
V(o) - mean_a Q(o,a). Values are fed in units of what a choice of action is worth in their model and
rewards in units of their spread, so the scale of a task's rewards drops out. What is known to be
gained tells whether there may be more to find: most of all where the task is known to be of AnyMDP,
whose accepted tasks have at least so much to gain. Only there the absolute scale is read, within the range
of AnyMDP's own. The network, not a formula, weighs them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.planner.memory import Float32s
from anymdp_baselines.planner.values import (
    choice_unit,
    known_model,
    optimal,
    outcomes,
    solve_linear,
    uniform_gain,
)

# Weight of the known reward, bonus in units, weight of slot novelty, of state novelty, discount.
MODELS = (
    (1.0, 0.0, 0.0, 0.0, 0.994),
    (1.0, 0.5, 0.0, 0.0, 0.994),
    (0.0, 0.0, 1.0, 0.0, 0.95),
    (0.0, 0.0, 0.0, 1.0, 0.95),
)
SLOT_FEATURES = 24
STATE_FEATURES = 25
KNOWN = len(MODELS)  # column of a slot: the advantage in the first model, at least -2
TRUSTING = 0.1  # pseudo-visits in one more model like the first, which believes few visits sooner
_REWARD, _BONUS, _SLOTS, _STATES, _GAMMA = range(5)
_CLIP = 4.0
WIDEST = 25.0  # sd of rewards that no task of AnyMDP has: wider ones are in units of another kind
FOREIGN = 0.03  # the sd that those are read with; little is made of a scale so small
PRIOR = 2.0  # outcomes as wide as the run's that an untried slot is believed to have


class Reading(NamedTuple):
    """What the planner looks at."""

    onward: Float32s  # [n, O*A, O]  P(o'|o,a), terminations left out
    inward: Float32s  # [n, O*A, O]  share of the arrivals in o' that came from (o, a)
    slot: Float32s  # [n, O, A, SLOT_FEATURES]
    state: Float32s  # [n, O, STATE_FEATURES]


def empty_reading(n: int, n_observations: int, n_actions: int) -> Reading:
    """Arrays for `read` to write to."""
    edges = (n, n_observations * n_actions, n_observations)
    single = np.float32
    return Reading(
        np.zeros(edges, single),
        np.zeros(edges, single),
        np.zeros((n, n_observations, n_actions, SLOT_FEATURES), single),
        np.zeros((n, n_observations, STATE_FEATURES), single),
    )


@njit(cache=True, nogil=True)
def _slog(x):
    """Signed logarithm: reads 0.01 and 100 alike."""
    return math.copysign(math.log1p(abs(x)), x)


@njit(cache=True, nogil=True)
def _doubt_features(memory, i, seen, place, model, policy, value, q, mean, unit, slot, state):
    """Writes how uncertain the values of the first model are, by the uncertainty Bellman equation.

    The variance of Q is that of the slot's mean outcome plus gamma^2 that of the next value (O'Donoghue et
    al. 2018), solved exactly under the model's best policy.
    """
    m, n_actions = q.shape
    gamma = MODELS[0][_GAMMA]
    local, visits, wide = np.zeros((m, n_actions)), np.zeros((m, n_actions)), 0.0
    for k in range(m):
        for a in range(n_actions):
            n = visits[k, a] = memory.visits[i, seen[k], a]
            if n > 0.0:
                centre, spread = outcomes(
                    memory, i, seen[k], a, place, value, gamma, mean / (1.0 - gamma)
                )
                local[k, a] = spread
                wide += n * (spread + (centre - value[k]) ** 2)
    wide /= max(memory.total[i, 0], 1.0)
    matrix, doubt = np.zeros((m, m)), np.zeros(m)
    for k in range(m):
        for a in range(n_actions):
            n = visits[k, a]
            local[k, a] = (n * local[k, a] + PRIOR * wide) / ((n + PRIOR) * (n + 1.0))
        doubt[k] = local[k, policy[k]]
        for j in range(m):
            matrix[k, j] = -gamma * gamma * model[k, policy[k], j]
        matrix[k, k] += 1.0
    if m > 0:
        solve_linear(matrix, doubt)
    for k in range(m):
        for a in range(n_actions):
            for j in range(m):
                local[k, a] += gamma * gamma * model[k, a, j] * doubt[j]
    for k in range(m):
        o = seen[k]
        state[o, 24] = _slog(math.sqrt(doubt[k]) / unit)
        for a in range(n_actions):
            other = -1
            for b in range(n_actions):
                if b != a and (other < 0 or q[k, b] > q[k, other]):
                    other = b
            lead, both = 0.0, local[k, a]
            if other >= 0:
                lead, both = q[k, a] - q[k, other], both + local[k, other]
            sd = math.sqrt(both) + 1e-9 * unit
            z = lead / sd
            hope = sd * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
            hope += lead * 0.5 * math.erfc(-z / math.sqrt(2.0))
            slot[o, a, 21] = _slog(math.sqrt(local[k, a]) / unit)
            slot[o, a, 22] = min(max(z, -_CLIP), _CLIP)
            slot[o, a, 23] = _slog(max(hope, 0.0) / unit)


@njit(cache=True, nogil=True)
def _value_features(memory, i, seen, place, known, mean, sd, slot, state):
    """Solves the models and writes what they say; returns (unit, mean value, known gain, first policy)."""
    model, reward, novelty, leak = known
    m, n_actions = reward.shape
    value, q, gain = np.zeros(m), np.zeros((m, n_actions)), np.zeros((m, n_actions))
    policy, first = np.zeros(m, np.int64), np.zeros(m, np.int64)
    unit, level, scale, known_gain = 1e-9, 0.0, 1.0, 0.0
    for c in range(len(MODELS)):
        spec = MODELS[c]
        for k in range(m):
            for a in range(n_actions):
                rare = 1.0 / math.sqrt(memory.visits[i, seen[k], a] + 1.0)
                gain[k, a] = spec[_SLOTS] * rare + spec[_STATES] * novelty[k, a]
                if spec[_REWARD] > 0.0:  # a state never acted in is worth the mean reward for ever
                    ahead = spec[_GAMMA] * leak[k, a] * mean / (1.0 - spec[_GAMMA])
                    gain[k, a] += reward[k, a] + ahead + spec[_BONUS] * unit * rare
        optimal(model, gain, spec[_GAMMA], policy, value, q)
        centre = value.mean() if m > 0 else 0.0
        if c == 0:
            unit = scale = choice_unit(memory, i, seen, value, q, 0.02 * sd)
            level = (1.0 - spec[_GAMMA]) * centre
            known_gain = uniform_gain(model, gain, spec[_GAMMA], value)
            first[:] = policy
            _doubt_features(
                memory, i, seen, place, model, policy, value, q, mean, unit, slot, state
            )
        elif spec[_REWARD] == 0.0:
            scale = choice_unit(memory, i, seen, value, q, 1e-3)
        for k in range(m):
            state[seen[k], c] = _slog((value[k] - centre) / scale)
            for a in range(n_actions):
                gap = (q[k, a] - value[k]) / scale
                slot[seen[k], a, c] = _slog(gap)
                if c == 0:
                    slot[seen[k], a, KNOWN] = max(gap, -2.0)
    return unit, level, known_gain, first


@njit(cache=True, nogil=True)
def _trusting_features(seen, known, mean, unit, policy, slot):
    """Values of the model that takes few visits at their word; the search for them begins at `policy`."""
    model, reward, _, leak = known
    m, n_actions = reward.shape
    gamma = MODELS[0][_GAMMA]
    value, q = np.zeros(m), np.zeros((m, n_actions))
    optimal(model, reward + gamma * leak * mean / (1.0 - gamma), gamma, policy, value, q)
    for k in range(m):
        for a in range(n_actions):
            gap = (q[k, a] - value[k]) / unit
            slot[seen[k], a, 19] = _slog(gap)
            slot[seen[k], a, 20] = max(gap, -2.0)


@njit(cache=True, nogil=True)
def _slot_features(memory, i, mean, sd, unit, slot, inward):
    """Writes what is known of every slot beside its values, and `inward`."""
    n_observations, n_actions = memory.visits.shape[1:]
    for o in range(n_observations):
        state_visits, state_shown = memory.visits[i, o].sum(), memory.shown[i, o].sum()
        for a in range(n_actions):
            n = memory.visits[i, o, a]
            out = slot[o, a]
            out[17] = math.log1p(memory.shown[i, o, a])
            out[18] = memory.shown[i, o, a] / max(state_shown, 1.0)
            out[5] = math.log1p(n)
            out[6] = 1.0 / math.sqrt(1.0 + n)
            out[7] = n > 0.0
            out[8] = n / max(state_visits, 1.0)
            if n == 0.0:
                continue
            r = memory.reward[i, o, a] / n
            spread = max(memory.square[i, o, a] / n - r * r, 0.0)
            out[9] = min(max((r - mean) / (sd + 1e-8), -_CLIP), _CLIP)
            out[10] = _slog(r / unit)
            out[11] = _slog(math.sqrt(spread) / unit)
            out[12] = memory.ends[i, o, a] / n
            out[13] = out[0] * out[6]
            out[14] = out[1] * out[6]
            out[15] = memory.onward[i, o, a].max() / n
            out[16] = memory.onward[i, o, a, o] / n
            for j in range(n_observations):
                if memory.onward[i, o, a, j] > 0.0:
                    share = memory.onward[i, o, a, j] / max(memory.arrival[i, j, 0], 1.0)
                    inward[o * n_actions + a, j] = share


@njit(cache=True, nogil=True)
def _state_features(memory, i, mean, sd, unit, level, known_gain, state):
    """Writes what is known of every state beside its values, and of the run as a whole."""
    steps, familiar = memory.total[i, 0], memory.familiar[i]
    tried = np.mean(memory.visits[i] > 0.0)
    met = np.mean(memory.arrival[i, :, 0] > 0.0)
    units = 100.0 if sd < WIDEST else 100.0 * FOREIGN / sd
    for o in range(len(state)):
        arrivals, visits = memory.arrival[i, o, 0], memory.visits[i, o].sum()
        out = state[o]
        out[4] = math.log1p(visits)
        out[5] = visits > 0.0
        out[6] = visits / max(steps, 1.0)
        out[7] = math.log1p(arrivals)
        if arrivals > 0.0:
            r = memory.arrival[i, o, 1] / arrivals
            out[8] = min(max((r - mean) / (sd + 1e-8), -_CLIP), _CLIP)
            out[9] = memory.arrival[i, o, 2] / arrivals
            out[10] = _slog((r - mean) / unit)
        out[11] = math.log1p(steps)
        out[12] = _slog(level / unit)
        out[13] = math.log((sd + 1e-9) / unit)
        out[14] = tried
        out[15] = math.log1p(memory.total[i, 3])
        out[16] = met
        out[17] = _slog(10.0 * known_gain / (sd + 1e-9))
        out[18] = _slog(mean / (sd + 1e-9))
        out[19] = familiar
        out[20] = familiar * _slog(units * known_gain)
        out[21] = familiar * _slog(units * sd)
        out[22] = familiar * _slog(units * mean)
        out[23] = math.log(len(state))


@njit(cache=True, nogil=True)
def read_one(memory, i, reading, row):
    """Writes the reading of run `i` to row `row` of `reading`."""
    n_observations = memory.visits.shape[1]
    onward, inward = reading.onward[row], reading.inward[row]
    slot, state = reading.slot[row], reading.state[row]
    onward[:], inward[:], slot[:], state[:] = 0.0, 0.0, 0.0, 0.0
    steps = max(memory.total[i, 0], 1.0)
    mean = memory.total[i, 1] / steps
    sd = math.sqrt(max(memory.total[i, 2] / steps - mean * mean, 0.0))
    place = np.full(n_observations, -1)
    seen = np.empty(n_observations, np.int64)
    m = 0
    for o in range(n_observations):
        if memory.visits[i, o].sum() > 0.0:
            place[o], seen[m] = m, o
            m += 1
    trusting = known_model(memory, i, seen[:m], place, TRUSTING, onward)
    onward[:] = 0.0
    known = known_model(memory, i, seen[:m], place, 1.0, onward)
    found = _value_features(memory, i, seen[:m], place, known, mean, sd, slot, state)
    unit, level, known_gain, policy = found
    _trusting_features(seen[:m], trusting, mean, unit, policy, slot)
    _slot_features(memory, i, mean, sd, unit, slot, inward)
    _state_features(memory, i, mean, sd, unit, level, known_gain, state)


@njit(cache=True, nogil=True)
def read(memory, runs, reading):
    """Writes the reading of runs `runs` (int64 [k]) to the first k rows of `reading`."""
    for row in range(len(runs)):
        read_one(memory, runs[row], reading, row)
