"""The recurrent forms of the two delta memories and their adjoints, compiled.

`mixers.slot_scans` and `mixers.key_scans` give the equations and the shapes.
"""

from __future__ import annotations

import numpy as np
from numba import njit

POWER_STEEPNESS = np.float32(10.0)
"""By which the power of `delta_memory` learns faster than a matrix: it is sigmoid(this * parameter)."""


def sum_rows(n_observations: int, heads: int, columns: int) -> int:
    """Returns the rows [A, V] of memory that hold a sum for each slot and head of `n_observations`."""
    return -(-n_observations * heads // columns)


def slot_rows(total: int, heads: int, columns: int) -> int:
    """Returns the number of observations of a memory with `total` rows, those of `sum_rows` included."""
    found = total * columns // (columns + heads)
    while found + sum_rows(found, heads, columns) > total:
        found -= 1
    return found


@njit(cache=True, nogil=True)
def sum_gates(slot, gate, sums, out):
    """Adds gates [B, T, H] to the sums of the slots that are written to, int64 [B, T].

    Changes `sums` [B, F], slot by slot and head by head; writes the sum after each step to `out` [B, T, H], 1
    where nothing is written.
    """
    n, length, heads = gate.shape
    for i in range(n):
        for t in range(length):
            for h in range(heads):
                k = slot[i, t] * heads + h
                if k >= 0:
                    sums[i, k] += gate[i, t, h]
                out[i, t, h] = sums[i, k] if k >= 0 else np.float32(1.0)


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
def slot_step(slot, base, value, beta, g, memory, read, wrote, error):
    """Computes one step of one run: (1) of `mixers.slot_scans`, then the reads.

    Changes `memory` [O * A, V]; writes read [A, V], wrote, error [V]. The slots of the current state begin
    at row `base`.
    """
    heads, n_actions = g.shape
    size = memory.shape[1] // heads
    if slot >= 0:
        row = memory[slot]
        for c in range(memory.shape[1]):
            error[c] = value[c] - row[c]
        for h in range(heads):
            for a in range(n_actions):
                weight, other = g[h, a], memory[base + a]
                for c in range(h * size, (h + 1) * size):
                    error[c] += weight * other[c]
        for h in range(heads):
            for c in range(h * size, (h + 1) * size):
                row[c] += beta[h] * error[c]
                wrote[c] = row[c]
    else:
        for c in range(memory.shape[1]):
            error[c] = wrote[c] = np.float32(0.0)
    for a in range(n_actions):
        for c in range(memory.shape[1]):
            read[a, c] = memory[base + a, c]


@njit(cache=True, nogil=True, fastmath=True)
def slot_scan(slot, seen, value, beta, g, memory, read, wrote, error):
    """Computes all steps of all runs, [B, T, ...] (`mixers.slot_scans`); changes `memory` [B, O * A, V]."""
    n, length = slot.shape
    n_actions = g.shape[3]
    for i in range(n):
        for t in range(length):
            slot_step(
                slot[i, t], seen[i, t] * n_actions, value[i, t], beta[i, t], g[i, t], memory[i],
                read[i, t], wrote[i, t], error[i, t],
            )  # fmt: skip


@njit(cache=True, nogil=True, fastmath=True)
def slot_scan_back(
    slot, seen, beta, g, read, wrote, error, d_read, d_wrote, ahead, d_value, d_beta, d_g
):
    """Computes the adjoint of `slot_scan`.

    `ahead` [B, O * A, V]: gradient of the memory, after and then before.
    """
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    size = ahead.shape[2] // heads
    for i in range(n):
        for t in range(length - 1, -1, -1):
            k, base = slot[i, t], seen[i, t] * n_actions
            for a in range(n_actions):
                ahead[i, base + a] += d_read[i, t, a]
            if k < 0:
                continue
            ahead[i, k] += d_wrote[i, t]
            for h in range(heads):
                b = beta[i, t, h]
                lo, hi = h * size, (h + 1) * size
                total = np.float32(0.0)
                for c in range(lo, hi):
                    total += ahead[i, k, c] * error[i, t, c]
                    d_value[i, t, c] = b * ahead[i, k, c]
                    ahead[i, k, c] -= d_value[i, t, c]
                d_beta[i, t, h] = total
                for a in range(n_actions):
                    total = np.float32(0.0)
                    weight = g[i, t, h, a]
                    for c in range(lo, hi):
                        total += d_value[i, t, c] * read[i, t, a, c]
                        ahead[i, base + a, c] += weight * d_value[i, t, c]
                    if base + a == k:  # what was read is the row after its change
                        for c in range(lo, hi):
                            total -= d_value[i, t, c] * b * error[i, t, c]
                    d_g[i, t, h, a] = total


@njit(cache=True, nogil=True)
def key_step(slot, base, value, beta, g, table, gram, memory, read, wrote, error):
    """Computes one step of one run: (1) of `mixers.key_scans`; as `slot_step`, but for `memory` [V, K]."""
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


@njit(cache=True, nogil=True, fastmath=True)
def key_scan(slot, seen, value, beta, g, table, gram, memory, read, wrote, error):
    """Computes all steps of all runs, [B, T, ...] (see `mixers.key_scans`); changes `memory` [B, V, K]."""
    n, length = slot.shape
    n_actions = g.shape[3]
    for i in range(n):
        for t in range(length):
            key_step(
                slot[i, t], seen[i, t] * n_actions, value[i, t], beta[i, t], g[i, t], table, gram,
                memory[i], read[i, t], wrote[i, t], error[i, t],
            )  # fmt: skip


@njit(cache=True, nogil=True, fastmath=True)
def key_scan_back(
    slot, seen, beta, g, table, gram, memory, read, error, d_read, d_wrote, ahead, d_value, d_beta,
    d_g, d_table,
):  # fmt: skip
    """Computes the adjoint of `key_scan`; takes `memory` and its gradient `ahead` from after to before."""
    n, length = slot.shape
    heads, n_actions = g.shape[2:]
    columns = error.shape[2]
    for i in range(n):
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
