"""A call's blocks of streams, claimed by the threads that step them; for the inside of kernels.

The calling thread, which leads, writes the call to a board of 64-bit words and steps blocks itself. Helper
threads that see the board claim blocks too. No thread waits for a block that nobody has claimed, so a helper
that the operating system has set aside costs nothing unless it is inside a block, and a block is short.

Every thread has a part of the blocks, which is always the same, so that its streams stay in the cache of its
core. It claims its own blocks from the front, and then those of others from the back. One word for each part
holds all that a claim needs:

    bits 0..19   blocks claimed from the front
    bits 20..39  blocks claimed from the back
    bits 40..62  blocks of the part

A claim adds 1 to one of the first two, and is good if they made less than the third before. The leader ends
the call when all blocks are done. Therefore the board does not change while a good claim is not done, and
whoever holds one may read the arguments, and the arrays at the addresses there.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.np.numpy_support import carray

from anymdp_bench.engine.atomics import add, load, pointer, store

MOST_THREADS = 16
_LINE = 16  # words from one part to the next: two cache lines, which processors fetch in pairs
_SHARED = MOST_THREADS * _LINE
_PARTS, _BLOCKS, _DONE, _SUM = _SHARED, _SHARED + 1, _SHARED + _LINE, _SHARED + _LINE + 1
_QUIET = _SHARED + 2 * _LINE  # a word that nobody writes
ARGUMENTS = _SHARED + 3 * _LINE
"""The first of the words that hold the arguments of a call."""
WORDS = ARGUMENTS + 32
"""Words of a board."""
UNFINISHED = -(2**62)
"""What `finish` returns when it has lost its patience."""

_BACK, _SIZE = 20, 40
_COUNT = 2**20 - 1  # a call may have this many blocks less MOST_THREADS


@njit(nogil=True)
def _is_taken(ticket):
    """Returns whether every block of a part has been claimed."""
    return (ticket & _COUNT) + ((ticket >> _BACK) & _COUNT) >= ticket >> _SIZE


@njit(nogil=True)
def address(array):
    """Returns the address of an array's memory, which must outlast the call."""
    return np.int64(array.ctypes.data)


@njit(nogil=True)
def read_array(board, k, shape, dtype):
    """Returns the array whose address is argument `k` of the call on the board."""
    return carray(pointer(load(board, ARGUMENTS + k)), shape, dtype)


@njit(nogil=True)
def read_number(board, k):
    """Returns argument `k` of the call on the board, int64."""
    return load(board, ARGUMENTS + k)


@njit(nogil=True)
def publish(board, blocks, threads, arguments):
    """Offers `blocks` blocks to `threads` threads, with the arguments of the call (a tuple of int64)."""
    for k in range(len(arguments)):
        store(board, ARGUMENTS + k, arguments[k])
    store(board, _DONE, 0)
    store(board, _SUM, 0)
    store(board, _BLOCKS, blocks)
    store(board, _PARTS, threads)
    for part in range(threads - 1, -1, -1):  # a helper wakes when its own part is there
        first = blocks * part // threads
        store(board, part * _LINE + 1, first)
        store(board, part * _LINE, (blocks * (part + 1) // threads - first) << _SIZE)


@njit(nogil=True)
def claim(board, thread):
    """Claims a block for a thread, and returns its number, or -1 if every block has been claimed."""
    parts = load(board, _PARTS)
    for k in range(parts):
        word = (thread + k) % parts * _LINE
        if _is_taken(load(board, word)):
            continue
        ticket = add(board, word, 1 if k == 0 else 1 << _BACK)
        if not _is_taken(ticket):
            first, front = load(board, word + 1), ticket & _COUNT
            back = (ticket >> _SIZE) - 1 - ((ticket >> _BACK) & _COUNT)
            return first + (front if k == 0 else back)
    return -1


@njit(nogil=True)
def hand_in(board, blocks, total):
    """Reports `blocks` claimed blocks as done, with the sum of their answers."""
    add(board, _SUM, total)
    add(board, _DONE, blocks)


@njit(nogil=True)
def _pause(board):
    """Passes some 25 ns. The instruction for this would make a virtual machine give its core away."""
    for _ in range(256):
        load(board, _QUIET)


@njit(nogil=True)
def await_call(board, patience):
    """Waits until there is a block to claim; returns False after `patience` pauses without one."""
    for _ in range(patience):
        for part in range(load(board, _PARTS)):
            if not _is_taken(load(board, part * _LINE)):
                return True
        _pause(board)
    return False


@njit(cache=True, nogil=True)
def finish(board, patience):
    """Waits until all blocks are done; returns the sum of answers, or UNFINISHED after `patience` pauses."""
    for _ in range(patience):
        if load(board, _DONE) == load(board, _BLOCKS):
            return load(board, _SUM)
        _pause(board)
    return UNFINISHED
