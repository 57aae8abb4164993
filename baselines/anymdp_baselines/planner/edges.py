"""The remembered transitions as sparse matrices: only few states follow a slot (observation, action)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.planner.memory import Float32s
from anymdp_bench.engine.arrays import Int64s

_BLOCK = 4  # entries that are multiplied together


class SparseRows(NamedTuple):
    """A sparse matrix by rows; every row is filled up with zeros to a multiple of `_BLOCK` entries."""

    begin: Int64s  # [rows + 1]
    column: Int64s  # [entries]
    weight: Float32s  # [entries]


@njit(cache=True, nogil=True)
def _allocate_rows(number):
    """Returns a matrix of zeros with `number` [rows] entries."""
    begin = np.zeros(len(number) + 1, np.int64)
    for r in range(len(number)):
        begin[r + 1] = begin[r] + -(-number[r] // _BLOCK) * _BLOCK
    return SparseRows(begin, np.zeros(begin[-1], np.int64), np.zeros(begin[-1], np.float32))


@njit(cache=True, nogil=True)
def build_edges(features, row, distinct, place, acted):
    """Returns (onward [m A, k], inward transposed [k, m A]) of the distinct states.

    Args:
        features: the features.
        row: the row of `features`.
        distinct: the distinct states, int64 [k]; see `inference`.
        place: the place of every state among them, int64 [O].
        acted: m, the number of distinct states that were acted in; they come first.
    """
    n_observations, n_actions = features.slot.shape[1:3]
    ahead, behind = np.zeros(acted * n_actions, np.int64), np.zeros(len(distinct), np.int64)
    for r in range(len(ahead)):
        edge = distinct[r // n_actions] * n_actions + r % n_actions
        for o in range(n_observations):
            if features.onward[row, edge, o] != 0.0:  # else the other is 0 as well
                ahead[r] += 1
                behind[place[o]] += features.inward[row, edge, o] != 0.0
    onward, inward = _allocate_rows(ahead), _allocate_rows(behind)
    behind[:] = inward.begin[:-1]
    for r in range(len(ahead)):
        edge, e = distinct[r // n_actions] * n_actions + r % n_actions, onward.begin[r]
        for o in range(n_observations):
            if features.onward[row, edge, o] == 0.0:
                continue
            onward.column[e], onward.weight[e] = place[o], features.onward[row, edge, o]
            e += 1
            if features.inward[row, edge, o] != 0.0:
                b = behind[place[o]]
                inward.column[b], inward.weight[b] = r, features.inward[row, edge, o]
                behind[place[o]] += 1
    return onward, inward


@njit(cache=True, nogil=True, fastmath=True)
def multiply_sparse(matrix, x, out):
    """Writes matrix @ x to `out`."""
    column, weight = matrix.column, matrix.weight
    for r in range(len(matrix.begin) - 1):
        for j in range(x.shape[1]):
            out[r, j] = 0.0
        for e in range(matrix.begin[r], matrix.begin[r + 1], _BLOCK):
            c0, c1, c2, c3 = column[e], column[e + 1], column[e + 2], column[e + 3]
            w0, w1, w2, w3 = weight[e], weight[e + 1], weight[e + 2], weight[e + 3]
            for j in range(x.shape[1]):
                out[r, j] += w0 * x[c0, j] + w1 * x[c1, j] + w2 * x[c2, j] + w3 * x[c3, j]
