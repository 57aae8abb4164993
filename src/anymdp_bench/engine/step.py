"""One step of a tabular task for any number of streams, by Walker's alias method.

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

A stream is one environment that is stepped. It has a record of four integers and a random stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands, Bools, Float64s, Int64s, UInt64s
from anymdp_bench.engine.rng import bits, normal

_S32, _LOW32, _ONE = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1)
_NEGLIGIBLE = 2.0**-34

_LINK, _MEAN, _NOISE, _NEXT = (np.uint64(k) for k in range(4))  # words of a cell

STATE, LEFT, TASK, DONE = (
    0,
    1,
    2,
    3,
)  # columns of a stream's int64 record; LEFT is the number of steps left
_STATE, _LEFT, _TASK, _DONE = (
    np.uint64(k) for k in range(4)
)  # unsigned, so that no index is checked
BLOCK = 512  # streams stepped before their noise is drawn
NEXT_STEP, SAME_STEP, DISABLED = 0, 1, 2  # what a finished stream does at the next call
AUTORESET_MODES = {"NextStep": NEXT_STEP, "SameStep": SAME_STEP, "Disabled": DISABLED}
"""The mode that belongs to each value of Gymnasium's `AutoresetMode`."""


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
def _draw(row, k, cells, u):
    """Returns the index (uint64) of the cell that 64 random bits choose from alias row number `k`."""
    begin = np.uint64(row[k])
    size = np.uint64(row[k + _ONE]) - begin
    j = ((u >> _S32) * size) >> _S32
    word = cells[begin + j, _LINK]
    return begin + (word & _LOW32 if (u & _LOW32) >= (word >> _S32) else j)


@njit(inline="always")
def unpack(word):
    """Reads (next inner state, observed id, whether it is terminal) from the last word of a cell."""
    low = word & _LOW32
    return np.int64(word >> _S32), np.int64(low >> _ONE), (low & _ONE) != np.uint64(0)


@njit(inline="always")
def draw_start(row, cells, rng, i):
    """Draws a start state and returns the last word of its cell; see `unpack`."""
    return cells[_draw(row, np.uint64(len(row) - 3), cells, bits(rng, i)), _NEXT]


@njit(inline="always")
def draw_transition(row, cells, values, state_action, rng, i):
    """Draws (last word of the next state's cell, mean reward, its sd); `state_action` is s * A + a."""
    k = _draw(row, np.uint64(state_action), cells, bits(rng, i))
    return cells[k, _NEXT], values[k, _MEAN], values[k, _NOISE]


@njit(inline="always")
def add_noise(mean, noise, rng, i):
    """Returns the reward, which is its mean plus one normal draw of the noise if there is noise."""
    return mean + noise * normal(rng, i) if noise > 0.0 else mean


@njit(cache=True, nogil=True)
def reset_streams(streams, rng, rows, cells, mask, obs):
    """Starts an episode in every stream of `mask` (bool [n]) and writes its observation to `obs`."""
    for i in range(len(streams)):
        if mask[i]:
            word = draw_start(rows[streams[i, TASK]], cells, rng, i)
            streams[i, STATE], obs[i], _ = unpack(word)
            row = rows[streams[i, TASK]]
            streams[i, LEFT] = row[len(row) - 1]
            streams[i, DONE] = 0


@njit(cache=True, nogil=True)
def find_refused(streams, actions, n_actions, mode):
    """Returns the index of the first stream that cannot take its action, or -1.

    A stream cannot take an action that is out of range. In DISABLED mode a finished stream takes none.
    """
    if (
        mode != DISABLED
    ):  # a loop without a way out, for which the processor has vector instructions
        outside = np.int64(0)
        for i in range(len(actions)):
            outside |= np.int64(np.uint64(actions[i]) >= np.uint64(n_actions))
        if outside == 0:
            return -1
    for i in range(len(streams)):
        over = mode == DISABLED and streams[i, DONE] != 0
        if actions[i] < 0 or actions[i] >= n_actions or over:
            return i
    return -1


@njit(nogil=True)
def step_block(
    streams,
    rng,
    rows,
    cells,
    values,
    actions,
    n_actions,
    mode,
    lo,
    hi,
    obs,
    reward,
    ended,
    fresh,
    last,
):
    """Steps streams lo..hi-1, at most BLOCK of them, and returns how many were reset; see `step_streams`.

    There are two short loops instead of one long loop. Each has few instructions between its memory loads,
    so that the processor can have many loads under way at once. Many distinct tasks need this, because they
    do not fit into a cache.
    """
    begin, low = np.uint64(lo), np.uint64(len(rows[0]) - 3)
    pick = np.empty(BLOCK, np.uint64)
    noise = np.empty(BLOCK)
    listed = np.empty(BLOCK, np.int64)
    resets = 0
    for j in range(begin, np.uint64(hi)):
        row = rows[np.uint64(streams[j, _TASK])]
        again = (mode == NEXT_STEP) & (streams[j, _DONE] != 0)
        resets += again
        fresh[j] = again
        k = low if again else np.uint64(streams[j, _STATE] * n_actions + actions[j])
        pick[j - begin] = _draw(row, k, cells, bits(rng, j))
    n_listed = np.uint64(0)
    n_over = 0
    for j in range(begin, np.uint64(hi)):
        k = pick[j - begin]
        reward[j] = values[k, _MEAN]
        noise[j - begin] = values[k, _NOISE]
        streams[j, _STATE], obs[j], terminated = unpack(cells[k, _NEXT])
        left = streams[j, _LEFT] - 1
        if fresh[j]:
            left = rows[np.uint64(streams[j, _TASK])][low + np.uint64(2)]
        truncated = (not terminated) & (left <= 0)
        streams[j, _LEFT] = left
        streams[j, _DONE] = terminated | truncated
        ended[np.uint64(0), j] = terminated
        ended[np.uint64(1), j] = truncated
        n_over += terminated | truncated
        listed[n_listed] = np.int64(j)  # without a branch, because no predictor could guess it
        n_listed += np.uint64(values[k, _NOISE] > 0.0)
    for j in listed[:n_listed]:
        reward[j] += noise[j - lo] * normal(rng, j)
    if mode == SAME_STEP and n_over > 0:
        for j in range(lo, hi):
            if streams[j, DONE] != 0:
                last[j] = obs[j]
                fresh[j] = True
                resets += 1
                row = rows[streams[j, TASK]]
                streams[j, STATE], obs[j], _ = unpack(draw_start(row, cells, rng, j))
                streams[j, LEFT] = row[len(row) - 1]
                streams[j, DONE] = 0
    return resets


@njit(cache=True, nogil=True)
def step_streams(
    streams, rng, rows, cells, values, actions, n_actions, mode, obs, reward, ended, fresh, last
):
    """Steps every stream and writes its observation, reward and flags.

    Args:
        streams: the records of the streams, int64 [n, 4].
        rng: their random streams, uint64 [n].
        rows: the first array of the tasks' `StepTables`.
        cells: the second array of the tasks' `StepTables`.
        values: the third array of the tasks' `StepTables`.
        actions: the actions, int64 [n].
        n_actions: the number of actions.
        mode: what a finished stream does at the next call: NEXT_STEP, SAME_STEP or DISABLED.
        obs: receives the observations, int64 [n].
        reward: receives the rewards, float64 [n].
        ended: receives (terminated, truncated), bool [2, n].
        fresh: receives whether the stream was reset automatically, bool [n].
        last: receives the last observation of an episode that ended in SAME_STEP mode, int64 [n].

    Returns:
        The number of streams that were reset, or -(i + 1) if stream i was refused. Then nothing has changed;
        see `find_refused`.
    """
    refused = find_refused(streams, actions, n_actions, mode)
    if refused >= 0:
        return -(refused + 1)
    n = len(streams)
    resets = 0
    for lo in range(0, n, BLOCK):
        resets += step_block(
            streams, rng, rows, cells, values, actions, n_actions, mode,
            lo, min(lo + BLOCK, n), obs, reward, ended, fresh, last,
        )  # fmt: skip
    return resets


@njit(cache=True, nogil=True)
def reset_one(stream, rng, rows, cells):
    """Starts an episode of one stream (int64 [4]) on the only task of the tables; returns the observation."""
    stream[STATE], seen, _ = unpack(draw_start(rows[0], cells, rng, 0))
    stream[LEFT] = rows[0, -1]
    stream[DONE] = 0
    return seen


@njit(cache=True, nogil=True)
def step_one(stream, rng, rows, cells, values, n_actions, action):
    """Steps one stream (int64 [4]) and returns (observation, reward, terminated, truncated)."""
    row = rows[0]
    word, mean, noise = draw_transition(
        row, cells, values, stream[STATE] * n_actions + action, rng, 0
    )
    reward = add_noise(mean, noise, rng, 0)
    stream[STATE], seen, terminated = unpack(word)
    stream[LEFT] -= 1
    truncated = not terminated and stream[LEFT] <= 0
    stream[DONE] = np.int64(terminated or truncated)
    return seen, reward, terminated, truncated
