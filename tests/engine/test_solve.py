"""Discounted values: against dense twins, and against answers worked out by hand."""

import numpy as np
import pytest

from anymdp_bench.engine import solve as kernels
from anymdp_bench.mdp import TabularMDP
from anymdp_bench.mdp.solution import solve
from naive.dense import discounted_optimum, policy_iteration, policy_values
from naive.random_tasks import random_policy, random_task


def test_dot_is_the_inner_product():
    # Small integers add exactly in any order, so the sums must agree to the last bit.
    rng = np.random.default_rng(0)
    x, y = rng.integers(-9, 9, (2, 40)).astype(float)
    for n in range(14):
        assert kernels.dot(x, 3, y, 11, n) == x[3 : 3 + n] @ y[11 : 11 + n]


def test_mean_reward(small_tasks):
    for task in small_tasks:
        mean = kernels.mean_reward(task.mdp().bands, task.P.shape[1])
        assert np.allclose(mean, (task.P * task.R).sum(-1), rtol=0, atol=1e-13)


def test_policy_matrix(small_tasks):
    rng = np.random.default_rng(1)
    for task in small_tasks:
        policy = random_policy(rng, *task.P.shape[:2])
        policy[0] = np.eye(policy.shape[1])[0]  # a weight of 0 is skipped
        matrix = kernels.policy_matrix(task.mdp().bands, policy)
        assert np.allclose(matrix, np.einsum("sa,sat->st", policy, task.P), rtol=0, atol=1e-14)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.9, 0.999])
def test_discounted_values_solve_the_linear_system(small_tasks, gamma):
    rng = np.random.default_rng(2)
    for task in small_tasks:
        policy = random_policy(rng, *task.P.shape[:2])
        mean = (task.P * task.R).sum(-1)
        value = kernels.discounted_values(task.mdp().bands, mean, task.terminal, policy, gamma)
        _, expected = policy_values(task.P, task.R, task.terminal, policy, gamma)
        assert np.allclose(value, expected, rtol=1e-9, atol=1e-11)
        assert (value[task.terminal] == 0).all()


@pytest.mark.parametrize("n", [1, 2, 30])
def test_a_dense_system_of_a_chain_that_ends(n):
    rng = np.random.default_rng(n)
    chain = rng.random((n, n)) * (rng.random((n, n)) < 0.3)
    chain /= chain.sum(1, keepdims=True) + 0.1  # every state leaves
    right = rng.random(n)
    expected = np.linalg.solve(np.eye(n) - chain, right)
    found = kernels.solve_dense(np.eye(n) - chain, right.copy())
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.93, 0.994])
def test_solve_is_value_iteration(small_tasks, gamma):
    for task in small_tasks:
        solution = solve(task.mdp(), gamma)
        Q, V = discounted_optimum(task.P, task.R, task.terminal, gamma)
        assert np.allclose(solution.q, Q, rtol=1e-9, atol=1e-9)
        assert np.allclose(solution.v, V, rtol=1e-9, atol=1e-9)
        assert np.allclose(solution.q.max(1), solution.v, rtol=1e-9, atol=1e-9)
        assert (solution.policy == solution.q.argmax(1)).all()


def test_solve_on_sampled_tasks(anymdp16):
    for mdp in anymdp16[:10]:
        solution = solve(mdp)
        Q, V, _ = policy_iteration(mdp.transition, mdp.reward, mdp.terminal, 0.994)
        assert np.allclose(solution.q, Q, rtol=1e-9, atol=1e-9)
        assert np.allclose(solution.v, V, rtol=1e-9, atol=1e-9)


def test_the_starting_policy_does_not_matter(small_tasks):
    rng = np.random.default_rng(3)
    for task in small_tasks:
        S, A, _ = task.P.shape
        mean, bands = (task.P * task.R).sum(-1), task.mdp().bands
        answers = []
        for _ in range(3):
            policy = rng.integers(A, size=S)
            q, v = kernels.policy_iteration(bands, mean, task.terminal, 0.97, policy)
            live = ~task.terminal
            chosen = q[np.arange(S), policy]
            assert np.allclose(chosen[live], q.max(1)[live], rtol=1e-11, atol=1e-11)
            answers.append(v)
        assert np.allclose(answers[0], answers[1:], rtol=1e-10, atol=1e-10)


def wandering_bands(rng, S):
    """A task whose states reach one to three neighbours of a random other state each."""
    task = random_task(rng, S=S, A=2, terminals=1)
    P = np.zeros_like(task.P)
    for s in np.flatnonzero(~task.terminal):
        low = rng.integers(S)
        high = min(S, low + 1 + rng.integers(3))
        P[s, :, low:high] = rng.dirichlet(np.ones(high - low), 2)
    kept = P > 0
    return task._replace(P=P, R=task.R * kept, N=task.N * kept)


def test_fill_in_is_eliminated_right():
    """A row far to the left eliminated by one far to the right grows by just what that one has."""
    rng = np.random.default_rng(4)
    for _ in range(200):
        task = wandering_bands(rng, S=9)
        _, V, _ = policy_iteration(task.P, task.R, task.terminal, 0.99)
        assert np.allclose(solve(task.mdp(), 0.99).v, V, rtol=1e-9, atol=1e-9)


def test_two_states_by_hand():
    """Stay in 0 for 1 a step, or go to 1 for nothing and earn 3 a step there for ever.

    v(1) = 3 / (1 - g). In 0: stay for ever 1 / (1 - g), go g * 3 / (1 - g). Going is better where 3g > 1.
    At g = 1/2: v = (3, 6), q(0) = (1 + 3/2, 3). At g = 1/4: v(1) = 4, q(0, go) = 1; staying gives
    1 / (3/4) = 4/3, so v(0) = 4/3.
    """
    P = np.zeros((2, 2, 2))
    P[0, 0, 0] = P[0, 1, 1] = P[1, :, 1] = 1.0
    R = np.array([[[1.0], [0.0]], [[3.0], [3.0]]])
    mdp = TabularMDP(P, R, start=[1, 0], terminal=[False, False], max_steps=5)
    patient, hasty = solve(mdp, 0.5), solve(mdp, 0.25)
    assert np.allclose(patient.v, [3, 6], rtol=1e-14)
    assert np.allclose(patient.q, [[2.5, 3], [6, 6]], rtol=1e-14)
    assert patient.policy[0] == 1
    assert np.allclose(hasty.v, [4 / 3, 4], rtol=1e-14)
    assert hasty.policy[0] == 0


def test_a_gamble_by_hand():
    """From 0: end for 1, or with 1/2 each end for 4 or stay with nothing; g = 0.8; state 1 ends.

    v = max(1, 1/2 * 4 + 1/2 * 0.8 v) gives v = 2 + 0.4 v, v = 10/3; q(0) = (1, 10/3).
    """
    P = np.zeros((2, 2, 2))
    P[0, 0, 1] = 1.0
    P[0, 1] = [0.5, 0.5]
    R = np.zeros((2, 2, 2))
    R[0, 0, 1], R[0, 1, 1] = 1.0, 4.0
    mdp = TabularMDP(P, R, start=[1, 0], terminal=[False, True], max_steps=5)
    solution = solve(mdp, 0.8)
    assert np.allclose(solution.q, [[1, 10 / 3], [0, 0]], rtol=1e-14)
    assert np.allclose(solution.v, [10 / 3, 0], rtol=1e-14)


def test_a_chain_by_hand():
    # 0 -> 1 -> 2 -> 3 (terminal), reward 1 on arrival: v = (g^2, g, 1, 0).
    P = np.zeros((4, 1, 4))
    P[[0, 1, 2], 0, [1, 2, 3]] = 1.0
    mdp = TabularMDP(P, np.eye(4)[3], start=np.eye(4)[0], terminal=np.eye(4)[3] > 0, max_steps=9)
    assert np.allclose(solve(mdp, 0.9).v, [0.81, 0.9, 1, 0], rtol=1e-14)


def test_equal_actions_give_the_first():
    mdp = TabularMDP(np.ones((1, 4, 1)), 1.0, start=[1], terminal=[False], max_steps=1)
    assert solve(mdp, 0.994).policy.tolist() == [0]


@pytest.mark.parametrize("gamma", [1.0, -0.1, 1.5, float("nan")])
def test_solve_refuses_other_discounts(small_tasks, gamma):
    with pytest.raises(ValueError, match="give a discount from 0 to below 1"):
        solve(small_tasks[0].mdp(), gamma)


@pytest.mark.parametrize("gamma", [1 - 1e-6, 1 - 1e-9, 1 - 1e-12])
def test_solve_ends_at_discounts_next_to_one(gamma, anymdp16):
    """Near 1 rounding exceeds the improvement sought; policy iteration must stop all the same."""
    for mdp in anymdp16:
        assert np.isfinite(solve(mdp, gamma).v).all()
