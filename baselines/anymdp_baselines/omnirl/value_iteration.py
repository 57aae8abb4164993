"""The planning memory as arithmetic: what a run has seen, and value iteration over it, compiled.

For every slot k = (x, a) of a run the memory keeps the number of visits n, the sum V of what was written
[P], and its successors with their counts. Column c of the memory is a general value function (Sutton et al.
2011): its cumulant is what was written; its discount d_c and its policy are learned. A backup of state x
sets, for all actions a,

    M[x, a] = (r_c V[x, a] + d_c sum_s' count(s') U[s'] + p_c m_c) / (n + p_c)                       (1)
    U[x]    = sum_a pi_h(a | x) M[x, a],    pi_h = softmax_a(sum_c w_c M[x, a, c])                    (2)

with r_c = 1 - d_c, a learned prior m_c that counts as much as p_c visits, and a policy for each head h, an
equal share of the columns. This is certainty-equivalent value iteration, one state after another
(Gauss-Seidel). A step that terminates has no successor. Every step backs up the state just left and those
that lately led to it, a few of the known states in turn, and last the current state.

Gradients go through M and U, but not through what policies owe to M. Where a policy takes the best action,
that part is zero (the envelope theorem). Elsewhere it grows with every backup, as a sharp policy is steep.

The first half of each head's columns takes the reward itself. Those have its unit: priors are multiplied, and
weights of policies divided, by the root mean square `scale` of the run's rewards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import AnyArray, Int64s

CHAIN = 4
"""States backed up in a step: the one left and those before it. Then come some of those known, in turn."""
MOST_SUCCESSORS = 64
"""Distinct successors of a slot that are remembered; a later one counts as a visit that led nowhere."""
PLAN_HEADS = 4
STEEPNESS = 10.0
"""By which discounts and the weights of policies learn faster than a matrix."""
_LEAST_SCALE = np.float32(1e-6)
_ONE, _ZERO = np.float32(1.0), np.float32(0.0)


class PlanWeights(NamedTuple):
    """The learned numbers of equations (1) and (2), float32 [P] each, by column."""

    share: AnyArray  # r
    discount: AnyArray  # d
    prior: AnyArray  # m
    pseudo: AnyArray  # p, above 0
    sharpness: AnyArray  # w


def plan_size(n_observations: int, n_actions: int, columns: int) -> int:
    """Returns the floats that a run's planning memory takes."""
    successors, slots = min(n_observations, MOST_SUCCESSORS), n_observations * n_actions
    return slots * (2 + 2 * successors + 2 * columns) + n_observations * (columns + 3) + 2


def backups(in_turn: int) -> int:
    """Returns the most states that a step backs up, of which `in_turn` are backed up in turn."""
    return CHAIN + in_turn + 2


def read_visits(flat: AnyArray, seen: Int64s, n_actions: int) -> AnyArray:
    """Returns how often the actions of the states `seen` (int64 [n]) were taken, float32 [n, A].

    Args:
        flat: the memories of the runs, [n, F].
        seen: a state of each run.
        n_actions: A.
    """
    slots = seen[:, None] * n_actions + np.arange(n_actions)
    return np.take_along_axis(flat, slots, 1)


@njit(cache=True, nogil=True)
def _parts(flat, n_observations, n_actions, columns):
    """Returns views of a run's memory, for K slots.

    They are: visits [K], number of successors [K], successors [K, W], their counts [K, W], V [K, P],
    M [K, P], U [O, P], 1 + the state that last led there [O], 1 for known states [O], known states in the
    order of their discovery [O], and how many these are with the next one in turn [2].
    """
    o, k = n_observations, n_observations * n_actions
    w = min(o, MOST_SUCCESSORS)
    b0 = k
    b1 = b0 + k
    b2 = b1 + k * w
    b3 = b2 + k * w
    b4 = b3 + k * columns
    b5 = b4 + k * columns
    b6 = b5 + o * columns
    b7 = b6 + o
    b8 = b7 + o
    b9 = b8 + o
    return (
        flat[:b0], flat[b0:b1], flat[b1:b2].reshape(k, w), flat[b2:b3].reshape(k, w),
        flat[b3:b4].reshape(k, columns), flat[b4:b5].reshape(k, columns),
        flat[b5:b6].reshape(o, columns), flat[b6:b7], flat[b7:b8], flat[b8:b9], flat[b9 : b9 + 2],
    )  # fmt: skip


def is_sound(flat: AnyArray, n_observations: int, n_actions: int, columns: int) -> bool:
    """Returns whether every number of a run's memory that is used as an index or a count can be one."""
    visits, known, successor, count, *_, before, is_known, order, clock = _parts.py_func(
        flat, n_observations, n_actions, columns
    )
    with np.errstate(invalid="ignore"):
        n_known = is_known.sum()
        limits = (
            (visits, 2**24), (known, successor.shape[1]), (successor, n_observations - 1), (count, 2**24),
            (before, n_observations), (is_known, 1), (order, n_observations - 1), (clock, n_observations),
        )  # fmt: skip
        whole = all(((x >= 0) & (x <= most) & (x == np.floor(x))).all() for x, most in limits)
    return bool(whole and clock[0] == n_known)


@njit(cache=True, nogil=True)
def is_linear(column, columns):
    """Returns whether a column takes the reward itself: the first half of those of each head."""
    each = columns // PLAN_HEADS
    return column % each < each // 2


@njit(cache=True, nogil=True)
def _policy(rows, first, n_actions, h, sharpness, inverse, out):
    """Writes the policy (2) of head `h`, [A], by `rows` from `first` on."""
    each = rows.shape[1] // len(out)
    most = np.float32(-np.inf)
    for a in range(n_actions):
        total = _ZERO
        for c in range(h * each, (h + 1) * each):
            total += sharpness[c] * inverse[c] * rows[first + a, c]
        out[h, a] = total
        most = max(most, total)
    total = _ZERO
    for a in range(n_actions):
        out[h, a] = np.exp(out[h, a] - most)
        total += out[h, a]
    for a in range(n_actions):
        out[h, a] /= total


@njit(cache=True, nogil=True)
def _set_units(scale, unit, inverse):
    """Writes what priors are multiplied and weights of policies divided by, [P] each."""
    s = max(scale, _LEAST_SCALE)
    for c in range(len(unit)):
        if is_linear(c, len(unit)):
            unit[c], inverse[c] = scale, _ONE / s
        else:
            unit[c] = inverse[c] = _ONE


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _back_up(parts, x, n_actions, weights, unit, inverse, policy):
    """Backs up state `x`; writes its policies to `policy` [H, A]."""
    visits, known, successor, count, given, memory, value = parts[:7]
    columns = memory.shape[1]
    for k in range(x * n_actions, (x + 1) * n_actions):
        row = memory[k]
        for c in range(columns):
            row[c] = _ZERO
        for j in range(int(known[k])):
            n, ahead = count[k, j], value[int(successor[k, j])]
            for c in range(columns):
                row[c] += n * ahead[c]
        own, n = given[k], visits[k]
        for c in range(columns):
            total = weights.share[c] * own[c] + weights.discount[c] * row[c]
            total += weights.pseudo[c] * weights.prior[c] * unit[c]
            row[c] = total / (n + weights.pseudo[c])
    each = columns // len(policy)
    for h in range(len(policy)):
        _policy(memory, x * n_actions, n_actions, h, weights.sharpness, inverse, policy)
        for c in range(h * each, (h + 1) * each):
            total = _ZERO
            for a in range(n_actions):
                total += policy[h, a] * memory[x * n_actions + a, c]
            value[x, c] = total


@njit(cache=True, nogil=True)
def _discover(parts, x):
    """Adds `x` to the states known, in the order of their discovery, unless it is one."""
    is_known, order, clock = parts[8:]
    if is_known[x] == _ZERO:
        is_known[x] = _ONE
        order[int(clock[0])] = x
        clock[0] += _ONE


@njit(cache=True, nogil=True)
def _remember(parts, slot, left, arrival, value):
    """Counts a transition; `arrival` is -1 where the episode terminated."""
    visits, known, successor, count, given = parts[:5]
    before = parts[7]
    visits[slot] += _ONE
    for c in range(len(value)):
        given[slot, c] += value[c]
    _discover(parts, left)
    if arrival < 0:
        return
    _discover(parts, arrival)
    before[arrival] = left + 1
    n = int(known[slot])
    for j in range(n):
        if successor[slot, j] == arrival:
            count[slot, j] += _ONE
            return
    if n < successor.shape[1]:
        successor[slot, n], count[slot, n] = arrival, _ONE
        known[slot] += _ONE


@njit(cache=True, nogil=True)
def _choose(parts, left, arrival, seen, out):
    """Writes the states that a step backs up, -1 for none, to `out` [backups]; moves the clock on."""
    before, order, clock = parts[7], parts[9], parts[10]
    in_turn = len(out) - CHAIN - 2
    out[:] = -1
    x = left
    for j in range(CHAIN):
        if x < 0 or (j and (x == left or x == out[j - 1])):
            break
        out[j] = x
        x = int(before[x]) - 1
    n = int(clock[0])
    turn = min(in_turn, n)
    for j in range(turn):
        out[CHAIN + j] = int(order[(int(clock[1]) + j) % n])
    if n:
        clock[1] = np.float32((int(clock[1]) + turn) % n)
    if arrival >= 0 and arrival != seen:
        out[CHAIN + in_turn] = arrival
    out[CHAIN + in_turn + 1] = seen
    _discover(parts, seen)


@njit(cache=True, nogil=True, error_model="numpy")
def plan_step(
    flat, n_observations, n_actions, slot, arrival, seen, given, scale, weights, order, log
):  # fmt: skip
    """Computes one step of one run: it counts the transition that led here and backs states up.

    Changes `flat`, the run's memory. Writes the states backed up to `order` [backups], and their rows to
    `log` [backups, A, P] unless that is empty. Returns (visits [K], M [K, P], U [O, P]), views.
    """
    columns = len(given)
    parts = _parts(flat, n_observations, n_actions, columns)
    unit, inverse = np.empty(columns, np.float32), np.empty(columns, np.float32)
    policy = np.empty((PLAN_HEADS, n_actions), np.float32)
    _set_units(scale, unit, inverse)
    left = -1
    if slot >= 0:
        left = slot // n_actions
        _remember(parts, slot, left, arrival, given)
    _choose(parts, left, arrival, seen, order)
    for j in range(len(order)):
        x = order[j]
        if x < 0:
            continue
        _back_up(parts, x, n_actions, weights, unit, inverse, policy)
        if len(log):
            for a in range(n_actions):
                for c in range(columns):
                    log[j, a, c] = parts[5][x * n_actions + a, c]
    return parts[0], parts[5], parts[6]


@njit(cache=True, nogil=True)
def plan_scan(
    flat, n_observations, slot, arrival, seen, given, scale, weights, order, log, visits, read, value
):  # fmt: skip
    """Computes all steps of all runs, [B, T, ...]; changes `flat` [B, F].

    Writes visits [B, T, A], M [B, T, A, P] and U [B, T, P] of the current states.
    """
    n, length, n_actions, columns = read.shape
    for i in range(n):
        for t in range(length):
            k, x = slot[i, t], seen[i, t]
            count, rows, ahead = plan_step(
                flat[i], n_observations, n_actions, k, arrival[i, t], x, given[i, t], scale[i, t],
                weights, order[i, t], log[i, t],
            )  # fmt: skip
            for a in range(n_actions):
                visits[i, t, a] = count[x * n_actions + a]
                for c in range(columns):
                    read[i, t, a, c] = rows[x * n_actions + a, c]
            for c in range(columns):
                value[i, t, c] = ahead[x, c]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _back_up_back(
    parts, x, n_actions, weights, unit, inverse, rows, policy, slope, d_rows, d_value, d_given, d_weights
):  # fmt: skip
    """Computes the adjoint of `_back_up`, which made `rows` [A, P]; writes to `policy`, `slope` [H, A].

    Policies are taken not to depend on the rows, but on their weights alone.
    """
    visits, known, successor, count, given = parts[:5]
    columns, heads = rows.shape[1], len(policy)
    each = columns // heads
    first = x * n_actions
    for h in range(heads):
        _policy(rows, 0, n_actions, h, weights.sharpness, inverse, policy)
        for a in range(n_actions):
            slope[h, a] = _ZERO
        for c in range(h * each, (h + 1) * each):
            mean, d = _ZERO, d_value[x, c]
            for a in range(n_actions):
                mean += policy[h, a] * rows[a, c]
            for a in range(n_actions):
                d_rows[first + a, c] += policy[h, a] * d
                slope[h, a] += policy[h, a] * d * (rows[a, c] - mean)
            d_value[x, c] = _ZERO
        for c in range(h * each, (h + 1) * each):
            total = _ZERO
            for a in range(n_actions):
                total += slope[h, a] * rows[a, c]
            d_weights[4, c] += total * inverse[c]
    for a in range(n_actions):
        k, n = first + a, visits[first + a]
        d_row, own, row = d_rows[k], given[k], rows[a]
        for c in range(columns):
            g = d_row[c] / (n + weights.pseudo[c])
            prior = weights.prior[c] * unit[c]
            ahead = row[c] * (n + weights.pseudo[c]) - weights.share[c] * own[c]
            ahead -= weights.pseudo[c] * prior
            d_weights[0, c] += g * own[c]
            d_weights[1, c] += g * ahead / weights.discount[c]
            d_weights[2, c] += g * weights.pseudo[c] * unit[c]
            d_weights[3, c] += g * (prior - row[c])
            d_given[k, c] += g * weights.share[c]
            d_row[c] = g * weights.discount[c]
        for j in range(int(known[k])):
            m, ahead_ = count[k, j], d_value[int(successor[k, j])]
            for c in range(columns):
                ahead_[c] += m * d_row[c]
        for c in range(columns):
            d_row[c] = _ZERO


@njit(cache=True, nogil=True, error_model="numpy")
def plan_scan_back(
    flat, n_observations, slot, arrival, seen, given, scale, weights, order, log, d_read, d_value,
    d_given, d_weights,
):  # fmt: skip
    """Computes the adjoint of `plan_scan`; takes the counts and sums in `flat` [B, F] back to those before.

    Writes the gradients of what was written, `d_given` [B, T, P], and of the fields of `weights`,
    `d_weights` [B, 5, P]. The memory before the segment gets none.
    """
    n, length, n_actions, columns = d_read.shape
    slots = n_observations * n_actions
    for i in range(n):
        parts = _parts(flat[i], n_observations, n_actions, columns)
        visits, known, successor, count, sums = parts[:5]
        unit, inverse = np.empty(columns, np.float32), np.empty(columns, np.float32)
        policy = np.empty((PLAN_HEADS, n_actions), np.float32)
        slope = np.empty((PLAN_HEADS, n_actions), np.float32)
        rows_ = np.zeros((slots, columns), np.float32)
        sums_ = np.zeros((slots, columns), np.float32)
        value_ = np.zeros((n_observations, columns), np.float32)
        for t in range(length - 1, -1, -1):
            k, x = slot[i, t], seen[i, t]
            for a in range(n_actions):
                for c in range(columns):
                    rows_[x * n_actions + a, c] += d_read[i, t, a, c]
            for c in range(columns):
                value_[x, c] += d_value[i, t, c]
            _set_units(scale[i, t], unit, inverse)
            for j in range(order.shape[2] - 1, -1, -1):
                if order[i, t, j] >= 0:
                    _back_up_back(
                        parts, order[i, t, j], n_actions, weights, unit, inverse, log[i, t, j], policy, slope,
                        rows_, value_, sums_, d_weights[i],
                    )  # fmt: skip
            if k < 0:
                continue
            visits[k] -= _ONE
            for c in range(columns):
                d_given[i, t, c] = sums_[k, c]
                sums[k, c] -= given[i, t, c]
            if arrival[i, t] >= 0:
                for j in range(int(known[k])):
                    if successor[k, j] == arrival[i, t]:
                        count[k, j] -= _ONE
