"""AnyMDP with one observable state, which is a bandit.

The base is Exp(1) clipped to [0.05, 2]. The mean reward of an arm is uniform on [base / 2, base]. All means
are drawn again while their standard deviation is at most 0.01. The noise of an arm has the standard
deviation max(U(-0.3, 0.3), 0) times its mean. The episode is one step.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import exponential, stream, uniform
from anymdp_bench.mdp import TabularMDP

# If the base is small, the means of many arms never have a standard deviation above 0.01. Then the base is
# drawn again. With five arms and the smallest base 0.6% of the draws are accepted, so this does not happen.
_REDRAWS = 100_000


@njit(cache=True, nogil=True)
def sample_arms(rng, n_actions):
    """Draws (mean rewards, standard deviations of their noise), float64 [A] each."""
    mean = np.empty(n_actions)
    while True:
        base = min(max(exponential(rng, 0), 0.05), 2.0)
        relative_noise = max(-0.3 + 0.6 * uniform(rng, 0), 0.0)
        for _ in range(_REDRAWS):
            for a in range(n_actions):
                mean[a] = base * (0.5 + 0.5 * uniform(rng, 0))
            if mean.std() > 0.01:
                return mean, relative_noise * mean


def sample(seed: int, *, n_actions: int) -> TabularMDP:
    """Samples the bandit of a seed.

    Its one step leads to a terminal state. Both states show the same id.

    Args:
        seed: the task seed.
        n_actions: the number of arms.
    """
    mean, noise = sample_arms(stream("AnyMDP", 1, n_actions, seed), n_actions)
    prob = np.zeros((2, n_actions, 2))
    prob[0, :, 1] = 1.0
    reward, sd = np.zeros_like(prob), np.zeros_like(prob)
    reward[0, :, 1], sd[0, :, 1] = mean, noise
    return TabularMDP(
        prob,
        reward,
        reward_noise=sd,
        start=[1.0, 0.0],
        terminal=np.array([False, True]),
        max_steps=1,
        observation=[0, 0],
        n_observations=1,
    )
