"""`step_streams` for many streams, with the help of other threads."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.np.numpy_support import carray

from anymdp_bench.engine.atomics import load, pointer, store
from anymdp_bench.engine.shared_blocks import (
    ARGUMENTS,
    await_call,
    claim,
    finish,
    hand_in,
    publish,
)
from anymdp_bench.engine.step import BLOCK, find_refused, step_block, step_streams
from anymdp_bench.engine.threads import SharedKernel

_N_STREAMS, _N_TASKS, _WIDTH, _N_CELLS, _N_ACTIONS, _MODE = range(ARGUMENTS, ARGUMENTS + 6)
_STREAMS, _RNG, _ROWS, _CELLS, _ACTIONS = range(ARGUMENTS + 6, ARGUMENTS + 11)  # addresses
_OBS, _REWARD, _ENDED, _FRESH, _LAST = range(ARGUMENTS + 11, ARGUMENTS + 16)


@njit(nogil=True)
def _step_claimed(board, thread):
    """Steps blocks of the call on the board until every block has been claimed."""
    done = resets = 0
    block = claim(board, thread)
    while block >= 0:
        n, cells = load(board, _N_STREAMS), pointer(load(board, _CELLS))
        shape = (load(board, _N_CELLS), 4)
        resets += step_block(
            carray(pointer(load(board, _STREAMS)), (n, 4), np.int64),
            carray(pointer(load(board, _RNG)), (n,), np.uint64),
            carray(
                pointer(load(board, _ROWS)), (load(board, _N_TASKS), load(board, _WIDTH)), np.int64
            ),
            carray(cells, shape, np.uint64),
            carray(cells, shape, np.float64),
            carray(pointer(load(board, _ACTIONS)), (n,), np.int64),
            load(board, _N_ACTIONS),
            load(board, _MODE),
            block * BLOCK,
            min((block + 1) * BLOCK, n),
            carray(pointer(load(board, _OBS)), (n,), np.int64),
            carray(pointer(load(board, _REWARD)), (n,), np.float64),
            carray(pointer(load(board, _ENDED)), (2, n), np.bool_),
            carray(pointer(load(board, _FRESH)), (n,), np.bool_),
            carray(pointer(load(board, _LAST)), (n,), np.int64),
        )
        done += 1
        block = claim(board, thread)
    hand_in(board, done, resets)


@njit(cache=True, nogil=True)
def _assist(board, thread, patience):
    """Steps blocks of one call after another, until there was none for `patience` pauses."""
    while await_call(board, patience):
        _step_claimed(board, thread)


@njit(cache=True, nogil=True)
def _lead(
    board, threads, patience,
    streams, rng, rows, cells, values, actions, n_actions, mode, obs, reward, ended, fresh, last,
):  # fmt: skip
    """Does what `step_streams` does, together with the helpers at the board."""
    refused = find_refused(streams, actions, n_actions, mode)
    if refused >= 0:
        return -(refused + 1)
    n = len(streams)
    store(board, _N_STREAMS, n)
    store(board, _N_TASKS, len(rows))
    store(board, _WIDTH, rows.shape[1])
    store(board, _N_CELLS, len(cells))
    store(board, _N_ACTIONS, n_actions)
    store(board, _MODE, mode)
    store(board, _STREAMS, np.int64(streams.ctypes.data))
    store(board, _RNG, np.int64(rng.ctypes.data))
    store(board, _ROWS, np.int64(rows.ctypes.data))
    store(board, _CELLS, np.int64(cells.ctypes.data))
    store(board, _ACTIONS, np.int64(actions.ctypes.data))
    store(board, _OBS, np.int64(obs.ctypes.data))
    store(board, _REWARD, np.int64(reward.ctypes.data))
    store(board, _ENDED, np.int64(ended.ctypes.data))
    store(board, _FRESH, np.int64(fresh.ctypes.data))
    store(board, _LAST, np.int64(last.ctypes.data))
    publish(board, (n + BLOCK - 1) // BLOCK, threads)
    _step_claimed(board, 0)
    return finish(board, patience)


step_shared = SharedKernel(step_streams, _lead, _assist)
"""step_shared(choice, *arguments of `step_streams`) steps on as many threads as a `ThreadChoice` says."""
