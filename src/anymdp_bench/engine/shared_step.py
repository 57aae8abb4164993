"""`step_streams` for many streams, with the help of other threads."""

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
from anymdp_bench.engine.step import BLOCK, find_refused, step_block, step_streams
from anymdp_bench.engine.threads import SharedKernel


@njit(nogil=True)
def _step_claimed(board, thread):
    """Steps blocks of the call on the board until every block has been claimed.

    It reads the arguments by their places in the tuple that `_lead` publishes.
    """
    done = resets = 0
    block = claim(board, thread)
    while block >= 0:
        n, cells = read_number(board, 0), (read_number(board, 3), 4)
        resets += step_block(
            read_array(board, 6, (n, 4), np.int64),
            read_array(board, 7, (n,), np.uint64),
            read_array(board, 8, (read_number(board, 1), read_number(board, 2)), np.int64),
            read_array(board, 9, cells, np.uint64),
            read_array(board, 9, cells, np.float64),
            read_array(board, 10, (n,), np.int64),
            read_number(board, 4),
            read_number(board, 5),
            block * BLOCK,
            min((block + 1) * BLOCK, n),
            read_array(board, 11, (n,), np.int64),
            read_array(board, 12, (n,), np.float64),
            read_array(board, 13, (2, n), np.bool_),
            read_array(board, 14, (n,), np.bool_),
            read_array(board, 15, (n,), np.int64),
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
    arguments = (
        n, len(rows), rows.shape[1], len(cells), n_actions, mode,
        address(streams), address(rng), address(rows), address(cells), address(actions),
        address(obs), address(reward), address(ended), address(fresh), address(last),
    )  # fmt: skip
    publish(board, (n + BLOCK - 1) // BLOCK, threads, arguments)
    _step_claimed(board, 0)
    return finish(board, patience)


step_shared = SharedKernel(step_streams, _lead, _assist)
"""step_shared(choice, *arguments of `step_streams`) steps on as many threads as a `ThreadChoice` says."""
