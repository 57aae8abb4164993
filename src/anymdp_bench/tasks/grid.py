"""Transitions of moves on a grid. A move into a wall leaves the state as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anymdp_bench.engine.arrays import Float64s


def make_moves(rows: int, columns: int, directions: Sequence[tuple[int, int]]) -> Float64s:
    """Makes the deterministic transitions of moves on a grid.

    Args:
        rows: the number of rows.
        columns: the number of columns.
        directions: (rows down, columns to the right) of each action.

    Returns:
        P, float64 [rows * columns, A, rows * columns].
    """
    n = rows * columns
    row, column = np.divmod(np.arange(n), columns)
    out = np.zeros((n, len(directions), n))
    for a, (down, right) in enumerate(directions):
        to_row = np.clip(row + down, 0, rows - 1)
        to_column = np.clip(column + right, 0, columns - 1)
        out[np.arange(n), a, to_row * columns + to_column] = 1.0
    return out
