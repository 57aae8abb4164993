"""From `reset(seed=)` to the engine's streams: the same seed, the same trajectory, single or vector."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import UInt64s
from anymdp_bench.engine.rng import stream, streams

_DYNAMICS = stream("dynamics")


def dynamics_streams(seeds: UInt64s) -> UInt64s:
    """The stream of each environment seed (uint64 [n]), uint64 [n]."""
    return streams(_DYNAMICS, seeds)


def seed_array(seed: int, n: int) -> UInt64s:
    """seed, seed + 1, ... seed + n - 1 as uint64 [n]: how Gymnasium seeds the parts of a vector."""
    return np.arange(n, dtype=np.uint64) + np.uint64(seed % 2**64)
