"""`step_pendulums` for many streams, with the help of other threads."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.np.numpy_support import carray

from anymdp_bench.engine.atomics import load, pointer, store
from anymdp_bench.engine.shared_blocks import (
    ARGUMENTS,
    WORDS,
    await_call,
    claim,
    finish,
    hand_in,
    publish,
)
from anymdp_bench.engine.threads import SharedKernel
from anymdp_bench.tasks.pendulum.dynamics import step_pendulum, step_pendulums

_BLOCK = 128
_N_STREAMS, _MODE, _STATE, _LEFT, _RNG, _GRAVITY = range(ARGUMENTS, ARGUMENTS + 6)
_ACTIONS, _SEEN, _REWARD, _TRUNCATED, _FRESH, _LAST = range(ARGUMENTS + 6, ARGUMENTS + 12)


@njit(nogil=True)
def _step_claimed(board, thread):
    """Steps blocks of the call on the board until every block has been claimed."""
    done = resets = 0
    block = claim(board, thread)
    while block >= 0:
        n, mode = load(board, _N_STREAMS), load(board, _MODE)
        state = carray(pointer(load(board, _STATE)), (n, 2), np.float64)
        left = carray(pointer(load(board, _LEFT)), (n,), np.int64)
        rng = carray(pointer(load(board, _RNG)), (n,), np.uint64)
        gravity = carray(pointer(board), (WORDS,), np.float64)[_GRAVITY]
        actions = carray(pointer(load(board, _ACTIONS)), (n,), np.int64)
        seen = carray(pointer(load(board, _SEEN)), (n,), np.int64)
        reward = carray(pointer(load(board, _REWARD)), (n,), np.float64)
        truncated = carray(pointer(load(board, _TRUNCATED)), (n,), np.bool_)
        fresh = carray(pointer(load(board, _FRESH)), (n,), np.bool_)
        last = carray(pointer(load(board, _LAST)), (n,), np.int64)
        for i in range(block * _BLOCK, min((block + 1) * _BLOCK, n)):
            resets += step_pendulum(
                state, left, rng, gravity, actions, mode, seen, reward, truncated, fresh, last, i
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
    state, left, rng, gravity, actions, mode, seen, reward, truncated, fresh, last,
):  # fmt: skip
    """Does what `step_pendulums` does, together with the helpers at the board."""
    n = len(left)
    store(board, _N_STREAMS, n)
    store(board, _MODE, mode)
    store(board, _STATE, np.int64(state.ctypes.data))
    store(board, _LEFT, np.int64(left.ctypes.data))
    store(board, _RNG, np.int64(rng.ctypes.data))
    carray(pointer(board), (WORDS,), np.float64)[_GRAVITY] = gravity
    store(board, _ACTIONS, np.int64(actions.ctypes.data))
    store(board, _SEEN, np.int64(seen.ctypes.data))
    store(board, _REWARD, np.int64(reward.ctypes.data))
    store(board, _TRUNCATED, np.int64(truncated.ctypes.data))
    store(board, _FRESH, np.int64(fresh.ctypes.data))
    store(board, _LAST, np.int64(last.ctypes.data))
    publish(board, (n + _BLOCK - 1) // _BLOCK, threads)
    _step_claimed(board, 0)
    return finish(board, patience)


step_shared = SharedKernel(step_pendulums, _lead, _assist)
"""step_shared(choice, *arguments of `step_pendulums`) steps on as many threads as a `ThreadChoice` says."""
