"""The random streams that belong to the seeds of `reset(seed=, options=)`.

The same seed gives the same trajectory.
"""

from __future__ import annotations

from collections.abc import Sequence
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


def parse_seeds(seed: int | Sequence[int | None] | None, n: int) -> tuple[Bools, UInt64s]:
    """Reads the `seed` of a vector environment's `reset`.

    Args:
        seed: None, one seed for all streams, or one seed or None for each stream.
        n: the number of streams.

    Returns:
        (which streams are seeded, bool [n]; their seeds, uint64 [n], and 0 for the others).

    Raises:
        ValueError: the number of seeds is not `n`, or a seed is negative.
    """
    if seed is None:
        return np.zeros(n, np.bool_), np.zeros(n, np.uint64)
    if isinstance(seed, (int, np.integer)):
        return np.ones(n, np.bool_), seed_array(int(seed), n)
    if len(seed) != n:
        raise ValueError(f"{len(seed)} seeds for {n} streams; give one a stream")
    if any(one is not None and one < 0 for one in seed):
        raise ValueError(f"a seed is negative: {list(seed)}; give integers from 0")
    given = np.array([one is not None for one in seed])
    return given, np.array([(one or 0) % 2**64 for one in seed], np.uint64)
