"""The counting model, which is the reference to beat: it counts what followed within the context.

Its prediction of the next observation is (count + alpha) / (visits + alpha S), the Bayesian prediction
under a symmetric Dirichlet prior. It does not know how AnyMDP tasks are made (their banded transitions, for
example), and a trained model may learn that. It forgets nothing, and a model of constant size must forget.
For the oracle's action it counts the actions that were taken in the observation; an action whose tag says
that the oracle took it counts 20 times.
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
"""The Dirichlet parameter of each next observation."""
_ORACLE_TAG, _ORACLE_WORTH = 3, 20.0


class _Counts(NamedTuple):
    """How often each next observation followed, and how often each action was taken."""

    onward: Float64s  # [n, S, A, S]
    chosen: Float64s  # [n, S, A]


def counting(n_states: int, n_actions: int, alpha: float = ALPHA) -> Predict:
    """Makes the counting model for `score`.

    Args:
        n_states: S, the number of observations.
        n_actions: A, the number of actions.
        alpha: the Dirichlet parameter of each next observation.
    """

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
    """Writes the predictions of every step, not normalised: `following` [n, T, S] and `policy` [n, T, A]."""
    for i in range(seen.shape[0]):
        for t in range(seen.shape[1]):
            if ending[i, t] != NOTHING:
                onward[i, left[i, t], did[i, t], arrival[i, t]] += 1.0
                worth = _ORACLE_WORTH if tag[i, t] == _ORACLE_TAG else 1.0
                chosen[i, left[i, t], did[i, t]] += worth
            following[i, t] = onward[i, seen[i, t], action[i, t]] + alpha
            policy[i, t] = chosen[i, seen[i, t]] + 1.0
