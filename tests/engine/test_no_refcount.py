"""Views without reference counts: they have the same memory, and no owner."""

import sys

import numpy as np
import pytest
from numba import njit

from anymdp_bench.engine.no_refcount import no_refcount


@njit
def write(array, index, value):
    view = no_refcount(array)
    before = view[index]
    view[index] = value
    return before, view.shape, view.strides


@njit
def give_away(array):
    return no_refcount(array)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint64])
@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 3, 2)])
def test_a_view_is_the_same_memory(dtype, shape):
    array = np.arange(6, dtype=dtype).reshape(shape)
    expected = array.copy()
    index = tuple(length - 1 for length in shape)
    before, seen_shape, strides = write(array, index, dtype(9))
    assert (before, seen_shape, strides) == (5, shape, array.strides)
    expected[index] = 9
    assert np.array_equal(array, expected)


def test_it_has_no_owner_and_its_array_keeps_its_own():
    array = np.arange(6.0)
    held = sys.getrefcount(array)
    for _ in range(3):
        assert give_away(array).base is None
    assert sys.getrefcount(array) == held
