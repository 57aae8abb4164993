"""The reference to beat: counts of what followed on each state and action, within the context alone.

The forecast is (count + alpha) / (visits + alpha S), the Bayesian's under a symmetric Dirichlet prior. It
knows nothing of how AnyMDP tasks are made (their banded transitions, say), which a trained model may learn,
and forgets nothing, which models of constant size must. For the oracle's action it counts what was done in
the state, by the oracle itself where tags tell (20 times), and by anybody else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from anymdp_bench.datasets.codes import NOTHING
from anymdp_bench.engine.arrays import Float64s
from anymdp_bench.longcontext.losses import Predict
from anymdp_bench.longcontext.streams import Steps

ALPHA = 0.1
_ORACLE_TAG, _ORACLE_WORTH = 3, 20.0


class _Counts(NamedTuple):
    onward: Float64s  # [n, S, A, S]
    chosen: Float64s  # [n, S, A]


def counting(n_states: int, n_actions: int, alpha: float = ALPHA) -> Predict:
    """The counting model, ready for `score`."""

    def predict(state: _Counts | None, steps: Steps) -> tuple[_Counts, Float64s, Float64s]:
        n, length = steps.seen.shape
        if state is None:
            shape = (n, n_states, n_actions)
            state = _Counts(np.zeros((*shape, n_states)), np.zeros(shape))
        onward, chosen = state.onward.copy(), state.chosen.copy()
        following = np.empty((n, length, n_states))
        policy = np.empty((n, length, n_actions))
        _count(*steps, onward, chosen, alpha, following, policy)
        return _Counts(onward, chosen), np.log(following), np.log(policy)

    return predict


@njit(cache=True)
def _count(
    seen, action, left, did, reward, ending, arrival, tag, onward, chosen, alpha, following, policy
):
    """Writes the forecasts of every step, [n, T, S] and [n, T, A], as odds."""
    for i in range(seen.shape[0]):
        for t in range(seen.shape[1]):
            if ending[i, t] != NOTHING:
                onward[i, left[i, t], did[i, t], arrival[i, t]] += 1.0
                worth = _ORACLE_WORTH if tag[i, t] == _ORACLE_TAG else 1.0
                chosen[i, left[i, t], did[i, t]] += worth
            following[i, t] = onward[i, seen[i, t], action[i, t]] + alpha
            policy[i, t] = chosen[i, seen[i, t]] + 1.0
