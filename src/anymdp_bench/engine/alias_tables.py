"""Walker's alias tables of tabular tasks, and how a start and a transition are drawn from them.

Sampling a next state takes constant time. Every row (s, a) of P has an alias table over its positive
entries, and so has the start distribution (Walker 1977; the construction is Vose's, 1991). An entry is one
cell of 32 bytes, so a step touches one or two cache lines:

    cell[0]  acceptance threshold (high 32 bits, in units of 2**-32) and alias, relative to the row (low 32)
    cell[1]  mean reward (float64 bits)
    cell[2]  sd of the reward's noise (float64 bits)
    cell[3]  next inner state (high 32 bits), observed id (bits 1..31), terminal flag (bit 0)

`rows[t]` says where the rows of task t begin. It holds the S*A transition rows, the start row, the end of
the start row, and then the horizon. Entries below 2**-34 of their row are left out, because a threshold of
32 bits cannot tell them from zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands, Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import bits

_S32, _LOW32, _ONE = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1)
_NEGLIGIBLE = 2.0**-34

LINK, MEAN, NOISE, NEXT = (np.uint64(k) for k in range(4))
"""Words of a cell."""


class StepTables(NamedTuple):
    """The alias tables of one or more tasks with the same number of actions.

    Attributes:
        rows: where the rows of each task begin, int64 [T, max(S*A) + 3].
        cells: the cells, uint64 [K, 4].
        values: the same memory as `cells`, read as float64.
    """

    rows: Int64s
    cells: UInt64s
    values: Float64s

    def __reduce__(self) -> tuple[Callable[[Int64s, UInt64s], StepTables], tuple[Int64s, UInt64s]]:
        return _from_cells, (
            self.rows,
            self.cells,
        )  # so that a copy's values share its cells' memory


def _from_cells(rows: Int64s, cells: UInt64s) -> StepTables:
    return StepTables(rows, cells, cells.view(np.float64))


@njit(cache=True, nogil=True)
def _alias_row(weight, count, begin, cells, scratch, small, large):
    """Builds the alias table of `weight[:count]` by Vose's method, in the cells from `begin` on."""
    total = 0.0
    for k in range(count):
        total += weight[k]
    n_small = n_large = 0
    for k in range(count):
        scratch[k] = weight[k] * count / total
        if scratch[k] < 1.0:
            small[n_small] = k
            n_small += 1
        else:
            large[n_large] = k
            n_large += 1
        cells[begin + k, 0] = (_LOW32 << _S32) | np.uint64(k)
    while n_small > 0 and n_large > 0:
        n_small -= 1
        under, over = small[n_small], large[n_large - 1]
        threshold = np.uint64(min(scratch[under] * 2.0**32, 2.0**32 - 1))
        cells[begin + under, 0] = (threshold << _S32) | np.uint64(over)
        scratch[over] -= 1.0 - scratch[under]
        if scratch[over] < 1.0:
            n_large -= 1
            small[n_small] = over
            n_small += 1


@njit(cache=True, nogil=True)
def fill_tables(bands, start, terminal, observation, n_actions, row, cells, values):
    """Writes the rows and cells of one task, and returns the number of cells that it used."""
    n_states = len(start)
    weight, scratch = np.empty(n_states), np.empty(n_states)
    small, large = np.empty(n_states, np.int64), np.empty(n_states, np.int64)
    used = 0
    for s in range(n_states + 1):
        is_start = s == n_states
        low = 0 if is_start else bands.low[s]
        width = n_states if is_start else bands.width[s]
        for a in range(1 if is_start else n_actions):
            row[s * n_actions + a] = used
            if not is_start and terminal[s]:
                continue
            base = 0 if is_start else bands.offset[s] + a * width
            count = 0
            for j in range(width):
                p = start[j] if is_start else bands.prob[base + j]
                if p <= _NEGLIGIBLE:
                    continue
                target = low + j
                weight[count] = p
                values[used + count, 1] = 0.0 if is_start else bands.reward[base + j]
                values[used + count, 2] = 0.0 if is_start else bands.noise[base + j]
                flags = (observation[target] << 1) | np.int64(terminal[target])
                cells[used + count, 3] = (np.uint64(target) << _S32) | np.uint64(flags)
                count += 1
            _alias_row(weight, count, used, cells, scratch, small, large)
            used += count
    row[n_states * n_actions + 1] = used
    return used


def step_tables(
    bands: Bands,
    start: Float64s,
    terminal: Bools,
    observation: Int64s,
    n_actions: int,
    horizon: int,
) -> StepTables:
    """Builds the alias tables of one task.

    Args:
        bands: the transitions and rewards.
        start: the start distribution, float64 [S].
        terminal: which states are terminal, bool [S].
        observation: the id that each state shows, int64 [S].
        n_actions: the number of actions.
        horizon: the longest episode, in steps.
    """
    size = int(np.count_nonzero(bands.prob > _NEGLIGIBLE) + np.count_nonzero(start))
    cells = np.zeros((size, 4), np.uint64)
    rows = np.zeros((1, len(start) * n_actions + 3), np.int64)
    rows[0, -1] = horizon
    used = fill_tables(
        bands, start, terminal, observation, n_actions, rows[0], cells, cells.view(np.float64)
    )
    cells = cells[:used]
    return _from_cells(rows, cells)


def stack_tables(tables: list[StepTables]) -> StepTables:
    """Puts the tables of several tasks into one table.

    The column TASK of a stream's record then chooses among them. Tasks may differ in the number of states.
    Shorter rows are padded before the last three columns (the start row, its end and the horizon).
    """
    if len(tables) == 1:
        return tables[0]
    width = max(t.rows.shape[1] for t in tables)
    rows = np.zeros((len(tables), width), np.int64)
    base = 0
    for k, table in enumerate(tables):
        row = table.rows[0]
        rows[k, : len(row) - 3] = row[:-3] + base
        rows[k, len(row) - 3 : -2] = row[-3] + base
        rows[k, -2] = row[-2] + base
        rows[k, -1] = row[-1]
        base += len(table.cells)
    return _from_cells(rows, np.concatenate([t.cells for t in tables]))


@njit(inline="always")
def draw_cell(row, k, cells, u):
    """Returns the index (uint64) of the cell that 64 random bits choose from alias row number `k`."""
    begin = np.uint64(row[k])
    size = np.uint64(row[k + _ONE]) - begin
    j = ((u >> _S32) * size) >> _S32
    word = cells[begin + j, LINK]
    return begin + (word & _LOW32 if (u & _LOW32) >= (word >> _S32) else j)


@njit(inline="always")
def unpack(word):
    """Reads (next inner state, observed id, whether it is terminal) from the last word of a cell."""
    low = word & _LOW32
    return np.int64(word >> _S32), np.int64(low >> _ONE), (low & _ONE) != np.uint64(0)


@njit(inline="always")
def draw_start(row, cells, rng, i):
    """Draws a start state and returns the last word of its cell; see `unpack`."""
    return cells[draw_cell(row, np.uint64(len(row) - 3), cells, bits(rng, i)), NEXT]


@njit(inline="always")
def draw_transition(row, cells, values, state_action, rng, i):
    """Draws (last word of the next state's cell, mean reward, its sd); `state_action` is s * A + a."""
    k = draw_cell(row, np.uint64(state_action), cells, bits(rng, i))
    return cells[k, NEXT], values[k, MEAN], values[k, NOISE]
