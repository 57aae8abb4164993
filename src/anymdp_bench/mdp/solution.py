"""Exact answers about one task: optimal values, expected returns, long-run state distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Float64s, Int64s
from anymdp_bench.engine.evaluate import (
    episode_moments,
    episode_values,
    restart_terminals,
)
from anymdp_bench.engine.solve import mean_reward, policy_iteration, policy_matrix
from anymdp_bench.mdp import TabularMDP


@dataclass(frozen=True)
class Solution:
    """Optimal discounted values of a task, by inner state; 0 on terminal states.

    Attributes:
        q: action values, float64 [S, A].
        v: state values, float64 [S].
        policy: an optimal action for each state, int64 [S]: the first of the best.
    """

    q: Float64s
    v: Float64s
    policy: Int64s


def solve(mdp: TabularMDP, gamma: float = 0.994) -> Solution:
    """The optimal stationary policy of `mdp` at discount `gamma`, by policy iteration.

    The horizon plays no part. The values are exact to about 1e-12 * max|q| / (1 - gamma).

    Raises:
        ValueError: `gamma` is not in [0, 1).
    """
    if not 0.0 <= gamma < 1.0:
        raise ValueError(f"gamma is {gamma}; give a discount from 0 to below 1")
    reward = mean_reward(mdp.bands, mdp.n_actions)
    policy = np.zeros(mdp.n_states, np.int64)
    q, v = policy_iteration(mdp.bands, reward, mdp.terminal, float(gamma), policy)
    return Solution(q, v, q.argmax(axis=1).astype(np.int64))


def policy_array(mdp: TabularMDP, policy: npt.ArrayLike) -> Float64s:
    """Action probabilities, float64 [S, A], of a policy given as ints [S] or probabilities [S, A].

    Raises:
        ValueError: the shape, an action or a row's sum is wrong.
    """
    given = np.asarray(policy)
    shape = (mdp.n_states, mdp.n_actions)
    if given.shape == shape[:1] and given.dtype.kind in "iu":
        if ((given < 0) | (given >= shape[1])).any():
            raise ValueError(f"a policy's actions lie in 0..{shape[1] - 1}; got {given}")
        one_hot: Float64s = np.eye(shape[1])[given]
        return one_hot
    if given.shape != shape:
        raise ValueError(
            f"policy has shape {list(given.shape)} and dtype {given.dtype};"
            f" give ints [{shape[0]}] or probabilities {list(shape)}"
        )
    table = np.ascontiguousarray(given, dtype=np.float64)
    off = ~(abs(table.sum(axis=1) - 1.0) < 1e-6) | (table < 0).any(axis=1)
    if (off & ~mdp.terminal).any():
        s = int(np.flatnonzero(off & ~mdp.terminal)[0])
        raise ValueError(f"policy[{s}] is {table[s]}, no distribution; normalise it")
    return table


def expected_return(mdp: TabularMDP, policy: npt.ArrayLike) -> float:
    """The exact expected undiscounted return of one episode (at most `max_steps` steps).

    Args:
        mdp: the task.
        policy: an action for each inner state, ints [S], or action probabilities [S, A].

    Raises:
        ValueError: `policy` is none.
    """
    value = episode_values(mdp.bands, mdp.terminal, policy_array(mdp, policy), mdp.max_steps)
    return float(mdp.start @ value)


def return_moments(mdp: TabularMDP, policy: npt.ArrayLike) -> tuple[float, float]:
    """(mean, standard deviation) of one episode's return, exact; arguments as `expected_return`."""
    value, variance = episode_moments(
        mdp.bands, mdp.terminal, policy_array(mdp, policy), mdp.max_steps
    )
    mean = float(mdp.start @ value)
    within = float(mdp.start @ variance)
    between = float(mdp.start @ (value - mean) ** 2)
    return mean, float(np.sqrt(within + between))


def stationary_distribution(mdp: TabularMDP, policy: npt.ArrayLike) -> Float64s:
    """Long-run share of time in each inner state, float64 [S], terminal states leading back to the start.

    The stationary distribution is that of the recurrent class reached from the start; where there are
    several classes, the one that the start distribution's own occupancy weighs.

    Raises:
        ValueError: `policy` is none.
    """
    matrix = policy_matrix(mdp.bands, policy_array(mdp, policy))
    restart_terminals(matrix, mdp.terminal, mdp.start)
    # The lazy chain (half the time stay) has the same stationary distribution and no period; squaring it
    # 60 times takes it 2**60 steps.
    power = 0.5 * (matrix + np.eye(mdp.n_states))
    for _ in range(60):
        power = power @ power
        power /= power.sum(axis=1, keepdims=True)
    out: Float64s = mdp.start @ power
    return out
