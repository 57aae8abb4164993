"""The bounds of an episode's return on a tabular task, by dynamic programming."""

from __future__ import annotations

import numpy as np

from anymdp_bench.engine.arrays import Int64s
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.scoring.references import oracle_advantages


def value_range(mdp: TabularMDP) -> tuple[float, float]:
    """Computes the least and the largest expected return of an episode.

    All policies are considered, also those that depend on the number of steps left.

    Args:
        mdp: the task.

    Returns:
        (least, largest).
    """
    transition = mdp.transition
    reward = (transition * mdp.reward).sum(axis=2)
    least, most = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    for _ in range(mdp.max_steps):
        least = (reward + transition @ least).min(axis=1)
        most = (reward + transition @ most).max(axis=1)
    return float(mdp.start @ least), float(mdp.start @ most)


def advantage_sum_range(mdp: TabularMDP, policy: Int64s) -> tuple[float, float]:
    """Computes the least and the largest sum of the oracle's advantages over all possible trajectories.

    Args:
        mdp: the task.
        policy: the oracle's action in each inner state, int64 [S].

    Returns:
        (least, largest).
    """
    advantage = oracle_advantages(mdp, policy)
    possible = mdp.transition > 0
    least, most = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    for left in range(1, mdp.max_steps + 1):
        after_least = np.where(possible, least, np.inf).min(axis=2)
        after_most = np.where(possible, most, -np.inf).max(axis=2)
        live = ~mdp.terminal
        least, most = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
        least[live] = (advantage[left] + after_least)[live].min(axis=1)
        most[live] = (advantage[left] + after_most)[live].max(axis=1)
    begins = mdp.start > 0
    return float(least[begins].min()), float(most[begins].max())
