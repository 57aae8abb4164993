"""One step of a tabular task for any number of streams.

A stream is one environment that is stepped. It has a record of four integers and a random stream of its own.
What happens is drawn from the task's `alias_tables`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.alias_tables import (
    MEAN,
    NEXT,
    NOISE,
    draw_cell,
    draw_start,
    draw_transition,
    unpack,
)
from anymdp_bench.engine.rng import bits, normal

STATE, LEFT, TASK, DONE = range(4)
"""Columns of a stream's int64 record; LEFT is the number of steps left."""
_STATE, _LEFT, _TASK, _DONE = (np.uint64(k) for k in range(4))  # so that no index is checked
BLOCK = 512
"""Streams stepped before their noise is drawn."""
NEXT_STEP, SAME_STEP, DISABLED = range(3)
"""What a finished stream does at the next call."""
AUTORESET_MODES = {"NextStep": NEXT_STEP, "SameStep": SAME_STEP, "Disabled": DISABLED}
"""The mode that belongs to each value of Gymnasium's `AutoresetMode`."""


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
    streams, rng, rows, cells, values, actions, n_actions, mode, lo, hi, obs, reward, ended, fresh,
    last,
):  # fmt: skip
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
        pick[j - begin] = draw_cell(row, k, cells, bits(rng, j))
    n_listed = np.uint64(0)
    n_over = 0
    for j in range(begin, np.uint64(hi)):
        k = pick[j - begin]
        reward[j] = values[k, MEAN]
        noise[j - begin] = values[k, NOISE]
        streams[j, _STATE], obs[j], terminated = unpack(cells[k, NEXT])
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
        n_listed += np.uint64(values[k, NOISE] > 0.0)
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
