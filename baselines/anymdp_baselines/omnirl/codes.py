"""Fixed codes of observed ids, and other numbers that the tokens of every form of a model share."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Float32s

REWARD_FEATURES, CODE = 6, 32
READ_EXTRA = 2
"""Features of an action that are read beside its planned values: two functions of its visits."""


def state_codes(n: int) -> Float32s:
    """Returns fixed random codes of `n` ids, float32 [n, CODE], of length 1; they do not depend on n."""
    rows = np.random.default_rng(0).standard_normal((n, CODE))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)
