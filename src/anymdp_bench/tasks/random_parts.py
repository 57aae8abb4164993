"""The random parts that several families share: the horizon and the permutation of the observations."""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import integer, uniform


@njit(cache=True, nogil=True)
def sample_horizon(rng, n_observations):
    """Draws H, a real number, uniform on [low, high).

    With S observations, low is max(4S, 100) and high is max(min(8S, 500), low + 1).
    """
    low = max(4.0 * n_observations, 100.0)
    high = max(min(8.0 * n_observations, 500.0), low + 1.0)
    return low + (high - low) * uniform(rng, 0)


@njit(cache=True, nogil=True)
def draw_permutation(rng, n):
    """Draws a uniform random permutation of 0..n-1 by the method of Fisher and Yates, int64 [n]."""
    out = np.arange(n)
    for k in range(n - 1, 0, -1):
        j = integer(rng, 0, k + 1)
        out[k], out[j] = out[j], out[k]
    return out
