"""What several families draw alike: the horizon and the hidden order of observations."""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import integer, uniform


@njit(cache=True, nogil=True)
def sample_horizon(rng, n_observations):
    """H, a real number: uniform between max(4S, 100) and max(min(8S, 500), that + 1) (SPEC 2.1, step 1)."""
    low = max(4.0 * n_observations, 100.0)
    high = max(min(8.0 * n_observations, 500.0), low + 1.0)
    return low + (high - low) * uniform(rng, 0)


@njit(cache=True, nogil=True)
def draw_permutation(rng, n):
    """A uniform random permutation of 0..n-1 (Fisher and Yates), int64 [n]."""
    out = np.arange(n)
    for k in range(n - 1, 0, -1):
        j = integer(rng, 0, k + 1)
        out[k], out[j] = out[j], out[k]
    return out
