"""AnyMDP with one observable state. Its distributions are compared in test_anymdp_twin.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymdp_bench.mdp import TaskError
from anymdp_bench.mdp.solution import solve
from anymdp_bench.scoring import compute_references
from anymdp_bench.tasks.anymdp.sampler import sample


@given(st.integers(0, 2**32 - 1), st.integers(2, 9))
def test_a_bandit_keeps_the_rules(seed, A):
    mdp = sample(seed, n_states=1, n_actions=A)
    assert mdp.n_observations == 1
    assert mdp.observation.tolist() == [0, 0]
    assert mdp.max_steps == 1
    assert mdp.terminal.tolist() == [False, True]
    assert mdp.start.tolist() == [1.0, 0.0]
    assert (mdp.transition[0] == [0.0, 1.0]).all()  # the single step is a termination
    means, noise = mdp.reward[0, :, 1], mdp.reward_noise[0, :, 1]
    assert means.std() > 0.01
    assert means.min() > 0
    assert means.max() <= 2.0
    assert means.min() >= means.max() / 2  # all between base / 2 and base
    assert np.allclose(noise / means, noise[0] / means[0], rtol=1e-12)
    assert 0 <= noise[0] / means[0] <= 0.3


@given(st.integers(0, 2**32 - 1))
def test_its_references_are_its_means(seed):
    mdp = sample(seed, n_states=1, n_actions=5)
    means = mdp.reward[0, :, 1]
    ends = compute_references(mdp)
    assert ends.oracle == means.max()
    assert ends.oracle_sd == pytest.approx(mdp.reward_noise[0, means.argmax(), 1], rel=1e-12)
    assert ends.random == pytest.approx(means.mean(), rel=1e-14)
    assert solve(mdp).policy[0] == means.argmax()


def test_seeds_and_sizes_give_unlike_bandits():
    bandits = {sample(seed, n_states=1, n_actions=A) for seed in range(10) for A in (2, 5)}
    assert len(bandits) == 20


def test_many_arms_are_found_too():
    """Some bases are too small for the means of so many arms to spread; a new one is then drawn."""
    for seed in range(60):
        mdp = sample(seed, n_states=1, n_actions=64)
        assert mdp.reward[0, :, 1].std() > 0.01


def test_a_bandit_needs_two_arms():
    with pytest.raises(TaskError, match=r"^n_actions is 1; give an integer from 2 upward$"):
        sample(0, n_states=1, n_actions=1)


def test_a_bandit_has_no_minimum_of_states():
    with pytest.raises(TaskError, match=r"^min_states is 5"):
        sample(0, n_states=1, n_actions=5, min_states=5)
