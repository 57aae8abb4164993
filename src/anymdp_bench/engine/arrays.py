"""Names for the array types of the package, and the banded storage of a task."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Float32s: TypeAlias = npt.NDArray[np.float32]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
Bools: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]
Frame: TypeAlias = npt.NDArray[np.uint8]
"""A picture, uint8 [height, width, 3]."""


class Bands(NamedTuple):
    """The banded storage of a task.

    The successors of a state lie in one interval, which is called its band. All actions of a state share the
    band. Entry (s, a, s') lies at `offset[s] + a * width[s] + s' - low[s]` of the three flat arrays, where
    low[s] <= s' < low[s] + width[s]. Outside the band all three quantities are 0. A state without
    successors has width 0.

    Attributes:
        low: the first state of each band, int64 [S].
        width: the number of states in each band, int64 [S].
        offset: where the entries of each state begin, int64 [S].
        prob: the probabilities P(s'|s,a), float64 [n].
        reward: the mean rewards R(s,a,s'), float64 [n].
        noise: the standard deviations N(s,a,s') of the reward's noise, float64 [n].
    """

    low: Int64s
    width: Int64s
    offset: Int64s
    prob: Float64s
    reward: Float64s
    noise: Float64s
