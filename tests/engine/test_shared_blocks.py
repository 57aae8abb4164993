"""Blocks on a board: each is claimed once, whoever claims and however late."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from anymdp_bench.engine.atomics import add
from anymdp_bench.engine.shared_blocks import (
    MOST_THREADS,
    UNFINISHED,
    WORDS,
    await_call,
    claim,
    finish,
    hand_in,
    publish,
    read_number,
)


@njit(nogil=True)
def work(board, thread, most):
    """Claims at most `most` blocks; counts each of them at the address that is the call's argument."""
    done = total = 0
    while done < most:
        block = claim(board, thread)
        if block < 0:
            break
        add(read_number(board, 0), block, 1)
        done += 1
        total += block
    hand_in(board, done, total)
    return done


@njit(nogil=True)
def assist(board, thread, patience):
    while await_call(board, patience):
        work(board, thread, 2**30)


@njit(nogil=True)
def lead(board, threads, blocks, argument, patience):
    publish(board, blocks, threads, (argument,))
    work(board, 0, 2**30)
    return finish(board, patience)


@njit
def put_up(board, blocks, threads, argument):
    publish(board, blocks, threads, (argument,))


@njit
def claim_one(board, thread):
    return claim(board, thread)


def new_board():
    board = np.zeros(WORDS, np.int64)
    return board, board.ctypes.data


@given(
    blocks=st.integers(0, 40),
    threads=st.integers(1, MOST_THREADS),
    order=st.lists(st.integers(0, MOST_THREADS - 1), max_size=60),
)
def test_every_block_is_claimed_once_in_whatever_order(blocks, threads, order):
    _board, address = new_board()
    put_up(address, blocks, threads, 0)
    claimed = [claim_one(address, thread) for thread in order + [0] * (blocks + 1)]
    assert sorted(block for block in claimed if block >= 0) == list(range(blocks))
    assert claimed[-1] == -1


def test_a_thread_claims_its_own_part_first_and_then_the_ends_of_others():
    _board, address = new_board()
    put_up(address, 6, 2, 0)
    assert [claim_one(address, 1) for _ in range(4)] == [3, 4, 5, 2]
    assert [claim_one(address, 0) for _ in range(3)] == [0, 1, -1]


def test_a_call_is_not_over_before_every_claimed_block_is_done():
    _board, address = new_board()
    counts = np.zeros(3, np.int64)
    put_up(address, 3, 2, counts.ctypes.data)
    assert work(address, 1, 2) == 2
    assert finish(address, 5) == UNFINISHED
    assert work(address, 0, 9) == 1
    assert finish(address, 5) == 0 + 1 + 2
    assert counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize("helpers", [1, 3])
def test_threads_do_every_block_of_many_calls_once(helpers):
    _board, address = new_board()
    rng = np.random.default_rng(0)
    lead(address, 1, 0, 0, 1), assist(address, 1, 0)
    running = [
        threading.Thread(target=assist, args=(address, 1 + k, 2_000_000)) for k in range(helpers)
    ]
    for thread in running:
        thread.start()
    for _ in range(2_000):
        blocks = int(rng.integers(0, 50))
        counts = np.zeros(blocks, np.int64)
        assert (
            lead(address, helpers + 1, blocks, counts.ctypes.data, 2**62)
            == blocks * (blocks - 1) // 2
        )
        assert (counts == 1).all()
    for thread in running:
        thread.join()
