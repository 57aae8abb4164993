"""Names for the array types that the package passes around, and the banded storage of a task."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Float64s: TypeAlias = npt.NDArray[np.float64]
Int64s: TypeAlias = npt.NDArray[np.int64]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
Bools: TypeAlias = npt.NDArray[np.bool_]
AnyArray: TypeAlias = npt.NDArray[Any]


class Bands(NamedTuple):
    """Successors of each state inside one interval, its band; all actions of a state share it.

    Entry (s, a, s') lies at `offset[s] + a * width[s] + s' - low[s]` of the three flat arrays, for
    low[s] <= s' < low[s] + width[s]; outside the band all three are 0. A state without successors
    has width 0.
    """

    low: Int64s  # [S]
    width: Int64s  # [S]
    offset: Int64s  # [S]
    prob: Float64s  # [n]  P(s'|s,a)
    reward: Float64s  # [n]  mean reward R(s,a,s')
    noise: Float64s  # [n]  sd of the reward's noise N(s,a,s')
