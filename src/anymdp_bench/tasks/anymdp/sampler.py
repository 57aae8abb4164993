"""The AnyMDP sampler: it draws tasks until one passes the acceptance checks (arXiv 2502.02869).

The horizon and the permutation of the observations are drawn once for each task. All the rest is drawn
again until the task is accepted.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from anymdp_bench.engine.arrays import Bands
from anymdp_bench.engine.evaluate import propagate, restart_terminals
from anymdp_bench.engine.rng import integer, normal, stream
from anymdp_bench.engine.solve import (
    discounted_values,
    mean_reward,
    policy_iteration,
    policy_matrix,
    q_values,
)
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.tasks.anymdp import bandit
from anymdp_bench.tasks.anymdp.rewards import (
    compose,
    sample_cost,
    sample_position,
    sample_potential,
    sample_step_reward,
    sample_terminal_term,
)
from anymdp_bench.tasks.anymdp.transitions import (
    sample_start,
    sample_terminals,
    sample_transitions,
)
from anymdp_bench.tasks.keywords import require_integer
from anymdp_bench.tasks.random_parts import draw_permutation, sample_horizon

_MAX_ATTEMPTS = 100_000


@njit(inline="always")
def _is_worth_learning(bands, reward, start, terminal, horizon, policy):
    """Checks that there is enough to learn from every start state.

    At the discount gamma = 2^(-1/S), (max_a Q* - max_a Q_uniform)(1 - gamma) H must be at least 2.
    """
    n_states, n_actions = reward.shape
    gamma = 2.0 ** (-1.0 / n_states)
    best, _ = policy_iteration(bands, reward, terminal, gamma, policy)
    uniform_policy = np.full((n_states, n_actions), 1.0 / n_actions)
    value = discounted_values(bands, reward, terminal, uniform_policy, gamma)
    blind = np.empty((n_states, n_actions))
    q_values(bands, reward, terminal, value, gamma, blind)
    for s in range(n_states):
        if start[s] > 0.0:
            gain = (best[s].max() - blind[s].max()) * (1.0 - gamma) * horizon
            if gain < 2.0:
                return False
    return True


@njit(inline="always")
def _is_spread_out(bands, start, terminal, horizon, policy, n_actions):
    """Checks that the optimal policy visits many states in the long run, from every start state.

    Terminal states lead back to the start. The distribution of states must have a Gini impurity above 0.70
    and an entropy above 0.35 ln S.
    """
    n_states = len(start)
    one_hot = np.zeros((n_states, n_actions))
    for s in range(n_states):
        one_hot[s, policy[s]] = 1.0
    matrix = policy_matrix(bands, one_hot)
    restart_terminals(matrix, terminal, start)
    steps = 2 ** (math.floor(math.log2(horizon)) + 1)
    for s in range(n_states):
        if start[s] > 0.0:
            origin = np.zeros(n_states)
            origin[s] = 1.0
            reached = propagate(matrix, origin, steps, 1e-9)
            gini, entropy = 1.0, 0.0
            for j in range(n_states):
                gini -= reached[j] * reached[j]
                if reached[j] > 0.0:
                    entropy -= reached[j] * math.log(reached[j])
            if gini <= 0.70 or entropy <= 0.35 * math.log(n_states):
                return False
    return True


@njit(inline="always")  # compiled on its own, everything below it would be optimised twice
def _attempt(rng, n_states, n_actions, horizon):
    """Draws one task and checks it; returns (bands, start, terminal, whether it is accepted)."""
    start = sample_start(rng, n_states)
    terminal, goal = sample_terminals(rng, start)
    bands = sample_transitions(rng, terminal, n_actions)
    potential = sample_potential(rng, n_states)
    position, noise_next = sample_position(rng, terminal)
    cost, noise_pair = sample_cost(rng, n_states, n_actions)
    per_step = sample_step_reward(rng, terminal, goal)
    by_pair = cost + potential.reshape((n_states, 1)) + per_step
    by_next = position - potential
    policy = np.zeros(n_states, np.int64)
    term, repaired = sample_terminal_term(
        rng, bands, by_pair, by_next, start, terminal, goal, policy
    )
    if not repaired:
        return bands, start, terminal, False
    compose(bands, by_pair, by_next + term, noise_pair, noise_next)
    reward = mean_reward(bands, n_actions)
    accepted = _is_worth_learning(
        bands, reward, start, terminal, horizon, policy
    ) and _is_spread_out(bands, start, terminal, horizon, policy, n_actions)
    return bands, start, terminal, accepted


@njit(cache=True, nogil=True)
def sample_arrays(rng, n_observations, min_states, n_actions, composite):
    """Draws tasks until one is accepted.

    Args:
        rng: the random stream, uint64 [1].
        n_observations: the number of observable states.
        min_states: the least number of active states.
        n_actions: the number of actions.
        composite: whether the composite reward is kept; else the mean rewards become standard normal numbers.

    Returns:
        (bands, start, terminal, H, observation, the number of attempts, or -1 if no task was accepted).
    """
    horizon = sample_horizon(rng, n_observations)
    n_states = min_states + integer(rng, 0, n_observations - min_states + 1)
    observation = draw_permutation(rng, n_observations)[:n_states].copy()
    for k in range(_MAX_ATTEMPTS):
        bands, start, terminal, accepted = _attempt(rng, n_states, n_actions, horizon)
        if accepted:
            if not composite:
                for j in range(len(bands.reward)):
                    bands.reward[j] = normal(rng, 0)
            return bands, start, terminal, horizon, observation, k + 1
    return bands, start, terminal, horizon, observation, -1


def sample(
    seed: int,
    *,
    n_states: int,
    n_actions: int,
    min_states: int | None = None,
    composite_reward: bool = True,
) -> TabularMDP:
    """Samples the AnyMDP task of a seed. The keywords are those of `gym.make("AnyMDP-v0")`.

    Args:
        seed: the task seed.
        n_states: the number of observable states. It is 1 for a bandit, or at least 8.
        n_actions: the number of actions, at least 2.
        min_states: the least number of active states, at least 8. The number of active states is then
            uniform on `min_states`..`n_states`. By default all states are active.
        composite_reward: False replaces the mean rewards of the accepted task by a standard normal number for
            each (s, a, s').

    Raises:
        TaskError: the sizes make no task.
        RuntimeError: 100,000 attempts gave no acceptable task.
    """
    require_integer("n_actions", n_actions, 2)
    require_integer("n_states", n_states, 1)
    if n_states == 1:
        if min_states is not None:
            require_integer("min_states", min_states, 1, 1)
        return bandit.sample(seed, n_actions=n_actions)
    require_integer("n_states", n_states, 8)
    if min_states is not None:
        require_integer("min_states", min_states, 8, n_states)
    n_states, n_actions = (
        int(n_states),
        int(n_actions),
    )  # a kernel is compiled for each integer type
    least = n_states if min_states is None else int(min_states)
    rng = stream("AnyMDP", n_states, least, n_actions, seed)
    bands, start, terminal, horizon, observation, attempts = sample_arrays(
        rng, n_states, least, n_actions, composite_reward
    )
    if attempts < 0:
        raise RuntimeError(
            f"no acceptable AnyMDP task with {n_states} states, {n_actions} actions and seed {seed}"
            f" in {_MAX_ATTEMPTS} attempts; take another seed or size"
        )
    return TabularMDP.from_bands(
        Bands(*bands),
        start=start,
        terminal=terminal,
        max_steps=math.ceil(horizon),
        observation=observation,
        n_observations=n_states,
    )
