"""`step_pendulums` for many streams, with the help of other threads."""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.shared_blocks import (
    address,
    await_call,
    claim,
    finish,
    hand_in,
    publish,
    read_array,
    read_number,
)
from anymdp_bench.engine.threads import SharedKernel
from anymdp_bench.tasks.pendulum.dynamics import step_pendulum, step_pendulums

_BLOCK = 128


@njit(nogil=True)
def _step_claimed(board, thread):
    """Steps blocks of the call on the board until every block has been claimed.

    It reads the arguments by their places in the tuple that `_lead` publishes.
    """
    done = resets = 0
    block = claim(board, thread)
    while block >= 0:
        n, mode = read_number(board, 0), read_number(board, 1)
        gravity = np.int64(read_number(board, 2)).view(np.float64)
        state = read_array(board, 3, (n, 2), np.float64)
        left = read_array(board, 4, (n,), np.int64)
        rng = read_array(board, 5, (n,), np.uint64)
        actions = read_array(board, 6, (n,), np.int64)
        seen = read_array(board, 7, (n,), np.int64)
        reward = read_array(board, 8, (n,), np.float64)
        truncated = read_array(board, 9, (n,), np.bool_)
        fresh = read_array(board, 10, (n,), np.bool_)
        last = read_array(board, 11, (n,), np.int64)
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
    arguments = (
        n, mode, np.float64(gravity).view(np.int64), address(state), address(left), address(rng),
        address(actions), address(seen), address(reward), address(truncated), address(fresh),
        address(last),
    )  # fmt: skip
    publish(board, (n + _BLOCK - 1) // _BLOCK, threads, arguments)
    _step_claimed(board, 0)
    return finish(board, patience)


step_shared = SharedKernel(step_pendulums, _lead, _assist)
"""step_shared(choice, *arguments of `step_pendulums`) steps on as many threads as a `ThreadChoice` says."""
