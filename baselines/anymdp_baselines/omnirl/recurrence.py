"""The recurrent forms of the two delta memories and their adjoints, compiled.

`mixers.slots` and `mixers.keys` give the equations and the shapes.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

TRACE_STEEPNESS = np.float32(10.0)
"""By which the trace of a memory learns faster than a matrix: it is sigmoid(this * parameter)."""


def history_rows(depth: int, heads: int, n_actions: int, columns: int) -> int:
    """Returns X of `mixers.slots`: the number of [A, V] that hold a history of `depth` steps."""
    return -(-depth * (1 + heads * n_actions) // (n_actions * columns))


@njit(cache=True, fastmath=True)
def _dot(x, y):
    total = np.float32(0.0)
    for j in range(len(x)):
        total += x[j] * y[j]
    return total


@njit(cache=True, fastmath=True)
def _add(x, scale, y):
    for j in range(len(x)):
        x[j] += scale * y[j]


@njit(cache=True, nogil=True)
def unpack_history(tail, slots, weights):
    """Reads the steps before from `tail`, flat: slots int64 [R], weights [R, H, A], the oldest first."""
    depth, heads, n_actions = weights.shape
    size = 1 + heads * n_actions
    for r in range(depth):
        slots[r] = np.int64(tail[r * size]) - 1
        for h in range(heads):
            for a in range(n_actions):
                weights[r, h, a] = tail[r * size + 1 + h * n_actions + a]


@njit(cache=True, nogil=True)
def pack_history(tail, slots, weights):
    """Writes what `unpack_history` reads."""
    depth, heads, n_actions = weights.shape
    size = 1 + heads * n_actions
    for r in range(depth):
        tail[r * size] = np.float32(slots[r] + 1)
        for h in range(heads):
            for a in range(n_actions):
                tail[r * size + 1 + h * n_actions + a] = weights[r, h, a]


@njit(cache=True, nogil=True)
def _trace_weights(slots, weights, now, trace, out):
    """Writes (3) of `mixers.slots` for the steps before step `now`, [R, H]; returns how many there are."""
    depth, heads = out.shape
    n_actions = weights.shape[2]
    for r in range(depth):
        j = now - 1 - r
        if j < 0 or slots[j] < 0:
            return r
        action = slots[j + 1] % n_actions
        total = np.float32(0.0)
        for h in range(heads):
            out[r, h] = trace[h] * weights[j, h, action]
            total += out[r, h]
        if total == np.float32(0.0):  # an episode ended there
            return r
    return depth


@njit(cache=True, nogil=True)
def slot_step(slots, now, base, value, beta, weights, trace, memory, read, wrote, error, factor):
    """One step of one run: (1) and (3) of `mixers.slots`, then the reads.

    `slots` int64 [T] and `weights` [T, H, A] are k and g of this step, number `now`, and of those before;
    the slots of the current state begin at row `base`. Shapes: value [V], beta and trace [H]. Changes
    `memory` [rows, V]; writes read [A, V], wrote and error [V]; uses `factor` [R, H].
    """
    heads, n_actions = weights.shape[1:]
    columns = memory.shape[1]
    size, k = columns // heads, slots[now]
    if k >= 0:
        row = memory[k]
        for c in range(columns):
            error[c] = value[c] - row[c]
        for h in range(heads):
            for a in range(n_actions):
                weight, other = weights[now, h, a], memory[base + a]
                for c in range(h * size, (h + 1) * size):
                    error[c] += weight * other[c]
        for h in range(heads):
            for c in range(h * size, (h + 1) * size):
                row[c] += beta[h] * error[c]
                wrote[c] = row[c]
        found = _trace_weights(slots, weights, now, trace, factor)
        for h in range(heads):
            share = beta[h]
            for r in range(found):
                share *= factor[r, h]
                other = memory[slots[now - 1 - r]]
                for c in range(h * size, (h + 1) * size):
                    other[c] += share * error[c]
    else:
        for c in range(columns):
            error[c] = wrote[c] = np.float32(0.0)
    for a in range(n_actions):
        for c in range(columns):
            read[a, c] = memory[base + a, c]


@njit(cache=True, nogil=True)
def _with_history(slot, g, tail, depth):
    """Returns (slots [R + T], weights [R + T, H, A]) of the steps before a segment and of its own."""
    length, heads, n_actions = g.shape
    slots = np.empty(depth + length, np.int64)
    weights = np.empty((depth + length, heads, n_actions), np.float32)
    unpack_history(tail, slots[:depth], weights[:depth])
    slots[depth:] = slot
    weights[depth:] = g
    return slots, weights


@njit(cache=True, nogil=True, parallel=True)
def slot_scan(slot, seen, value, beta, g, trace, depth, n_slots, memory, read, wrote, error):
    """All steps of all runs, [B, T, ...] (see `mixers.slots`); changes `memory` [B, rows, V]."""
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    for i in prange(n):
        tail = memory[i, n_slots:].ravel()
        slots, weights = _with_history(slot[i], g[i], tail, depth)
        factor = np.empty((depth, heads), np.float32)
        for t in range(length):
            slot_step(
                slots, depth + t, seen[i, t] * n_actions, value[i, t], beta[i, t], weights, trace,
                memory[i], read[i, t], wrote[i, t], error[i, t], factor,
            )  # fmt: skip
        if depth:
            pack_history(tail, slots[length:], weights[length:])


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def slot_scan_back(
    slot, seen, beta, g, trace, depth, tails, read, wrote, error, d_read, d_wrote, ahead, d_value,
    d_beta, d_g, d_trace,
):  # fmt: skip
    """Computes the adjoint of `slot_scan`.

    `tails` [B, rows, V] are the last rows of the memory before the segment, and `ahead` [B, rows, V] is the
    gradient of the memory, after and then before. Writes `d_value` and `d_beta`; adds to `d_g` and to
    `d_trace` [B, H].
    """
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    columns = ahead.shape[2]
    size = columns // heads
    for i in prange(n):
        slots, weights = _with_history(slot[i], g[i], tails[i].ravel(), depth)
        factor = np.empty((depth, heads), np.float32)
        change = np.empty((depth + 1, columns), np.float32)
        behind, rows = np.empty(columns, np.float32), np.empty((n_actions, columns), np.float32)
        for t in range(length - 1, -1, -1):
            k, base = slot[i, t], seen[i, t] * n_actions
            for a in range(n_actions):
                for c in range(columns):
                    ahead[i, base + a, c] += d_read[i, t, a, c]
            if k < 0:
                continue
            now = depth + t
            found = _trace_weights(slots, weights, now, trace, factor)
            for c in range(columns):
                change[0, c], behind[c] = beta[i, t, c // size] * error[i, t, c], np.float32(0.0)
            for r in range(found):
                for c in range(columns):
                    change[r + 1, c] = factor[r, c // size] * change[r, c]
            for r in range(found - 1, -1, -1):
                j = now - 1 - r
                action = slots[j + 1] % n_actions
                for h in range(heads):
                    total = np.float32(0.0)
                    for c in range(h * size, (h + 1) * size):
                        behind[c] += ahead[i, slots[j], c]
                        total += behind[c] * change[r, c]
                        behind[c] *= factor[r, h]
                    d_trace[i, h] += total * weights[j, h, action]
                    if j >= depth:
                        d_g[i, j - depth, h, action] += total * trace[h]
            for a in range(n_actions):  # the rows before this step
                for c in range(columns):
                    rows[a, c] = read[i, t, a, c]
            if k // n_actions == base // n_actions:
                for c in range(columns):
                    rows[k - base, c] -= change[0, c]
            for r in range(found):
                other = slots[now - 1 - r]
                if other // n_actions == base // n_actions:
                    for c in range(columns):
                        rows[other - base, c] -= change[r + 1, c]
            for h in range(heads):
                b = beta[i, t, h]
                lo, hi = h * size, (h + 1) * size
                total = np.float32(0.0)
                for c in range(lo, hi):
                    ahead[i, k, c] += d_wrote[i, t, c]
                    d_u = ahead[i, k, c] + behind[c]
                    total += d_u * error[i, t, c]
                    d_value[i, t, c] = b * d_u
                    ahead[i, k, c] -= d_value[i, t, c]
                d_beta[i, t, h] = total
                for a in range(n_actions):
                    total = np.float32(0.0)
                    weight = g[i, t, h, a]
                    for c in range(lo, hi):
                        total += d_value[i, t, c] * rows[a, c]
                        ahead[i, base + a, c] += weight * d_value[i, t, c]
                    d_g[i, t, h, a] += total


@njit(cache=True, nogil=True)
def key_step(slot, base, value, beta, g, table, gram, memory, read, wrote, error):
    """One step of one run: (1) of `mixers.keys`; as `slot_step`, but for `memory` [V, K]."""
    heads, n_actions = g.shape
    columns = len(value)
    for c in range(columns):
        h, row = c * heads // columns, memory[c]
        e = value[c]
        for a in range(n_actions):
            read[a, c] = _dot(row, table[base + a])
            e += g[h, a] * read[a, c]
        if slot < 0:
            error[c] = wrote[c] = np.float32(0.0)
            continue
        old = _dot(row, table[slot])
        error[c] = e - old
        u = beta[h] * error[c]
        _add(row, u, table[slot])
        wrote[c] = old + gram[slot, slot] * u
        for a in range(n_actions):
            read[a, c] += gram[slot, base + a] * u


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def key_scan(slot, seen, value, beta, g, table, gram, memory, read, wrote, error):
    """All steps of all runs, [B, T, ...] (see `mixers.keys`); changes `memory` [B, V, K]."""
    n, length = slot.shape
    n_actions = g.shape[3]
    for i in prange(n):
        for t in range(length):
            key_step(
                slot[i, t], seen[i, t] * n_actions, value[i, t], beta[i, t], g[i, t], table, gram,
                memory[i], read[i, t], wrote[i, t], error[i, t],
            )  # fmt: skip


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def key_scan_back(
    slot, seen, beta, g, table, gram, memory, read, error, d_read, d_wrote, ahead, d_value, d_beta,
    d_g, d_table,
):  # fmt: skip
    """Computes the adjoint of `key_scan`; takes `memory` and its gradient `ahead` from after to before."""
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    columns = error.shape[2]
    for i in prange(n):
        for t in range(length - 1, -1, -1):
            k, base = slot[i, t], seen[i, t] * n_actions
            for c in range(columns):
                h, row, d = c * heads // columns, memory[i, c], ahead[i, c]
                for a in range(n_actions):
                    _add(d, d_read[i, t, a, c], table[base + a])
                    _add(d_table[i, base + a], d_read[i, t, a, c], row)
                if k < 0:
                    continue
                key, u = table[k], beta[i, t, h] * error[i, t, c]
                _add(d, d_wrote[i, t, c], key)
                d_u = _dot(d, key)
                d_v = beta[i, t, h] * d_u
                d_value[i, t, c] = d_v
                d_beta[i, t, h] += error[i, t, c] * d_u
                _add(d_table[i, k], u, d)
                _add(d_table[i, k], d_wrote[i, t, c], row)
                _add(row, -u, key)
                _add(d_table[i, k], -d_v, row)
                _add(d, -d_v, key)
                for a in range(n_actions):
                    d_g[i, t, h, a] += d_v * (read[i, t, a, c] - gram[k, base + a] * u)
                    weight = g[i, t, h, a] * d_v
                    if weight != 0.0:
                        _add(d, weight, table[base + a])
                        _add(d_table[i, base + a], weight, row)
