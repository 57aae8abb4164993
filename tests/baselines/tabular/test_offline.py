"""Behaviour cloning and conservative Q-learning against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anymdp_baselines.tabular.offline import Cloning, ConservativeQ, fit_cql, minimise_cql_loss
from anymdp_bench.evaluation import Budget, Demonstrations, Run, play_in_context
from anymdp_bench.tasks.family import task_source
from anymdp_bench.tasks.selection import select_tasks
from anymdp_bench.testing import AgentConformance

torch = pytest.importorskip("torch")
GAMMA, ALPHA = 0.9, 0.7


def d3rlpys_loss(q, steps, bootstrap):
    """Discrete CQL's loss as d3rlpy defines it, but for its mean over the batch, a sum here."""
    o, a, r, o2, terminated = (torch.tensor(column) for column in zip(*steps, strict=True))
    with torch.no_grad():
        target = r + GAMMA * bootstrap[o2].max(1).values * (1 - terminated)
    taken = q[o, a]
    td = 0.5 * (taken - target) ** 2
    return (td + ALPHA * (torch.logsumexp(q[o], 1) - taken)).sum()


def demonstrations(seed, n=60, n_observations=4, n_actions=3):
    rng = np.random.default_rng(seed)
    return [
        (
            int(rng.integers(n_observations)),
            int(rng.integers(n_actions)),
            float(rng.normal()),
            int(rng.integers(n_observations)),
            float(rng.random() < 0.2),
        )
        for _ in range(n)
    ]


def tables(steps, n_observations=4, n_actions=3):
    onward = np.zeros((n_observations, n_actions, n_observations))
    ended, reward = np.zeros((2, n_observations, n_actions))
    for o, a, r, o2, terminated in steps:
        reward[o, a] += r
        if terminated:
            ended[o, a] += 1
        else:
            onward[o, a, o2] += 1
    return onward, ended, reward


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_fixed_point_minimises_d3rlpys_loss(seed):
    """With its own values as targets, the loss has no gradient left at the solution."""
    steps = demonstrations(seed, n=300)
    q = np.zeros((4, 3))
    fit_cql(*tables(steps), GAMMA, ALPHA, q)
    assert np.isfinite(q).all()
    found = torch.tensor(q, requires_grad=True)
    d3rlpys_loss(found, steps, torch.tensor(q)).backward()
    np.testing.assert_allclose(found.grad.numpy(), 0.0, atol=1e-3)


def test_unshown_actions_are_at_minus_infinity_and_the_rest_minimises_the_loss():
    steps = [s for s in demonstrations(3, n=200) if (s[0], s[1]) != (2, 1)]
    q = np.zeros((4, 3))
    fit_cql(*tables(steps), GAMMA, ALPHA, q)
    assert q[2, 1] == -np.inf
    low = np.where(np.isfinite(q), q, -40.0)  # e^-40 weighs nothing
    found = torch.tensor(low, requires_grad=True)
    d3rlpys_loss(found, steps, torch.tensor(low)).backward()
    np.testing.assert_allclose(found.grad.numpy(), 0.0, atol=1e-3)


def test_one_state_by_hand():
    """n = (3, 1), targets 1 and 1: q0 - 1 = alpha (1 - 4 p / 3), q1 - 1 = alpha (1 - 4 (1 - p))."""
    q = np.zeros(2)
    minimise_cql_loss(np.array([3.0, 1.0]), np.ones(2), 0.5, q)
    p = np.exp(q[0]) / np.exp(q).sum()
    assert q[0] - 1 == pytest.approx(0.5 * (1 - 4 * p / 3))
    assert q[1] - 1 == pytest.approx(0.5 * (1 - 4 * (1 - p)))
    assert q[0] > 1 > q[1]  # what was shown more often gains


def test_without_the_conservative_term_it_is_q_learning():
    """alpha 0, one state with a loop of reward 1: Q = 1 / (1 - gamma)."""
    onward, ended, reward = np.full((1, 1, 1), 5.0), np.zeros((1, 1)), np.full((1, 1), 5.0)
    q = np.zeros((1, 1))
    fit_cql(onward, ended, reward, GAMMA, 0.0, q)
    assert q[0, 0] == pytest.approx(10.0, rel=1e-5)


@pytest.mark.parametrize("make", [Cloning, ConservativeQ])
def test_from_the_oracle_they_play_like_the_oracle(make):
    tasks, _ = select_tasks(task_source("AnyMDP-16s5a-v0"), 4)
    runs = [Run("AnyMDP-16s5a-v0", task, 0) for task in tasks]
    curves = play_in_context(make(), runs, Budget(episodes=20), None, Demonstrations(40, 0.0))
    assert np.mean([curve.score.mean() for curve in curves]) > 0.97


def test_from_noise_cloning_takes_the_likelier_action():
    tasks, _ = select_tasks(task_source("AnyMDP-16s5a-v0"), 4)
    runs = [Run("AnyMDP-16s5a-v0", task, 0) for task in tasks]
    curves = play_in_context(Cloning(), runs, Budget(episodes=20), None, Demonstrations(40, 0.3))
    assert np.mean([curve.score.mean() for curve in curves]) > 0.9


class TestCloning(AgentConformance):
    def make_agent(self):
        return Cloning()


class TestConservativeQ(AgentConformance):
    def make_agent(self):
        return ConservativeQ()
