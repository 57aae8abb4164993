"""The Garnet sampler (Bhatnagar et al. 2009), with the horizon of AnyMDP."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.rng import normal, stream, uniform
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.keywords import require_integer
from anymdp_bench.tasks.random_parts import draw_permutation, sample_horizon


@njit(cache=True, nogil=True)
def sample_arrays(rng, n_states, n_actions, branching):
    """Draws (P [S, A, S], R [S, A, S], H, observation [S]).

    Each (s, a) has `branching` distinct successors. Their probabilities are the spacings of sorted uniform
    numbers. Rewards are drawn only where P > 0.
    """
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
    """Samples the Garnet task of a seed. The keywords are those of `gym.make("Garnet-v0")`.

    The rewards R(s,a,s') are normal with standard deviation 0.1, and have no noise. There are no terminal
    states. The start state is 0. Every task is accepted.

    Args:
        seed: the task seed.
        n_states: the number of states, at least 2.
        n_actions: the number of actions, at least 2.
        branching: the number of successors of each (s, a), from 1 to `n_states`.

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
