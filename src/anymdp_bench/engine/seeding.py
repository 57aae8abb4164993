"""The random streams that belong to the seeds of `reset(seed=, options=)`.

The same seed gives the same trajectory.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from anymdp_bench.engine.arrays import Bools, UInt64s
from anymdp_bench.engine.rng import derive_streams, stream

_DYNAMICS = stream("dynamics")


def dynamics_streams(seeds: UInt64s) -> UInt64s:
    """Returns the random stream of the dynamics for each environment seed (uint64 [n]), uint64 [n]."""
    return derive_streams(_DYNAMICS, seeds)


def seed_array(seed: int, n: int) -> UInt64s:
    """Returns seed, seed + 1, ..., seed + n - 1 as uint64 [n].

    Gymnasium seeds the parts of a vector environment in this way.
    """
    return np.arange(n, dtype=np.uint64) + np.uint64(seed % 2**64)


def parse_reset_mask(options: dict[str, Any] | None, n: int) -> Bools:
    """Reads `options["reset_mask"]` of a vector environment's `reset`.

    Args:
        options: the options of `reset`.
        n: the number of streams.

    Returns:
        Which streams are reset, bool [n]. Without a mask all of them are.

    Raises:
        TypeError: the mask is no array of bool.
        ValueError: the mask has another shape, or no True.
    """
    if not options or "reset_mask" not in options:
        return np.ones(n, np.bool_)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError("options['reset_mask'] must be a numpy array of bool")
    if mask.shape != (n,) or not mask.any():
        raise ValueError(f"options['reset_mask'] must have shape ({n},) and at least one True")
    return mask.copy()
