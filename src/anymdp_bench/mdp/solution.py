"""Exact answers about one task: optimal values, expected returns and stationary distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymdp_bench.engine.arrays import Bands, Float64s, Int64s
from anymdp_bench.engine.evaluate import (
    episode_moments,
    episode_values,
    optimal_values,
    restart_terminals,
)
from anymdp_bench.engine.solve import mean_reward, policy_iteration, policy_matrix
from anymdp_bench.mdp import TabularMDP

_SERIAL = 2**18  # multiplications for which OpenBLAS takes one thread: more wait for each other


@dataclass(frozen=True)
class Solution:
    """The optimal discounted values of a task by inner state. They are 0 on terminal states.

    Attributes:
        q: action values, float64 [S, A].
        v: state values, float64 [S].
        policy: an optimal action for each state, int64 [S]. Of several it is the first.
    """

    q: Float64s
    v: Float64s
    policy: Int64s


def solve(mdp: TabularMDP, gamma: float = 0.994) -> Solution:
    """Finds the optimal stationary policy of a task by policy iteration.

    The horizon plays no part. The values are exact to about 1e-12 * max|q| / (1 - gamma).

    Args:
        mdp: the task.
        gamma: the discount, from 0 to below 1.

    Raises:
        ValueError: `gamma` is not in [0, 1).
    """
    if not 0.0 <= gamma < 1.0:
        raise ValueError(f"gamma is {gamma}; give a discount from 0 to below 1")
    # Numba compiles read-only arrays apart. Samplers solve tasks that they are still writing, so copies are
    # solved by code that is compiled already.
    bands, terminal = Bands._make(each.copy() for each in mdp.bands), mdp.terminal.copy()
    reward = mean_reward(bands, mdp.n_actions)
    policy = np.zeros(mdp.n_states, np.int64)
    q, v = policy_iteration(bands, reward, terminal, float(gamma), policy)
    return Solution(q, v, q.argmax(axis=1).astype(np.int64))


def policy_array(mdp: TabularMDP, policy: npt.ArrayLike) -> Float64s:
    """Converts a policy to action probabilities, float64 [S, A].

    Args:
        mdp: the task.
        policy: an action for each inner state, ints [S], or action probabilities [S, A].

    Raises:
        ValueError: the shape, an action or the sum of a row is wrong.
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
    """Computes the exact expected undiscounted return of one episode of at most `max_steps` steps.

    Args:
        mdp: the task.
        policy: an action for each inner state, ints [S], or action probabilities [S, A].

    Raises:
        ValueError: `policy` is no policy of this task.
    """
    value = episode_values(mdp.bands, mdp.terminal, policy_array(mdp, policy), mdp.max_steps)
    return float(mdp.start @ value)


def optimal_return(mdp: TabularMDP) -> float:
    """Computes the exact expected return of one episode under the best policy there is.

    That policy knows the inner state, and it may depend on the steps that the episode has left. So this
    return is at least that of every stationary policy, the oracle's included.

    Args:
        mdp: the task.
    """
    value = optimal_values(mdp.bands, mdp.terminal, mdp.n_actions, mdp.max_steps)
    return float(mdp.start @ value)


def return_moments(mdp: TabularMDP, policy: npt.ArrayLike) -> tuple[float, float]:
    """Computes the exact mean and standard deviation of one episode's return.

    Args:
        mdp: the task.
        policy: an action for each inner state, ints [S], or action probabilities [S, A].

    Returns:
        (mean, standard deviation).

    Raises:
        ValueError: `policy` is no policy of this task.
    """
    value, variance = episode_moments(
        mdp.bands, mdp.terminal, policy_array(mdp, policy), mdp.max_steps
    )
    mean = float(mdp.start @ value)
    within = float(mdp.start @ variance)
    between = float(mdp.start @ (value - mean) ** 2)
    return mean, float(np.sqrt(within + between))


def stationary_distribution(mdp: TabularMDP, policy: npt.ArrayLike) -> Float64s:
    """Computes the long-run share of time that is spent in each inner state.

    Terminal states lead back to the start distribution. Where several recurrent classes can be reached,
    each is weighted by the probability of reaching it from the start.

    Args:
        mdp: the task.
        policy: an action for each inner state, ints [S], or action probabilities [S, A].

    Returns:
        The stationary distribution, float64 [S].

    Raises:
        ValueError: `policy` is no policy of this task.
    """
    matrix = policy_matrix(mdp.bands, policy_array(mdp, policy))
    restart_terminals(matrix, mdp.terminal, mdp.start)
    # The lazy chain stays where it is half of the time. It has the same stationary distribution, and no
    # period. Squaring it 60 times takes it 2**60 steps ahead.
    power = 0.5 * (matrix + np.eye(mdp.n_states))
    rows = max(1, _SERIAL // power.size)
    for _ in range(60):
        power = np.concatenate([power[k : k + rows] @ power for k in range(0, mdp.n_states, rows)])
        power /= power.sum(axis=1, keepdims=True)
    out: Float64s = mdp.start @ power
    return out
