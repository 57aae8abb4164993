"""The bounds of what is possible: worked by hand, and against every trajectory and policy of small tasks."""

import itertools

import numpy as np
import pytest

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import expected_return
from anymdp_bench.scoring import compute_references, oracle_advantages
from anymdp_bench.scoring.ranges import advantage_sum_range, value_range


def two_arms():
    """One state, arms worth 0 and 1, three pulls."""
    return TabularMDP(
        np.ones((1, 2, 1)), np.array([[[0.0], [1.0]]]), start=[1.0], terminal=[False], max_steps=3
    )


def test_two_arms_by_hand():
    mdp = two_arms()
    assert value_range(mdp) == (0.0, 3.0)
    assert advantage_sum_range(mdp, np.array([1])) == pytest.approx((-3.0, 0.0))
    assert advantage_sum_range(mdp, np.array([0])) == pytest.approx((0.0, 3.0))


def test_no_stationary_policy_leaves_the_range(small_tasks):
    rng = np.random.default_rng(1)
    for mdp in (task.mdp() for task in small_tasks):
        low, high = value_range(mdp)
        for _ in range(30):
            policy = rng.dirichlet(np.full(mdp.n_actions, 0.3), mdp.n_states)
            assert low - 1e-9 <= expected_return(mdp, policy) <= high + 1e-9


def test_the_advantage_sum_range_is_that_of_all_trajectories():
    """Every sequence of possible states and actions of a small task, added up one by one."""
    rng = np.random.default_rng(3)
    prob = rng.dirichlet(np.ones(3), (3, 2))
    prob[0, 1] = [0.5, 0.5, 0.0]
    mdp = TabularMDP(
        prob,
        rng.normal(size=(3, 2, 3)),
        start=[1, 0, 0],
        terminal=[False, False, True],
        max_steps=4,
    )
    policy = compute_references(mdp).policy
    advantage = oracle_advantages(mdp, policy)
    sums = []
    for actions in itertools.product(range(2), repeat=4):
        for states in itertools.product(range(3), repeat=4):
            here, total, left = 0, 0.0, 4
            for action, following in zip(actions, states, strict=True):
                if mdp.transition[here, action, following] == 0:
                    break
                total += advantage[left, here, action]
                here, left = following, left - 1
                if mdp.terminal[here] or left == 0:
                    sums.append(total)
                    break
    assert advantage_sum_range(mdp, policy) == pytest.approx((min(sums), max(sums)))
