"""Public answers about a task: dense twins, full enumeration, and answers by hand."""

import dataclasses
import math

import numpy as np
import pytest

from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import (
    expected_return,
    optimal_return,
    policy_array,
    return_moments,
    solve,
    stationary_distribution,
)
from naive.dense import enumerated_moments, episode_tables, restarted_chain, stationary
from naive.random_tasks import random_policy, random_task


def test_expected_return_is_backward_recursion_over_the_horizon(small_tasks):
    rng = np.random.default_rng(1)
    for task in small_tasks:
        S, A, _ = task.P.shape
        policy = random_policy(rng, S, A)
        _, V = episode_tables(task.P, task.R, task.terminal, policy, task.horizon)
        value = expected_return(task.mdp(), policy)
        assert type(value) is float
        assert value == pytest.approx(task.start @ V[-1], abs=1e-12)
        actions = rng.integers(A, size=S)
        one_hot = expected_return(task.mdp(), np.eye(A)[actions])
        assert expected_return(task.mdp(), actions) == one_hot
        assert expected_return(task.mdp(), actions.tolist()) == one_hot


def test_the_optimal_return_is_backward_induction(small_tasks):
    """A dense twin, and never below any stationary policy that is tried."""
    rng = np.random.default_rng(3)
    for task in small_tasks:
        S, A, _ = task.P.shape
        value = np.zeros(S)
        for _ in range(task.horizon):
            q = (task.P * (task.R + value)).sum(2)
            value = np.where(task.terminal, 0.0, q.max(1))
        best = optimal_return(task.mdp())
        assert type(best) is float
        assert best == pytest.approx(task.start @ value, abs=1e-12)
        for _ in range(5):
            assert expected_return(task.mdp(), rng.integers(A, size=S)) <= best + 1e-12


def test_the_optimal_return_by_hand():
    """Two steps: action 0 pays 1 and stays; action 1 pays 5 and ends. Best is to stay, and then to end: 6."""
    P = np.zeros((2, 2, 2))
    P[0, 0, 0] = P[0, 1, 1] = 1.0
    reward = np.array([[1.0, 5.0], [0.0, 0.0]])[:, :, None]
    mdp = TabularMDP(P, reward, start=[1, 0], terminal=[False, True], max_steps=2)
    assert optimal_return(mdp) == 6.0
    assert max(expected_return(mdp, [a, 0]) for a in (0, 1)) == 5.0


def test_return_moments_are_those_of_the_whole_episode():
    """Over all starts and trajectories: mean and sd of the mixture, not of one start."""
    rng = np.random.default_rng(2)
    for terminals in (0, 1):
        task = random_task(rng, S=3, A=2, terminals=terminals, horizon=4, density=0.8)
        policy = random_policy(rng, 3, 2)
        parts = [enumerated_moments(*task[:3], task.terminal, policy, s, 4) for s in range(3)]
        mean = sum(p * m for p, (m, _) in zip(task.start, parts, strict=True))
        second = sum(p * (v + m * m) for p, (m, v) in zip(task.start, parts, strict=True))
        ours = return_moments(task.mdp(), policy)
        assert ours == pytest.approx((mean, math.sqrt(second - mean**2)), abs=1e-10)


def test_return_moments_by_hand():
    """Start in 0 (pays 1, then ends) or in 1 (pays 5, then ends), half the time each; noise sd 3.

    Mean 3; variance between the starts 4, within 9: sd sqrt(13).
    """
    P = np.zeros((3, 1, 3))
    P[:2, 0, 2] = 1.0
    mdp = TabularMDP(
        P,
        np.array([1.0, 5.0, 0.0]).reshape(3, 1, 1),
        reward_noise=3.0,
        start=[0.5, 0.5, 0],
        terminal=[False, False, True],
        max_steps=4,
    )
    assert return_moments(mdp, [0, 0, 0]) == pytest.approx((3.0, math.sqrt(13)), rel=1e-15)


def test_a_deterministic_chain_by_hand():
    """0 -> 1 -> 2 -> 3 (terminal), reward 1, 2, 4 on the way; horizon 2 cuts off the last.

    Two steps give 1 + 2 = 3, with certainty; three or more give 7.
    """
    P = np.zeros((4, 1, 4))
    P[[0, 1, 2], 0, [1, 2, 3]] = 1.0
    for horizon, expected in [(1, 1.0), (2, 3.0), (3, 7.0), (50, 7.0)]:
        mdp = TabularMDP(
            P,
            np.array([0.0, 1.0, 2.0, 4.0]),
            start=np.eye(4)[0],
            terminal=np.arange(4) == 3,
            max_steps=horizon,
        )
        assert return_moments(mdp, np.zeros(4, int)) == (expected, 0.0)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ([0, 1], r"shape \[2\]"),
        ([0, 1, 2], r"0\.\.1"),
        ([0, -1, 1], r"0\.\.1"),
        ([0.0, 1.0, 0.0], r"dtype float64"),
        (np.ones((3, 2)), r"policy\[0\]"),
        ([[0.5, 0.5], [1.5, -0.5], [1, 0]], r"policy\[1\]"),
        ([[0.5, 0.5], [np.nan, 1], [1, 0]], r"policy\[1\]"),
        (np.ones((3, 3)) / 3, r"shape \[3, 3\]"),
    ],
)
def test_policies_that_are_none(policy, says):
    mdp = TabularMDP(
        np.full((3, 2, 3), 1 / 3), 0, start=[1, 0, 0], terminal=[False] * 3, max_steps=2
    )
    for answer in (policy_array, expected_return, return_moments, stationary_distribution):
        with pytest.raises(ValueError, match=says):
            answer(mdp, policy)


def test_a_policy_says_nothing_about_terminal_states():
    P = np.zeros((2, 2, 2))
    P[0, :, 1] = 1.0
    mdp = TabularMDP(P, 1.0, start=[1, 0], terminal=[False, True], max_steps=2)
    assert expected_return(mdp, [[0.5, 0.5], [0, 0]]) == 1.0


def test_stationary_distribution_is_the_eigenvector(anymdp16):
    rng = np.random.default_rng(3)
    for mdp in anymdp16[:10]:
        policy = random_policy(rng, mdp.n_states, mdp.n_actions)
        chain = restarted_chain(mdp.transition, mdp.terminal, mdp.start, policy)
        ours = stationary_distribution(mdp, policy)
        assert np.allclose(ours, stationary(chain), rtol=0, atol=1e-10)
        assert np.allclose(ours @ chain, ours, rtol=0, atol=1e-13)


def test_stationary_distribution_by_hand():
    # Out of 0 with 1/4, back with 1/2: flows balance at (2/3, 1/3).
    P = np.array([[[0.75, 0.25]], [[0.5, 0.5]]])
    mdp = TabularMDP(P, 0, start=[1, 0], terminal=[False, False], max_steps=3)
    assert np.allclose(stationary_distribution(mdp, [0, 0]), [2 / 3, 1 / 3], rtol=1e-14)


def test_stationary_distribution_of_a_cycle_through_a_terminal_state():
    # 0 -> 1 -> 2 (terminal) -> 0: a third of the time in each, though the chain never settles.
    P = np.zeros((3, 1, 3))
    P[0, 0, 1] = P[1, 0, 2] = 1.0
    mdp = TabularMDP(P, 0, start=[1, 0, 0], terminal=[False, False, True], max_steps=3)
    assert np.allclose(stationary_distribution(mdp, [0, 0, 0]), [1 / 3] * 3, rtol=1e-13)


def test_stationary_distribution_of_two_closed_classes():
    # From 0 to 1 with 1/4 and to 2 with 3/4, both absorbing: the start weighs the classes.
    P = np.zeros((3, 1, 3))
    P[0, 0] = [0, 0.25, 0.75]
    P[1, 0, 1] = P[2, 0, 2] = 1.0
    mdp = TabularMDP(P, 0, start=[1, 0, 0], terminal=[False] * 3, max_steps=3)
    assert np.allclose(stationary_distribution(mdp, [0, 0, 0]), [0, 0.25, 0.75], atol=1e-14)


def test_a_solution_is_frozen_and_has_the_right_types(small_tasks):
    solution = solve(small_tasks[5].mdp())
    assert solution.q.shape == (6, 2)
    assert solution.v.dtype == solution.q.dtype == np.float64
    assert solution.policy.dtype == np.int64
    with pytest.raises(dataclasses.FrozenInstanceError):
        solution.v = None


def test_rewards_at_the_edge_of_float64_do_not_hang_the_solver():
    for reward in (np.array([1e308, -1e308]), 1e308, np.array([[[1e308], [1e308]]] * 2)):
        mdp = TabularMDP(
            np.full((2, 2, 2), 0.5), reward, start=[1, 0], terminal=[False] * 2, max_steps=3
        )
        assert solve(mdp).q.shape == (2, 2)
