"""The Garnet sampler (SPEC 2.2)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import normal, stream, uniform
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.family import require_integer
from anymdp_bench.tasks.random_parts import draw_permutation, sample_horizon


@njit(cache=True, nogil=True)
def sample_arrays(rng, n_states, n_actions, branching):
    """(P [S, A, S], R [S, A, S], H, observation [S]); rewards only where P > 0."""
    horizon = sample_horizon(rng, n_states)
    observation = draw_permutation(rng, n_states)
    prob = np.zeros((n_states, n_actions, n_states))
    reward = np.zeros((n_states, n_actions, n_states))
    for s in range(n_states):
        for a in range(n_actions):
            successors = draw_permutation(rng, n_states)[:branching]
            cuts = np.ones(branching)
            for k in range(branching - 1):
                cuts[k] = uniform(rng, 0)
            cuts.sort()
            below = 0.0
            for k in range(branching):
                prob[s, a, successors[k]] = cuts[k] - below
                reward[s, a, successors[k]] = 0.1 * normal(rng, 0)
                below = cuts[k]
    return prob, reward, horizon, observation


def sample(seed: int, *, n_states: int, n_actions: int, branching: int) -> TabularMDP:
    """The Garnet task of `seed`; the keywords are those of `gym.make("Garnet-v0")`.

    R(s,a,s') ~ Normal(0, 0.1) without noise, no terminals, start state 0, no acceptance check.

    Raises:
        TaskError: the sizes make no task.
    """
    require_integer("n_states", n_states, 2)
    require_integer("n_actions", n_actions, 2)
    require_integer("branching", branching, 1, n_states)
    n_states, n_actions, branching = int(n_states), int(n_actions), int(branching)
    rng = stream("Garnet", n_states, n_actions, branching, seed)
    prob, reward, horizon, observation = sample_arrays(rng, n_states, n_actions, branching)
    return TabularMDP(
        prob,
        reward,
        start=np.eye(n_states)[0],
        terminal=np.zeros(n_states, np.bool_),
        max_steps=math.ceil(horizon),
        observation=observation,
        n_observations=n_states,
    )
