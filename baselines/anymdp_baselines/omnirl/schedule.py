"""The softmax temperature's schedule: explore at first, settle later."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Float64s, Int64s

COOLING = 2.5  # visits per slot after which the temperature has fallen by sqrt(2)
COLDEST = 0.05


def temperature(first: float | Float64s, age: int | Int64s, n_slots: int) -> Float64s:
    """The softmax temperature after `age` steps of a run on `n_slots` = S * A that began with `first`."""
    out: Float64s = np.maximum(
        first / np.sqrt(1.0 + np.asarray(age) / (COOLING * n_slots)), COLDEST
    )
    return out
