"""The network's input: features of every slot (observation, action) and every state, from a run's memory.

They are a pure function of the memory. The value features are the exact optimal values (by policy iteration)
of a few models of the task, one for each row of `MODELS`. The models share the transitions and differ in the
reward:

    P(.|o,a) = (count(o,a,.) + pooled(.|o)) / (n(o,a) + 1), likewise r(o,a)    unseen actions are average
    reward     r(o,a) + bonus * unit / sqrt(n(o,a) + 1)                    what is known, and with optimism
    novelty    1 / sqrt(n(o,a) + 1), or E[1 / sqrt(arrivals(o') + 1)]      where little is known

The first model is solved once more with 0.1 pseudo-visits in place of 1. How uncertain the values of the
first model are is found by the uncertainty Bellman equation. `unit` is what a choice of action is worth: the
mean over the visits of V(o) - mean_a Q(o,a). Values are divided by that of their model, and rewards by their
spread, so the scale of a task's rewards drops out. The gain over random play, in the first model, tells
whether there may be more to find. It tells most where the task is taken for one of AnyMDP's, since accepted
tasks have a least gain. Only there the absolute scale of rewards is given too, within the range of AnyMDP's
tasks. How much each feature counts is learned by the network.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.planner.memory import Float32s
from anymdp_baselines.planner.values import (
    build_known_model,
    compute_choice_unit,
    compute_outcome_moments,
    compute_uniform_gain,
    list_seen,
    solve_linear,
    solve_optimal,
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
KNOWN = len(MODELS)  # column of `Features.slot`: the advantage in the first model, at least -2
FEW_PSEUDO_VISITS = 0.1  # of one more model like the first, which trusts few visits more
_REWARD, _BONUS, _SLOTS, _STATES, _GAMMA = range(5)
_CLIP = 4.0
WIDEST_REWARD_SD = 25.0  # no task of AnyMDP has a larger one: wider rewards have other units
FALLBACK_REWARD_SD = 0.03  # the sd that wider rewards are scaled to, on which little depends
PRIOR = 2.0  # outcomes, as widely spread as the run's own, that every slot has beforehand


class Features(NamedTuple):
    """The input of the network for n runs."""

    onward: Float32s  # [n, O*A, O]  P(o'|o,a), terminations left out
    inward: Float32s  # [n, O*A, O]  share of the arrivals in o' that came from (o, a)
    slot: Float32s  # [n, O, A, SLOT_FEATURES]
    state: Float32s  # [n, O, STATE_FEATURES]


def allocate_features(n: int, n_observations: int, n_actions: int) -> Features:
    """Arrays of zeros for `compute_features` to write to."""
    edges = (n, n_observations * n_actions, n_observations)
    single = np.float32
    return Features(
        np.zeros(edges, single),
        np.zeros(edges, single),
        np.zeros((n, n_observations, n_actions, SLOT_FEATURES), single),
        np.zeros((n, n_observations, STATE_FEATURES), single),
    )


@njit(cache=True, nogil=True)
def _signed_log(x):
    """Returns the signed logarithm sign(x) log(1 + |x|)."""
    return math.copysign(math.log1p(abs(x)), x)


@njit(cache=True, nogil=True)
def _write_uncertainty_features(
    memory, i, seen, place, model, policy, value, q, mean, unit, slot, state
):
    """Writes how uncertain the values of the first model are, by the uncertainty Bellman equation.

    The variance of Q is that of the slot's mean outcome plus gamma^2 that of the next value (O'Donoghue et
    al. 2018), solved exactly under the model's best policy.
    """
    m, n_actions = q.shape
    gamma = MODELS[0][_GAMMA]
    local, visits, pooled_variance = np.zeros((m, n_actions)), np.zeros((m, n_actions)), 0.0
    for k in range(m):
        for a in range(n_actions):
            n = visits[k, a] = memory.visits[i, seen[k], a]
            if n > 0.0:
                centre, spread = compute_outcome_moments(
                    memory, i, seen[k], a, place, value, gamma, mean / (1.0 - gamma)
                )
                local[k, a] = spread
                pooled_variance += n * (spread + (centre - value[k]) ** 2)
    pooled_variance /= max(memory.total[i, 0], 1.0)
    matrix, uncertainty = np.zeros((m, m)), np.zeros(m)
    for k in range(m):
        for a in range(n_actions):
            n = visits[k, a]
            local[k, a] = (n * local[k, a] + PRIOR * pooled_variance) / ((n + PRIOR) * (n + 1.0))
        uncertainty[k] = local[k, policy[k]]
        for j in range(m):
            matrix[k, j] = -gamma * gamma * model[k, policy[k], j]
        matrix[k, k] += 1.0
    if m > 0:
        solve_linear(matrix, uncertainty)
    for k in range(m):
        for a in range(n_actions):
            for j in range(m):
                local[k, a] += gamma * gamma * model[k, a, j] * uncertainty[j]
    for k in range(m):
        o = seen[k]
        state[o, 24] = _signed_log(math.sqrt(uncertainty[k]) / unit)
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
            slot[o, a, 21] = _signed_log(math.sqrt(local[k, a]) / unit)
            slot[o, a, 22] = min(max(z, -_CLIP), _CLIP)
            slot[o, a, 23] = _signed_log(max(hope, 0.0) / unit)


@njit(cache=True, nogil=True)
def _write_value_features(memory, i, seen, place, known, mean, sd, slot, state):
    """Solves the models and writes their values; returns (unit, mean value, known gain, first policy)."""
    model, reward, novelty, leak = known
    m, n_actions = reward.shape
    value, q, gain = np.zeros(m), np.zeros((m, n_actions)), np.zeros((m, n_actions))
    policy, first = np.zeros(m, np.int64), np.zeros(m, np.int64)
    unit, level, scale, known_gain = 1e-9, 0.0, 1.0, 0.0
    for c in range(len(MODELS)):
        spec = MODELS[c]
        for k in range(m):
            for a in range(n_actions):
                slot_novelty = 1.0 / math.sqrt(memory.visits[i, seen[k], a] + 1.0)
                gain[k, a] = spec[_SLOTS] * slot_novelty + spec[_STATES] * novelty[k, a]
                if spec[_REWARD] > 0.0:  # a state never acted in is worth the mean reward for ever
                    ahead = spec[_GAMMA] * leak[k, a] * mean / (1.0 - spec[_GAMMA])
                    gain[k, a] += reward[k, a] + ahead + spec[_BONUS] * unit * slot_novelty
        solve_optimal(model, gain, spec[_GAMMA], policy, value, q)
        centre = value.mean() if m > 0 else 0.0
        if c == 0:
            unit = scale = compute_choice_unit(memory, i, seen, value, q, 0.02 * sd)
            level = (1.0 - spec[_GAMMA]) * centre
            known_gain = compute_uniform_gain(model, gain, spec[_GAMMA], value)
            first[:] = policy
            _write_uncertainty_features(
                memory, i, seen, place, model, policy, value, q, mean, unit, slot, state
            )
        elif spec[_REWARD] == 0.0:
            scale = compute_choice_unit(memory, i, seen, value, q, 1e-3)
        for k in range(m):
            state[seen[k], c] = _signed_log((value[k] - centre) / scale)
            for a in range(n_actions):
                gap = (q[k, a] - value[k]) / scale
                slot[seen[k], a, c] = _signed_log(gap)
                if c == 0:
                    slot[seen[k], a, KNOWN] = max(gap, -2.0)
    return unit, level, known_gain, first


@njit(cache=True, nogil=True)
def _write_trusting_features(seen, known, mean, unit, policy, slot):
    """Writes the values of the model with few pseudo-visits; the search for them begins at `policy`."""
    model, reward, _, leak = known
    m, n_actions = reward.shape
    gamma = MODELS[0][_GAMMA]
    value, q = np.zeros(m), np.zeros((m, n_actions))
    solve_optimal(model, reward + gamma * leak * mean / (1.0 - gamma), gamma, policy, value, q)
    for k in range(m):
        for a in range(n_actions):
            gap = (q[k, a] - value[k]) / unit
            slot[seen[k], a, 19] = _signed_log(gap)
            slot[seen[k], a, 20] = max(gap, -2.0)


@njit(cache=True, nogil=True)
def _write_slot_features(memory, i, mean, sd, unit, slot, inward):
    """Writes the counts and the rewards of every slot, and `inward`."""
    n_observations, n_actions = memory.visits.shape[1:]
    for o in range(n_observations):
        state_visits = memory.visits[i, o].sum()
        state_demonstrated = memory.demonstrated[i, o].sum()
        for a in range(n_actions):
            n = memory.visits[i, o, a]
            out = slot[o, a]
            out[17] = math.log1p(memory.demonstrated[i, o, a])
            out[18] = memory.demonstrated[i, o, a] / max(state_demonstrated, 1.0)
            out[5] = math.log1p(n)
            out[6] = 1.0 / math.sqrt(1.0 + n)
            out[7] = n > 0.0
            out[8] = n / max(state_visits, 1.0)
            if n == 0.0:
                continue
            r = memory.reward[i, o, a] / n
            spread = max(memory.square[i, o, a] / n - r * r, 0.0)
            out[9] = min(max((r - mean) / (sd + 1e-8), -_CLIP), _CLIP)
            out[10] = _signed_log(r / unit)
            out[11] = _signed_log(math.sqrt(spread) / unit)
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
def _write_state_features(memory, i, mean, sd, unit, level, known_gain, state):
    """Writes the counts and the rewards of every state and of the whole run."""
    steps, is_anymdp = memory.total[i, 0], memory.assumes_anymdp[i]
    share_tried = np.mean(memory.visits[i] > 0.0)
    share_met = np.mean(memory.arrival[i, :, 0] > 0.0)
    units = 100.0 if sd < WIDEST_REWARD_SD else 100.0 * FALLBACK_REWARD_SD / sd
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
            out[10] = _signed_log((r - mean) / unit)
        out[11] = math.log1p(steps)
        out[12] = _signed_log(level / unit)
        out[13] = math.log((sd + 1e-9) / unit)
        out[14] = share_tried
        out[15] = math.log1p(memory.total[i, 3])
        out[16] = share_met
        out[17] = _signed_log(10.0 * known_gain / (sd + 1e-9))
        out[18] = _signed_log(mean / (sd + 1e-9))
        out[19] = is_anymdp
        out[20] = is_anymdp * _signed_log(units * known_gain)
        out[21] = is_anymdp * _signed_log(units * sd)
        out[22] = is_anymdp * _signed_log(units * mean)
        out[23] = math.log(len(state))


@njit(cache=True, nogil=True)
def compute_run_features(memory, i, features, row):
    """Writes the features of run `i` to row `row` of `features`."""
    onward, inward = features.onward[row], features.inward[row]
    slot, state = features.slot[row], features.state[row]
    onward[:], inward[:], slot[:], state[:] = 0.0, 0.0, 0.0, 0.0
    steps = max(memory.total[i, 0], 1.0)
    mean = memory.total[i, 1] / steps
    sd = math.sqrt(max(memory.total[i, 2] / steps - mean * mean, 0.0))
    place, seen = list_seen(memory, i)
    few_model = build_known_model(memory, i, seen, place, FEW_PSEUDO_VISITS, onward)
    onward[:] = 0.0
    known = build_known_model(memory, i, seen, place, 1.0, onward)
    found = _write_value_features(memory, i, seen, place, known, mean, sd, slot, state)
    unit, level, known_gain, policy = found
    _write_trusting_features(seen, few_model, mean, unit, policy, slot)
    _write_slot_features(memory, i, mean, sd, unit, slot, inward)
    _write_state_features(memory, i, mean, sd, unit, level, known_gain, state)


@njit(cache=True, nogil=True)
def compute_features(memory, runs, features):
    """Writes the features of `runs` (int64 [k]) to the first k rows of `features`."""
    for row in range(len(runs)):
        compute_run_features(memory, runs[row], features, row)
