"""Finite horizons and long-run distributions: dense twins, full enumeration, and answers by hand."""

import numpy as np
import pytest

from anymdp_bench.engine import evaluate as kernels
from anymdp_bench.mdp import TabularMDP
from naive.dense import enumerated_moments, episode_tables, restarted_chain, stationary
from naive.random_tasks import random_policy, random_task


@pytest.mark.parametrize("horizon", [0, 1, 2, 25])
def test_episode_values_is_backward_recursion(small_tasks, horizon):
    rng = np.random.default_rng(1)
    for task in small_tasks:
        policy = random_policy(rng, *task.P.shape[:2])
        value = kernels.episode_values(task.mdp().bands, task.terminal, policy, horizon)
        _, V = episode_tables(task.P, task.R, task.terminal, policy, horizon)
        assert np.allclose(value, V[horizon], rtol=0, atol=1e-12)


def test_episode_moments_is_the_sum_over_all_trajectories():
    rng = np.random.default_rng(2)
    for terminals in (0, 1):
        for _ in range(3):
            task = random_task(rng, S=3, A=2, terminals=terminals, horizon=4, density=0.7)
            policy = random_policy(rng, 3, 2)
            mean, variance = kernels.episode_moments(task.mdp().bands, task.terminal, policy, 4)
            for s in range(3):
                expected = enumerated_moments(*task[:3], task.terminal, policy, s, 4)
                assert (mean[s], variance[s]) == pytest.approx(expected, abs=1e-12)


def test_episode_moments_has_the_means_of_episode_values(small_tasks):
    rng = np.random.default_rng(3)
    for task in small_tasks:
        policy = random_policy(rng, *task.P.shape[:2])
        bands = task.mdp().bands
        mean, variance = kernels.episode_moments(bands, task.terminal, policy, 30)
        value = kernels.episode_values(bands, task.terminal, policy, 30)
        assert np.allclose(mean, value, rtol=0, atol=1e-12)
        assert (variance >= 0).all()
        assert (variance[task.terminal] == 0).all()


def test_variance_loses_no_digits_to_a_large_mean():
    # Reward 10^8 + Normal(0, 1) ten times: the variance is 10, which E[x^2] - E[x]^2 would lose.
    mdp = TabularMDP(
        np.ones((1, 1, 1)), 1e8, reward_noise=1.0, start=[1], terminal=[False], max_steps=10
    )
    mean, variance = kernels.episode_moments(mdp.bands, mdp.terminal, np.ones((1, 1)), 10)
    assert mean[0] == 1e9
    assert variance[0] == 10.0


def test_advantages_are_backward_recursion(small_tasks):
    rng = np.random.default_rng(4)
    for task in small_tasks:
        S, A, _ = task.P.shape
        policy = rng.integers(A, size=S)
        table, value = kernels.advantages(task.mdp().bands, task.terminal, policy, A, task.horizon)
        Q, V = episode_tables(task.P, task.R, task.terminal, np.eye(A)[policy], task.horizon)
        assert np.allclose(table, Q - V[:, :, None], rtol=0, atol=1e-12)
        assert np.allclose(value, V[-1], rtol=0, atol=1e-12)
        assert (table[:, np.arange(S), policy] == 0).all()
        assert (table[:, task.terminal] == 0).all()
        assert (table[0] == 0).all()


def test_a_coin_flip_by_hand():
    """One flip: heads pays 3, tails -1, each with noise sd 2; the episode ends.

    Mean 1/2 (3 - 1) = 1. Variance between the outcomes 1/2 (2^2 + 2^2) = 4, plus noise 4: 8.
    """
    P = np.zeros((3, 1, 3))
    P[0, 0] = [0, 0.5, 0.5]
    R = np.zeros((3, 1, 3))
    R[0, 0] = [0, 3, -1]
    mdp = TabularMDP(
        P, R, reward_noise=2.0, start=[1, 0, 0], terminal=[False, True, True], max_steps=7
    )
    mean, variance = kernels.episode_moments(mdp.bands, mdp.terminal, np.ones((3, 1)), 7)
    assert mean.tolist() == [1.0, 0.0, 0.0]
    assert variance.tolist() == [8.0, 0.0, 0.0]


def test_a_walk_that_may_stop_by_hand():
    """State 0 pays 1 a step (noise sd 1) and goes on with 1/2, else ends; two steps at most.

    Return 1 with 1/2, 2 with 1/2: mean 3/2, variance 1/4, plus noise 1 * E[steps] = 3/2: 7/4.
    """
    P = np.zeros((2, 1, 2))
    P[0, 0] = [0.5, 0.5]
    mdp = TabularMDP(P, 1.0, reward_noise=1.0, start=[1, 0], terminal=[False, True], max_steps=2)
    mean, variance = kernels.episode_moments(mdp.bands, mdp.terminal, np.ones((2, 1)), 2)
    assert mean.tolist() == [1.5, 0.0]
    assert variance.tolist() == [1.75, 0.0]


def test_advantages_by_hand():
    """In 0, action 0 pays 1 and stays, action 1 pays 3 and ends. The policy is action 0.

    V_h(0) = h; Q_h(0, 1) = 3; so A_h(0, 1) = 3 - h: better at the very end, worse before.
    """
    P = np.zeros((2, 2, 2))
    P[0, 0, 0] = P[0, 1, 1] = 1.0
    R = np.array([[[1.0], [3.0]], [[0.0], [0.0]]])
    mdp = TabularMDP(P, R, start=[1, 0], terminal=[False, True], max_steps=5)
    table, value = kernels.advantages(mdp.bands, mdp.terminal, np.zeros(2, np.int64), 2, 5)
    assert table[:, 0, 1].tolist() == [0, 2, 1, 0, -1, -2]
    assert value.tolist() == [5, 0]


def test_propagate_is_a_power_of_the_matrix(small_tasks):
    rng = np.random.default_rng(5)
    for task in small_tasks:
        chain = restarted_chain(
            task.P, task.terminal, task.start, random_policy(rng, *task.P.shape[:2])
        )
        for steps in (0, 1, 5, 64):
            now = kernels.propagate(chain, task.start, steps, 0.0)
            expected = task.start @ np.linalg.matrix_power(chain, steps)
            assert np.allclose(now, expected, rtol=0, atol=1e-13)


def test_propagate_stops_early_within_its_tolerance(small_tasks):
    rng = np.random.default_rng(6)
    for task in small_tasks:
        chain = restarted_chain(
            task.P, task.terminal, task.start, random_policy(rng, *task.P.shape[:2])
        )
        now = kernels.propagate(chain, task.start, 4096, 1e-3)
        exact = task.start @ np.linalg.matrix_power(chain, 4096)
        assert abs(now - exact).sum() <= 1e-3


def test_propagate_does_not_take_an_alternating_chain_for_a_still_one():
    # A swap never settles: after an odd number of steps all mass is in the other state.
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert kernels.propagate(swap, np.array([1.0, 0.0]), 1001, 1e-9).tolist() == [0.0, 1.0]


def test_propagate_settles_on_the_eigenvector(anymdp16):
    for mdp in anymdp16[:10]:
        uniform = np.full((mdp.n_states, mdp.n_actions), 1 / mdp.n_actions)
        chain = restarted_chain(mdp.transition, mdp.terminal, mdp.start, uniform)
        settled = kernels.propagate(chain, mdp.start, 2**16, 1e-13)
        assert np.allclose(settled, stationary(chain), rtol=0, atol=1e-10)


def test_restart_terminals_is_in_place():
    matrix = np.eye(3)
    kernels.restart_terminals(matrix, np.array([False, True, True]), np.array([1.0, 0.0, 0.0]))
    assert matrix.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
