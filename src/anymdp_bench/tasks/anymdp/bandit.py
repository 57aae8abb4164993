"""AnyMDP with one observable state: a bandit (SPEC 2.1, last part)."""

from __future__ import annotations

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import exponential, stream, uniform
from anymdp_bench.mdp import TabularMDP

# The means of many arms never spread by 0.01 where the base is small: then the base is drawn anew. With five
# arms and the smallest base 0.6% of draws do, so that it never comes to this.
_REDRAWS = 100_000


@njit(cache=True, nogil=True)
def sample_arms(rng, n_actions):
    """(mean reward [A], sd of its noise [A])."""
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
    """The bandit of `seed`: its one step leads to a terminal state, which shows the same single id."""
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
