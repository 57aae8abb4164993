"""The remembered transitions as sparse matrices, for plans: few states follow on a slot."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_baselines.planner.memory import Float32s
from anymdp_bench.engine.arrays import Int64s

_ABREAST = 4  # entries taken together


class Edges(NamedTuple):
    """A sparse matrix by rows; every row is filled up with zeros to a multiple of `_ABREAST` entries."""

    begin: Int64s  # [rows + 1]
    column: Int64s  # [entries]
    weight: Float32s  # [entries]


@njit(cache=True, nogil=True)
def _room(number):
    """A matrix with room for `number` [rows] entries."""
    begin = np.zeros(len(number) + 1, np.int64)
    for r in range(len(number)):
        begin[r + 1] = begin[r] + -(-number[r] // _ABREAST) * _ABREAST
    return Edges(begin, np.zeros(begin[-1], np.int64), np.zeros(begin[-1], np.float32))


@njit(cache=True, nogil=True)
def edges(reading, row, who, place, acted):
    """(onward [m A, k], inward transposed [k, m A]) of the states that differ."""
    n_observations, n_actions = reading.slot.shape[1:3]
    ahead, behind = np.zeros(acted * n_actions, np.int64), np.zeros(len(who), np.int64)
    for r in range(len(ahead)):
        edge = who[r // n_actions] * n_actions + r % n_actions
        for o in range(n_observations):
            if reading.onward[row, edge, o] != 0.0:  # else the other is 0 as well
                ahead[r] += 1
                behind[place[o]] += reading.inward[row, edge, o] != 0.0
    onward, inward = _room(ahead), _room(behind)
    behind[:] = inward.begin[:-1]
    for r in range(len(ahead)):
        edge, e = who[r // n_actions] * n_actions + r % n_actions, onward.begin[r]
        for o in range(n_observations):
            if reading.onward[row, edge, o] == 0.0:
                continue
            onward.column[e], onward.weight[e] = place[o], reading.onward[row, edge, o]
            e += 1
            if reading.inward[row, edge, o] != 0.0:
                b = behind[place[o]]
                inward.column[b], inward.weight[b] = r, reading.inward[row, edge, o]
                behind[place[o]] += 1
    return onward, inward


@njit(cache=True, nogil=True, fastmath=True)
def along(matrix, x, out):
    """out <- matrix @ x."""
    column, weight = matrix.column, matrix.weight
    for r in range(len(matrix.begin) - 1):
        for j in range(x.shape[1]):
            out[r, j] = 0.0
        for e in range(matrix.begin[r], matrix.begin[r + 1], _ABREAST):
            c0, c1, c2, c3 = column[e], column[e + 1], column[e + 2], column[e + 3]
            w0, w1, w2, w3 = weight[e], weight[e + 1], weight[e + 2], weight[e + 3]
            for j in range(x.shape[1]):
                out[r, j] += w0 * x[c0, j] + w1 * x[c1, j] + w2 * x[c2, j] + w3 * x[c3, j]
